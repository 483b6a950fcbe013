//! Who gets the events of one type, which each thread keeps from one broadcast to the next.
//!
//! To look it up takes the lock of the endpoint's tables and a reference count, which together cost
//! as much as encoding a small event. Most broadcasts of a thread are of few types, so it keeps the
//! last audiences, and looks again when the tables have changed since. What a thread so keeps of an
//! endpoint that is gone is names, tables and emptied buffers: no descriptor, and nothing of a user's.

use std::any::TypeId;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::Shared;
use super::registry::TypeIdHasher;
use crate::connection::Connection;
use crate::error::PayloadError;
use crate::event::Event;
use crate::routing::{Reach, Target, Targets};
use crate::schema;
use crate::sync::atomic::Ordering;
use crate::topic::{AnyTopic, Topic};

/// How many audiences a thread keeps.
const MAX_KEPT: usize = 4;

/// Everybody who wants events of one type.
pub(crate) struct Audience {
    pub(crate) targets: Targets<Arc<Connection>>,
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
}

thread_local! {
    static KEPT: [Cell<Option<Arc<Audience>>>; MAX_KEPT] =
        const { [const { Cell::new(None) }; MAX_KEPT] };
}

/// An audience that the thread keeps when this is dropped.
pub(crate) struct Kept(Option<Arc<Audience>>);

impl Shared {
    /// Returns everybody who wants events of a type: peers, and this endpoint's own topic.
    pub(crate) fn audience<E: Event>(&self) -> Kept {
        let event = TypeId::of::<E>();
        // A thread that ends keeps nothing.
        let kept = KEPT.try_with(|kept| kept[place(event)].take()).ok().flatten();
        let is_it = |audience: &Arc<Audience>| {
            audience.event == event
                && audience.endpoint == self.nonce
                && audience.version == self.version.load(Ordering::Acquire)
        };
        Kept(kept.filter(is_it).or_else(|| {
            let fingerprint = schema::fingerprint::<E>();
            Some(self.registry().audience::<E>(self.nonce, fingerprint))
        }))
    }
}

impl Deref for Kept {
    type Target = Audience;

    fn deref(&self) -> &Audience {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(audience) = self.0.take() {
            let _ = KEPT.try_with(|kept| kept[place(audience.event)].set(Some(audience)));
        }
    }
}

/// Returns where a thread keeps the audience of a type.
fn place(event: TypeId) -> usize {
    let mut hasher = TypeIdHasher::default();
    event.hash(&mut hasher);
    hasher.finish() as usize % MAX_KEPT
}
