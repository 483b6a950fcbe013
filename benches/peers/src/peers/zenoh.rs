//! zenoh from peer to peer over Unix sockets, without scouting. Publishers wait for room.

use std::time::{Duration, Instant};

use lahja_bench::{Case, Parcel, Result, Work};
use zenoh::Config;
use zenoh::Session;
use zenoh::handlers::FifoChannelHandler;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::CongestionControl;
use zenoh::sample::Sample;

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};

pub(crate) struct Zenoh;

type Samples = Subscriber<FifoChannelHandler<Sample>>;

pub(crate) struct Near {
    events: Publisher<'static>,
    answers: Samples,
    consumers: Samples,
    _session: Session,
}

pub(crate) struct Far {
    events: Samples,
    answers: Publisher<'static>,
    _session: Session,
}

/// The keys.
const EVENTS: &str = "bench/events";
const ANSWERS: &str = "bench/answers";
const CONSUMERS: &str = "bench/consumers";

/// How long a consumer waits for the producer's subscriptions.
const PATIENCE: Duration = Duration::from_secs(10);

impl Peer for Zenoh {
    const NAME: &'static str = "zenoh";
    const SLOWNESS: u64 = 3;
    type Producer = Near;
    type Consumer = Far;

    async fn produce(&self, case: &Case, place: &Place) -> Result<Near> {
        let session = open("listen", place).await?;
        Ok(Near {
            answers: session.declare_subscriber(ANSWERS).await?,
            consumers: session.declare_subscriber(CONSUMERS).await?,
            events: publisher(&session, EVENTS, case).await?,
            _session: session,
        })
    }

    async fn consume(&self, case: &Case, place: &Place, _index: usize) -> Result<Far> {
        let session = open("connect", place).await?;
        let events = session.declare_subscriber(EVENTS).await?;
        let answers = publisher(&session, ANSWERS, case).await?;
        let here = publisher(&session, CONSUMERS, case).await?;
        for publisher in [&answers, &here] {
            wait_for_subscriber(publisher).await?;
        }
        // The subscription has gone before.
        here.put("here").await?;
        Ok(Far { events, answers, _session: session })
    }
}

async fn open(side: &str, place: &Place) -> Result<Session> {
    let address = format!("unixsock-stream/{}", place.path("zenoh").display());
    let mut config = Config::default();
    config.insert_json5("mode", r#""peer""#)?;
    config.insert_json5(&format!("{side}/endpoints"), &format!(r#"["{address}"]"#))?;
    config.insert_json5("scouting/multicast/enabled", "false")?;
    config.insert_json5("scouting/gossip/enabled", "false")?;
    zenoh::open(config).await
}

/// Makes a publisher that gathers what follows on each other only if the case is about that.
async fn publisher(
    session: &Session,
    key: &'static str,
    case: &Case,
) -> Result<Publisher<'static>> {
    session
        .declare_publisher(key)
        .congestion_control(CongestionControl::Block)
        .express(is_one_at_a_time(case))
        .await
}

fn is_one_at_a_time(case: &Case) -> bool {
    matches!(case.work, Work::RoundTrip { .. } | Work::Paced { .. })
}

async fn wait_for_subscriber(publisher: &Publisher<'_>) -> Result<()> {
    let start = Instant::now();
    while !publisher.matching_status().await?.matching() {
        if start.elapsed() > PATIENCE {
            return Err("the producer has subscribed to nothing".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn decode(sample: &Sample) -> Result<Parcel> {
    codec::from_bytes(&sample.payload().to_bytes())
}

impl Producer for Near {
    async fn meet(&mut self, consumers: usize) -> Result<()> {
        for _ in 0..consumers {
            self.consumers.recv_async().await?;
        }
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        self.events.put(codec::to_vec(&event)?).await
    }

    async fn answer(&mut self) -> Result<Parcel> {
        decode(&self.answers.recv_async().await?)
    }
}

impl Consumer for Far {
    async fn receive(&mut self) -> Result<Parcel> {
        decode(&self.events.recv_async().await?)
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        self.answers.put(codec::to_vec(&event)?).await
    }
}
