//! What both builds of the program do: broadcast one event of each kind, or receive them, and say
//! on standard output what came of it, a line each.

use std::any::Any;
use std::env;
use std::error::Error;
use std::io::stdin;
use std::pin::Pin;

use lahja_smol::{
    BroadcastError, Endpoint, Event, EventBus, Received, Request, RequestError, Scope,
};

/// The name of the endpoint that receives; any other sends.
pub const CONSUMER: &str = "consumer";

/// What a program says last, before it waits for its input to end.
pub const DONE: &str = "done";

/// What goes wrong, of whatever kind.
pub type Failure = Box<dyn Error>;

/// Defines events, all of them with a default value.
#[macro_export]
macro_rules! events {
    ($($name:literal $event:item)+) => {$(
        #[derive(Debug, Default, Serialize, Deserialize, Event)]
        #[event(name = $name)]
        $event
    )+};
}

/// Makes a program of the events that a build has, and of its request. Its arguments are the
/// directory of a bus and its name there.
#[macro_export]
macro_rules! program {
    ([$($event:ty),+ $(,)?], $request:ty) => {
        fn main() -> Result<(), $crate::Failure> {
            $crate::run(
                async |endpoint| {
                    $crate::answer::<$request>(endpoint);
                    let mut consumed = Vec::new();
                    for saying in [$($crate::consume::<$event>(endpoint)),+] {
                        consumed.push(saying.await);
                    }
                    $crate::differences(endpoint, <$request as lahja_smol::Event>::NAME);
                    consumed
                },
                async |endpoint| {
                    $crate::ask::<$request>(endpoint).await?;
                    $($crate::produce::<$event>(endpoint).await?;)+
                    Ok(())
                },
            )
        }
    };
}

/// Joins the bus and takes the part that goes with the name.
pub fn run(
    consume: impl AsyncFnOnce(&Endpoint) -> Vec<Box<dyn Any>>,
    produce: impl AsyncFnOnce(&Endpoint) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let (Some(path), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are the directory of a bus and a name".into());
    };
    smol::block_on(async {
        let endpoint = EventBus::at(path)?.endpoint(name).await?;
        let mut subscriptions = Vec::new();
        match endpoint.name() == CONSUMER {
            true => subscriptions = consume(&endpoint).await,
            false => produce(&endpoint).await?,
        }
        println!("{DONE}");
        // What differs is known as long as both are there, and subscribed.
        smol::unblock(|| stdin().read_line(&mut String::new())).await?;
        drop(subscriptions);
        Ok(())
    })
}

/// Says what the endpoint knows of peers that define an event otherwise.
pub fn differences(endpoint: &Endpoint, event: &str) {
    for mismatch in endpoint.schema_mismatches() {
        if mismatch.event == event {
            println!("{event}: differs from that of {}", mismatch.peer);
        }
    }
}

/// Subscribes. The future that is returned says what comes, and yields the subscription.
pub fn consume<E: Event>(endpoint: &Endpoint) -> Pin<Box<dyn Future<Output = Box<dyn Any>>>> {
    let mut stream = endpoint.stream::<E>();
    let endpoint = endpoint.clone();
    Box::pin(async move {
        match stream.next().await {
            None => println!("{}: the end", E::NAME),
            Some(Ok(_)) => println!("{}: came", E::NAME),
            Some(Err(lagged)) => {
                println!("{}: {lagged}", E::NAME);
                differences(&endpoint, E::NAME);
            }
        }
        Box::new(stream) as _
    })
}

/// Broadcasts an event to the consumer.
pub async fn produce<E: Event + Default>(endpoint: &Endpoint) -> Result<(), Failure> {
    endpoint.wait_until_subscribed::<E>(Scope::Endpoint(CONSUMER)).await;
    match endpoint.broadcast(E::default()).to(CONSUMER).await {
        Ok(()) => println!("{}: sent", E::NAME),
        Err(BroadcastError::SchemaMismatch { peer, .. }) => {
            println!("{}: not for {peer}", E::NAME);
            differences(endpoint, E::NAME);
        }
        Err(error) => println!("{}: {error}", E::NAME),
    }
    Ok(())
}

/// Answers every request with the default answer.
pub fn answer<Q>(endpoint: &Endpoint)
where
    Q: Request,
    Q::Response: Default,
{
    endpoint.answer(|_: Received<Q>| Q::Response::default()).detach();
}

/// Makes a request to the consumer.
pub async fn ask<Q: Request + Default>(endpoint: &Endpoint) -> Result<(), Failure> {
    endpoint.wait_until_subscribed::<Q>(Scope::Endpoint(CONSUMER)).await;
    match endpoint.request(Q::default()).to(CONSUMER).await {
        Ok(_) => println!("{}: answered", Q::NAME),
        Err(RequestError::SchemaMismatch { peer, .. }) => {
            println!("{}: not for {peer}", Q::NAME);
            differences(endpoint, Q::NAME);
        }
        Err(error) => println!("{}: {error}", Q::NAME),
    }
    Ok(())
}
