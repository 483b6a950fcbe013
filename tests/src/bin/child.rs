//! The other processes of the tests, each in one role.

use std::io::Write;
use std::time::Duration;
use std::{env, fs};

use lahja_contract::puppet::{self, describe};
use lahja_contract::setup;
use lahja_smol::{Endpoint, EventBus, Limits, Smol};
use smol::process::Command;

fn main() {
    let arguments: Vec<_> = env::args().collect();
    let arguments: Vec<_> = arguments.iter().skip(1).map(String::as_str).collect();
    setup::drive(|smol| async move {
        match arguments[..] {
            ["puppet"] => puppet::obey(smol.clone(), connect(smol).await).await,
            ["member", dir, name] => member(smol, dir, name).await,
            ["parent", children] => parent(smol, children.parse().unwrap()).await,
            ["deaf"] => deaf(smol).await,
            ["claim"] => claim(smol, Limits::default().handshake_timeout).await,
            ["claim", millis] => claim(smol, Duration::from_millis(millis.parse().unwrap())).await,
            ["piped"] => piped(smol).await,
            _ => panic!("unknown role: {arguments:?}"),
        }
    });
}

async fn connect(smol: Smol) -> Endpoint {
    match EventBus::connect_on(smol).await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            eprintln!("{}", describe(&error));
            std::process::exit(1);
        }
    }
}

/// A puppet that nobody spawned.
async fn member(smol: Smol, dir: &str, name: &str) {
    let bus = EventBus::at_on(smol.clone(), dir).unwrap();
    let endpoint = bus.endpoint(name).await.unwrap();
    drop(bus);
    puppet::obey(smol, endpoint).await;
}

/// Has children, says where the bus is and which they are, and waits for its death.
async fn parent(smol: Smol, count: usize) {
    let bus = EventBus::new_on(smol).unwrap();
    let mut children = Vec::new();
    for n in 0..count {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg("puppet");
        children.push(bus.spawn(format!("c{n}"), command).await.unwrap());
    }
    let ids: Vec<_> = children.iter().map(|child| child.id().to_string()).collect();
    println!("{}", bus.path().display());
    println!("{}", ids.join(" "));
    std::future::pending().await
}

/// Joins its bus, and ends neither when its endpoint is closed nor by itself.
async fn deaf(smol: Smol) {
    let _endpoint = connect(smol).await;
    std::future::pending().await
}

/// Says what comes of taking over an endpoint.
async fn claim(smol: Smol, timeout: Duration) {
    let mut limits = Limits::default();
    limits.handshake_timeout = timeout;
    let claimed = EventBus::connect_on(smol).limits(limits).await;
    let error = claimed.expect_err("nobody spawned this process");
    println!("{error:?}");
    println!("{}", describe(&error));
    let stdin = fs::read_link("/proc/self/fd/0").unwrap();
    println!("{}", stdin.display());
    std::io::stdout().flush().unwrap();
}

/// A puppet whose endpoint is connected to its parent by pipes.
async fn piped(smol: Smol) {
    let endpoint = Endpoint::new("piped", smol.clone()).unwrap();
    endpoint.attach(lahja_smol::stdio().unwrap()).await.unwrap();
    println!("this goes to the standard error");
    let gone = puppet::until_gone(&endpoint, "parent");
    smol::future::or(puppet::obey(smol, endpoint.clone()), gone).await;
}
