//! iceoryx2: shared memory, where a full subscriber is waited for. One subject polls its memory,
//! the other sleeps until it is notified.

use std::time::Duration;

use iceoryx2::node::Node;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{BackpressureStrategy, LogLevel, NodeBuilder, ipc, set_log_level};
use iceoryx2::service::port_factory::{event, publish_subscribe};
use lahja_bench::{Case, Parcel, Placement, Result, Waits};

use crate::codec;
use crate::peer::{Consumer, Peer, Place, Producer};

/// With `POLLING`, it never sleeps.
pub(crate) struct Iceoryx<const POLLING: bool>;

/// How many bytes wait for a subscriber at most.
const QUEUED: usize = 64 * 1024 * 1024;

/// How long a listener sleeps at most: now and then it misses a notification that comes while it takes
/// the one before, and nobody notifies it again.
const LOST: Duration = Duration::from_millis(100);

/// Events and answers of one end.
pub(crate) struct End {
    out: Out,
    into: In,
    _node: Node<ipc::Service>,
}

struct Out {
    publisher: Publisher<ipc::Service, [u8], ()>,
    notifier: Option<Notifier<ipc::Service>>,
    room: usize,
}

struct In {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    listener: Option<Listener<ipc::Service>>,
}

impl<const POLLING: bool> Peer for Iceoryx<POLLING> {
    const NAME: &'static str = match POLLING {
        true => "iceoryx2 polling",
        false => "iceoryx2 event",
    };
    const SLOWNESS: u64 = 2;
    type Producer = End;
    type Consumer = End;

    fn cannot(&self, case: &Case) -> Option<&'static str> {
        if !POLLING {
            return None;
        }
        if case.waits == Waits::Parked {
            return Some("it does not sleep");
        }
        let cores = match case.placement {
            Placement::OneCore => 1,
            Placement::Apart => 2,
            Placement::Free => std::thread::available_parallelism().map_or(1, usize::from),
        };
        (case.consumers >= cores).then_some("its ends starve each other on few cores")
    }

    async fn produce(&self, case: &Case, place: &Place) -> Result<End> {
        End::new::<POLLING>(case, place, "events", "answers")
    }

    async fn consume(&self, case: &Case, place: &Place, _index: usize) -> Result<End> {
        End::new::<POLLING>(case, place, "answers", "events")
    }
}

impl End {
    fn new<const POLLING: bool>(case: &Case, place: &Place, out: &str, into: &str) -> Result<Self> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let out = Out::new::<POLLING>(&node, case, &place.name(out))?;
        let into = In::new::<POLLING>(&node, case, &place.name(into))?;
        Ok(Self { out, into, _node: node })
    }
}

type Topic = publish_subscribe::PortFactory<ipc::Service, [u8], ()>;

fn topic(node: &Node<ipc::Service>, case: &Case, name: &str) -> Result<Topic> {
    // As much as fits in some memory, and is gone through in a while.
    let queue = (QUEUED / codec::room(case.payload)).clamp(8, 512);
    Ok(node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .max_subscribers(case.consumers)
        .max_publishers(case.consumers)
        .max_nodes(case.consumers + 1)
        .subscriber_max_buffer_size(queue)
        .open_or_create()?)
}

fn bell(
    node: &Node<ipc::Service>,
    case: &Case,
    name: &str,
) -> Result<event::PortFactory<ipc::Service>> {
    Ok(node
        .service_builder(&name.try_into()?)
        .event()
        .max_listeners(case.consumers)
        .max_notifiers(case.consumers)
        .max_nodes(case.consumers + 1)
        .open_or_create()?)
}

impl Out {
    fn new<const POLLING: bool>(
        node: &Node<ipc::Service>,
        case: &Case,
        name: &str,
    ) -> Result<Self> {
        let room = codec::room(case.payload);
        let publisher = topic(node, case, name)?
            .publisher_builder()
            .initial_max_slice_len(room)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let notifier = match POLLING {
            true => None,
            false => Some(bell(node, case, name)?.notifier_builder().create()?),
        };
        Ok(Self { publisher, notifier, room })
    }

    fn send(&self, event: Parcel) -> Result<()> {
        let mut sample = self.publisher.loan_slice(self.room)?;
        postcard::to_slice(&event, sample.payload_mut())?;
        sample.send()?;
        if let Some(notifier) = &self.notifier {
            notifier.notify()?;
        }
        Ok(())
    }
}

impl In {
    fn new<const POLLING: bool>(
        node: &Node<ipc::Service>,
        case: &Case,
        name: &str,
    ) -> Result<Self> {
        let subscriber = topic(node, case, name)?.subscriber_builder().create()?;
        let listener = match POLLING {
            true => None,
            false => Some(bell(node, case, name)?.listener_builder().create()?),
        };
        Ok(Self { subscriber, listener })
    }

    fn receive(&self) -> Result<Parcel> {
        loop {
            match (self.subscriber.receive()?, &self.listener) {
                (Some(sample), _) => return codec::from_bytes(sample.payload()),
                (None, Some(listener)) => drop(listener.timed_wait(|_| (), LOST)?),
                (None, None) => std::hint::spin_loop(),
            }
        }
    }
}

impl Producer for End {
    /// It finds out about subscribers whenever it sends.
    async fn meet(&mut self, _consumers: usize) -> Result<()> {
        Ok(())
    }

    async fn send(&mut self, event: Parcel) -> Result<()> {
        self.out.send(event)
    }

    async fn answer(&mut self) -> Result<Parcel> {
        self.into.receive()
    }
}

impl Consumer for End {
    async fn receive(&mut self) -> Result<Parcel> {
        self.into.receive()
    }

    async fn answer(&mut self, event: Parcel) -> Result<()> {
        self.out.send(event)
    }
}
