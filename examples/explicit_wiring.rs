//! Two processes that are connected by hand, at a path.
//!
//! There is no event bus and no directory of one: the parent serves its endpoint at a socket, and
//! a second process, which is this program again, connects to it. Any process could that knows
//! the path and runs as the same user.
//!
//! ```sh
//! cargo run --example explicit_wiring
//! ```

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process;
use std::time::Duration;

use async_signal::{Signal, Signals};
use lahja_smol::{Endpoint, Event, Received, Smol, UnixConnector, UnixListener};
use serde::{Deserialize, Serialize};
use smol::future::or;
use smol::process::Command;
use smol::stream::StreamExt;

const GRACE: Duration = Duration::from_secs(1);

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Arrived {
    process: u32,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Age)]
struct GetAge {
    name: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Age(u32);

fn main() -> Result {
    let path = env::args_os().nth(1);
    smol::block_on(async {
        match path {
            None => parent().await,
            Some(path) => connect(&path).await,
        }
    })
}

async fn parent() -> Result {
    let mut interruptions = Signals::new([Signal::Hup, Signal::Int, Signal::Term])?;
    // A directory of our own, so that nobody else can take the path.
    let dir = env::temp_dir().join(format!("lahja-explicit-wiring-{}", process::id()));
    DirBuilder::new().mode(0o700).create(&dir)?;
    let path = dir.join("server.ipc");
    let interrupted = async {
        interruptions.next().await;
        Ok(())
    };
    let outcome = or(interrupted, serve(&path)).await;
    fs::remove_dir_all(&dir)?;
    outcome
}

async fn serve(path: &Path) -> Result {
    let endpoint = Endpoint::new("server", Smol::default())?;
    let _ages = endpoint.answer(|request: Received<GetAge>| {
        println!("{} asks for the age of {}", request.origin(), request.name);
        Age(request.name.len() as u32)
    });
    let mut arrivals = endpoint.stream::<Arrived>();

    let _server = endpoint.serve(UnixListener::bind(path)?);
    println!("server listens at {}", path.display());

    let mut command = Command::new(env::current_exe()?);
    let mut client = command.arg(path).kill_on_drop(true).spawn()?;
    let client = async {
        let status = client.status().await?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the client has failed: {status}").into()),
        }
    };
    let arrivals = async {
        while let Some(event) = arrivals.next().await {
            let event = event?;
            println!("{} arrived, its process is {}", event.origin(), event.process);
        }
        Ok(())
    };
    let outcome = or(arrivals, client).await;
    endpoint.close(GRACE).await;
    outcome
}

async fn connect(path: &OsStr) -> Result {
    let endpoint = Endpoint::new("client", Smol::default())?;
    let server = endpoint.connect(UnixConnector::new(path)).await?;
    println!("client is connected to {server}");

    let process = process::id();
    endpoint.broadcast(Arrived { process }).await?;
    let name = "lahja".to_string();
    let Age(age) = endpoint.request(GetAge { name }).await?;
    println!("client was told {age}");

    endpoint.close(GRACE).await;
    Ok(())
}
