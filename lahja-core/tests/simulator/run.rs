//! What those who act in one run have in common.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use futures_lite::future::yield_now;
use lahja_core::{Endpoint, Runtime};

use crate::consumer::Consumer;
use crate::executor::{Simulation, lock};
use crate::mood::{MAX_ENDPOINTS, Mood};
use crate::record::{Barrier, Record};
use crate::wire::Wire;

pub(crate) const NAMES: [&str; MAX_ENDPOINTS] = ["e0", "e1", "e2", "e3"];
pub(crate) const GROUPS: [&str; 2] = ["even", "odd"];

/// One run.
pub(crate) struct Run {
    pub(crate) simulation: Simulation,
    pub(crate) mood: Mood,
    record: Mutex<Record>,
    endpoints: Vec<Mutex<Option<Endpoint>>>,
    consumers: Mutex<Vec<Arc<dyn Consumer>>>,
    wires: Mutex<Vec<Wire>>,
}

/// Finds the number of an endpoint.
pub(crate) fn number_of(name: &impl AsRef<str>) -> usize {
    let number = NAMES.iter().position(|known| *known == name.as_ref());
    number.expect("nobody else is there")
}

impl Run {
    pub(crate) fn new(simulation: Simulation, mood: Mood, record: Record) -> Arc<Self> {
        let build = |number: usize| {
            let builder = Endpoint::builder(NAMES[number]).unwrap();
            let builder = builder.group(GROUPS[number % 2]).unwrap();
            builder.limits(mood.limits.clone()).build(simulation.clone())
        };
        let endpoints = (0..mood.endpoints).map(|number| Mutex::new(Some(build(number))));
        Arc::new(Self {
            endpoints: endpoints.collect(),
            simulation,
            record: Mutex::new(record),
            mood,
            consumers: Mutex::default(),
            wires: Mutex::default(),
        })
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Returns an endpoint, unless it is closed.
    pub(crate) fn endpoint(&self, number: usize) -> Option<Endpoint> {
        lock(&self.endpoints[number]).clone()
    }

    /// Takes the run's own handle to an endpoint, which begins its end.
    pub(crate) fn take_endpoint(&self, number: usize) -> Option<Endpoint> {
        let endpoint = lock(&self.endpoints[number]).take()?;
        let mut record = self.record();
        record.say(|| format!("e{number} closes"));
        let began = record.moment();
        record.closed[number].began = Some(began);
        Some(endpoint)
    }

    pub(crate) fn wires(&self) -> Vec<Wire> {
        lock(&self.wires).clone()
    }

    pub(crate) fn add_consumer(&self, consumer: Arc<dyn Consumer>) {
        lock(&self.consumers).push(consumer);
    }

    /// Returns the consumers of an endpoint.
    pub(crate) fn consumers(&self, endpoint: usize) -> Vec<Arc<dyn Consumer>> {
        let consumers = lock(&self.consumers);
        consumers.iter().filter(|consumer| consumer.endpoint() == endpoint).cloned().collect()
    }

    /// Ends a subscription that was chosen among those of an endpoint.
    pub(crate) fn end_consumer(&self, consumer: &Arc<dyn Consumer>) {
        lock(&self.consumers).retain(|other| !Arc::ptr_eq(other, consumer));
        consumer.end(self);
    }

    /// Takes everything that has come to the streams of an endpoint, and notes until when an origin
    /// had sent what must have come by now.
    pub(crate) fn expect_all(&self, endpoint: usize, origin: usize, until: u64) {
        for consumer in self.consumers(endpoint) {
            consumer.drain(self);
        }
        let mut record = self.record();
        let at = record.moment();
        record.barriers.push(Barrier { endpoint, origin, until, at });
    }

    /// Does nothing for a moment, or not even that.
    pub(crate) async fn pause(&self, random: &mut Rng) {
        let Mood { pauses, pause, .. } = self.mood;
        if random.u8(..) < pauses {
            self.sleep(random, pause).await;
        } else if random.bool() {
            yield_now().await;
        }
    }

    /// Waits for at most `longest`.
    pub(crate) async fn sleep(&self, random: &mut Rng, longest: Duration) {
        let micros = random.u64(0..=longest.as_micros() as u64);
        self.simulation.sleep(Duration::from_micros(micros)).await;
    }

    /// Connects two endpoints if they are not, and there is no attempt that has not ended.
    pub(crate) async fn connect(self: &Arc<Self>, ends: [usize; 2], random: &mut Rng) {
        let [Some(near), Some(far)] = ends.map(|end| self.endpoint(end)) else { return };
        let (weather, is_doomed) = self.mood.weather(random);
        let Some(number) = self.record().connect(ends, is_doomed) else { return };
        let window = self.mood.limits.window.into();
        let (wire, one, other) = Wire::new(&self.simulation, weather, window);
        lock(&self.wires).push(wire);
        let run = self.clone();
        self.simulation.start(async move {
            let attached = far.attach(other).await;
            run.attached(number, 1, attached.is_ok());
        });
        let attached = near.attach(one).await;
        self.attached(number, 0, attached.is_ok());
    }

    fn attached(&self, link: usize, end: usize, is_ok: bool) {
        let mut record = self.record();
        let now = record.moment();
        record.say(|| format!("end {end} of link {link} is attached: {is_ok}"));
        let link = &mut record.links[link];
        match is_ok {
            true => link.attached[end] = Some(now),
            false => link.lost[end] = Some(now),
        }
    }

    /// Watches the connections of an endpoint until it is closed.
    pub(crate) async fn watch(self: Arc<Self>, number: usize) {
        let Some(endpoint) = self.endpoint(number) else { return };
        let handle = endpoint.downgrade();
        drop(endpoint);
        let mut known = BTreeSet::new();
        while let Some(endpoint) = handle.upgrade().filter(|endpoint| !endpoint.is_closed()) {
            let changed = endpoint.connections_changed();
            let peers: BTreeSet<_> = endpoint.connections().iter().map(number_of).collect();
            drop(endpoint);
            for &gone in known.difference(&peers) {
                let lost = self.record().lost(number, gone);
                self.expect_all(number, gone, lost);
            }
            known = peers;
            changed.await;
        }
    }

    /// Lets go of what refers to the run.
    pub(crate) fn take_consumers(&self) -> Vec<Arc<dyn Consumer>> {
        std::mem::take(&mut *lock(&self.consumers))
    }
}
