//! Handing an event to the subscriptions of the endpoint itself.

use std::sync::Arc;

use super::{Delivery, take};
use crate::event::{Event, Received};
use crate::inbox::Inbox;
use crate::pending::Asked;
use crate::reply::Reply;
use crate::shared::Shared;
use crate::topic::{Offer, Topic, offer, passes};

/// Returns the subscriptions of this endpoint that want its own events.
pub(super) fn wanting<E: Event>(shared: &Shared, topic: &Topic<E>) -> Vec<Arc<Inbox<E>>> {
    let inboxes = topic.inboxes();
    let wanting = inboxes.iter().filter(|inbox| inbox.config.wants(&shared.name));
    wanting.cloned().collect()
}

/// Hands the event to this endpoint's own subscriptions. Tells whether there are any.
pub(super) fn begin_locally<E: Event>(
    shared: &Arc<Shared>,
    topic: &Topic<E>,
    event: &mut Option<E>,
    request: Option<u64>,
    delivery: &mut Option<Box<Delivery<E>>>,
) -> bool {
    let mut wanting = wanting(shared, topic);
    if wanting.is_empty() {
        return false;
    }
    let event = take(event);
    let reply = request.map(|id| {
        shared.pending().add(id, Asked::Local);
        Reply::to_self::<E>(Arc::downgrade(shared), id)
    });
    wanting.retain(|inbox| passes(inbox, &event));
    let origin = shared.name.clone();
    let rest = match &wanting[..] {
        [] => None,
        [inbox] => {
            let mut event = Some(Received::new(event, origin, reply));
            let taken = offer(inbox, || event.take().expect("an offer is taken once"));
            match taken {
                Offer::Taken => None,
                Offer::Full => event.map(Received::into_shared),
            }
        }
        _ => {
            let event = Received::shared(Arc::new(event), origin, reply);
            wanting.retain(|inbox| matches!(offer(inbox, || event.share()), Offer::Full));
            (!wanting.is_empty()).then_some(event)
        }
    };
    if let Some(event) = rest {
        let delivery = delivery.get_or_insert_with(|| Delivery::boxed(request));
        delivery.event = Some(event);
        delivery.inboxes = wanting;
    }
    true
}
