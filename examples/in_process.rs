//! Several endpoints in one process, joined in memory.
//!
//! Three endpoints, `office`, `anna` and `ben`; the latter two are in the group `workers`. No
//! process is started and no file is made, which also makes this the way to test what uses an
//! endpoint.
//!
//! ```sh
//! cargo run --example in_process
//! ```

use std::error::Error;

use lahja_smol::{Endpoint, Event, Received, Scope, Smol, memory_pair};
use serde::{Deserialize, Serialize};
use smol::channel::bounded;
use smol::future::try_zip;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Notice {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Done {
    by: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Product)]
struct Multiply(u32, u32);

#[derive(Debug, Serialize, Deserialize, Event)]
struct Product(u32);

fn main() -> Result {
    smol::block_on(async {
        let office = Endpoint::new("office", Smol::default())?;
        let anna = worker("anna")?;
        let ben = worker("ben")?;
        connect(&office, &anna).await?;
        connect(&office, &ben).await?;
        println!("{} is connected to {:?}", office.name(), office.connections());

        handlers(&office, &anna).await?;
        streams_and_reach(&office, &anna, &ben).await?;
        requests(&office, &anna).await
    })
}

fn worker(name: &str) -> Result<Endpoint> {
    Ok(Endpoint::builder(name)?.group("workers")?.build(Smol::default()))
}

async fn connect(one: &Endpoint, other: &Endpoint) -> Result {
    let (near, far) = memory_pair();
    try_zip(one.attach(near), other.attach(far)).await?;
    Ok(())
}

/// A handler runs in a task of its own.
async fn handlers(office: &Endpoint, anna: &Endpoint) -> Result {
    let (called, calls) = bounded(1);
    let subscription = office.subscribe(move |event: Received<Done>| {
        println!("office hears that {} is done", event.by);
        let called = called.clone();
        async move {
            // Nobody waits for a second call.
            let _ = called.send(()).await;
        }
    });
    subscription.ready().await?;
    let by = anna.name().to_string();
    anna.broadcast(Done { by }).await?;
    calls.recv().await?;

    subscription.unsubscribe();
    let by = anna.name().to_string();
    let nobody = office.broadcast(Done { by }).await;
    println!("after that: {}", nobody.expect_err("nobody is subscribed"));
    Ok(())
}

/// A broadcast goes to everybody who has subscribed, unless it is narrowed down.
async fn streams_and_reach(office: &Endpoint, anna: &Endpoint, ben: &Endpoint) -> Result {
    let mut at_office = office.stream::<Notice>();
    let mut at_anna = anna.stream::<Notice>();
    let mut at_ben = ben.stream::<Notice>();
    office.wait_until_subscribed::<Notice>(Scope::All).await;

    let notice = |text: &str| Notice { text: text.into() };
    office.broadcast(notice("to everybody")).await?;
    office.broadcast(notice("to anna")).to("anna").await?;
    let workers = notice("to the workers");
    office.broadcast(workers).to_group("workers").await?;
    let others = notice("not to ben");
    office.broadcast(others).except("ben").await?;
    office.broadcast(notice("to myself")).internal().await?;

    for (endpoint, events, count) in
        [(office, &mut at_office, 3), (anna, &mut at_anna, 4), (ben, &mut at_ben, 2)]
    {
        for _ in 0..count {
            let event = events.next().await.ok_or("the endpoint was closed")??;
            let origin = event.origin();
            println!("{} reads from {origin}: {}", endpoint.name(), event.text);
        }
    }
    Ok(())
}

/// A request ends with the first answer, or with an error that says why there is none.
async fn requests(office: &Endpoint, anna: &Endpoint) -> Result {
    let answers =
        anna.answer(|request: Received<Multiply>| async move { Product(request.0 * request.1) });
    answers.ready().await?;
    let Product(product) = office.request(Multiply(6, 7)).to("anna").await?;
    println!("anna says that 6 * 7 = {product}");

    let refused = office.request(Multiply(6, 7)).to("ben").await;
    println!("and ben? {}", refused.expect_err("ben does not answer"));
    Ok(())
}
