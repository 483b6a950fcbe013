//! Who gets the events of one type, which each thread keeps from one broadcast to the next.
//!
//! To look it up takes the lock of the endpoint's tables and a reference count, which together cost
//! as much as encoding a small event. So a thread keeps the audiences of the types that it has
//! broadcast last, and looks again when the tables have changed since. When it keeps what it finds
//! then at a place that is free, it lets all audiences go that tables have changed since. What a thread
//! keeps of an endpoint that is gone is names, tables and emptied buffers: no descriptor, and nothing
//! of a user's.

use std::any::TypeId;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::Shared;
use super::registry::TypeIdHasher;
use crate::connection::{Common, Connection};
use crate::error::PayloadError;
use crate::event::Event;
use crate::routing::{Reach, Target, Targets};
use crate::schema;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::topic::{AnyTopic, Topic};

/// How many audiences a thread keeps: one at each place.
const MAX_KEPT: usize = u8::MAX as usize + 1;

/// Everybody who wants events of one type.
pub(crate) struct Audience {
    pub(crate) targets: Targets<Arc<Connection>>,
    /// What all targets get alike.
    pub(crate) common: Common,
    /// The longest frame that all targets take.
    pub(super) max_frame: Option<usize>,
    /// Why the type cannot be encoded, if it cannot.
    pub(crate) refusal: Option<PayloadError>,
    pub(super) topic: Option<Arc<dyn AnyTopic>>,
    pub(super) event: TypeId,
    /// The endpoint whose audience it is, by its nonce.
    pub(super) endpoint: u128,
    /// How often the endpoint's tables had changed when it was put together.
    pub(super) version: u64,
    /// How often they have by now.
    pub(super) newest: Arc<AtomicU64>,
}

impl Audience {
    /// Returns the longest frame that everybody within `reach` takes. `None` if there is nobody.
    #[inline]
    pub(crate) fn max_frame(&self, reach: &Reach<'_>) -> Option<usize> {
        if reach.is_everybody() {
            return self.max_frame;
        }
        let reached = self.targets.alike.iter().filter(|target| reach.admits_peer(&target.peer));
        reached.map(|target| target.peer.max_frame).min()
    }

    /// Returns the only one who wants events of the type, if there is one.
    #[inline]
    pub(crate) fn only(&self) -> Option<&Target<Arc<Connection>>> {
        match (&self.targets.alike[..], &self.targets.mismatched[..], &self.topic) {
            ([target], [], None) => Some(target),
            _ => None,
        }
    }

    /// Returns this endpoint's own subscriptions for the type that the audience is of.
    pub(crate) fn topic<E: Event>(&self) -> Option<&Topic<E>> {
        self.topic.as_deref().map(Topic::of)
    }

    fn is_current(&self) -> bool {
        self.version == self.newest.load(Ordering::Acquire)
    }
}

thread_local! {
    // Each at one of the places of its type.
    static KEPT: [Cell<Option<Arc<Audience>>>; MAX_KEPT] =
        const { [const { Cell::new(None) }; MAX_KEPT] };
}

/// An audience that the thread keeps when this is dropped.
pub(crate) struct Kept {
    // None: it has been dropped.
    audience: Option<Arc<Audience>>,
    place: u8,
}

impl Shared {
    /// Returns everybody who wants events of a type: peers, and this endpoint's own topic.
    #[inline]
    pub(crate) fn audience<E: Event>(&self) -> Kept {
        let event = TypeId::of::<E>();
        for place in places(event) {
            let kept = Kept { audience: take(place), place };
            let is_it = |audience: &Arc<Audience>| {
                audience.event == event
                    && audience.endpoint == self.nonce
                    && audience.version == self.version.load(Ordering::Acquire)
            };
            if kept.audience.as_ref().is_some_and(is_it) {
                return kept;
            }
        }
        self.look_up::<E>()
    }

    #[cold]
    fn look_up<E: Event>(&self) -> Kept {
        let fingerprint = schema::fingerprint::<E>();
        let audience = self.registry().audience::<E>(self.nonce, fingerprint);
        let places = places(audience.event);
        let place = places.into_iter().find(|&place| !is_occupied(place));
        if place.is_some() {
            (0..=u8::MAX).filter(|&place| !is_occupied(place)).for_each(|place| drop(take(place)));
        }
        Kept { audience: Some(audience), place: place.unwrap_or(places[0]) }
    }
}

impl Deref for Kept {
    type Target = Audience;

    #[inline]
    fn deref(&self) -> &Audience {
        self.audience.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        if let Some(audience) = self.audience.take() {
            // A thread that ends keeps nothing.
            let _ = KEPT.try_with(|kept| kept[usize::from(self.place)].set(Some(audience)));
        }
    }
}

/// Takes out what is kept at a place.
#[inline]
fn take(place: u8) -> Option<Arc<Audience>> {
    KEPT.try_with(|kept| kept[usize::from(place)].take()).ok().flatten()
}

/// Tells whether an audience is kept at a place that is still right.
fn is_occupied(place: u8) -> bool {
    let kept = Kept { audience: take(place), place };
    kept.audience.as_ref().is_some_and(|audience| audience.is_current())
}

/// Returns where a thread may keep the audience of a type.
#[inline]
fn places(event: TypeId) -> [u8; 4] {
    let mut hasher = TypeIdHasher::default();
    event.hash(&mut hasher);
    let place = hasher.finish() as u8;
    [place, place ^ 1, place ^ 2, place ^ 3]
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::pending;
    use std::sync::Weak;
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{BoxFuture, EndpointName, Event, Limits, Runtime};

    #[derive(Serialize, Deserialize, Event)]
    struct First;

    #[derive(Serialize, Deserialize, Event)]
    struct Second;

    /// Runs nothing.
    struct Still;

    impl Runtime for Still {
        fn spawn(&self, _: BoxFuture) {}

        fn sleep(&self, _: Duration) -> BoxFuture {
            Box::pin(pending())
        }
    }

    fn shared(name: &str) -> Arc<Shared> {
        let name = EndpointName::new(name).unwrap();
        Shared::start(name, Vec::new(), Limits::default(), Arc::new(Still))
    }

    fn audience<E: Event>(shared: &Shared) -> Weak<Audience> {
        Arc::downgrade(shared.audience::<E>().audience.as_ref().unwrap())
    }

    #[test]
    fn what_tables_have_changed_since_goes_with_the_next_that_is_kept() {
        let (one, other) = (shared("one"), shared("other"));
        let firsts = [audience::<First>(&one), audience::<First>(&other)];
        one.registry().changes();
        assert!(firsts.iter().all(|first| first.strong_count() > 0));
        audience::<Second>(&other);
        assert_eq!(firsts[0].strong_count(), 0);
        assert!(firsts[1].strong_count() > 0);
    }

    #[test]
    fn four_endpoints_of_a_thread_do_not_displace_each_other() {
        let shared = ["a", "b", "c", "d"].map(shared);
        for _ in 0..2 {
            for shared in &shared {
                audience::<First>(shared);
            }
        }
        let kept = places(TypeId::of::<First>()).map(take);
        assert!(kept.iter().all(|kept| kept.as_ref().is_some_and(|kept| kept.is_current())));
    }
}
