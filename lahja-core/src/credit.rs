//! Flow control: what a producer may still send on one topic of one connection.
//!
//! A subscriber grants a window of bytes with its announcement. The producer's [`Outlet`] counts
//! what is outstanding; the subscriber's [`Intake`] counts what arrived and was consumed, and
//! returns it in portions of a quarter window, so that credit costs one small message per quarter
//! window instead of one per event.
//!
//! A producer may send while anything of the window is left: the last event before it waits may
//! exceed the window. Were an event to fit as a whole, one larger than three quarters of the
//! window could wait for credit that is never returned in portions.

mod intake;
mod outlet;

pub(crate) use intake::Intake;
pub(crate) use outlet::{Outlet, Room, Sweep};

/// What every event is charged on top of its payload, for its frame and its place in a queue.
pub(crate) const EVENT_OVERHEAD: u64 = 16;

/// What an event with a payload of `len` bytes is charged.
pub(crate) fn charge(len: usize) -> u64 {
    len as u64 + EVENT_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_exceeds_the_window_does_not_overtake_those_that_have_room() {
        let mut outlet = Outlet::new(100);
        let intake = Intake::new(100);
        assert_eq!(outlet.reserve(20), Room::Yes);
        assert_eq!(outlet.take(60), Room::Yes);
        intake.receive(60).unwrap();
        assert_eq!(outlet.take(60), Room::Full);
        outlet.use_reserved(20);
        assert_eq!(intake.receive(20), Ok(()));
        assert_eq!(outlet.take(60), Room::Yes);
        intake.receive(60).unwrap();
        assert_eq!(outlet.give(140), Ok(0));

        assert_eq!(outlet.reserve(20), Room::Yes);
        assert_eq!(outlet.take(90), Room::Full);
        outlet.unreserve(20);
        assert_eq!(outlet.take(90), Room::Yes);
    }

    /// Whatever is sent and consumed in whatever order: the producer never waits while nothing is left
    /// to consume, and the intake never blames a producer that keeps the rules.
    #[test]
    fn a_producer_that_waits_always_gets_credit_when_all_is_consumed() {
        for window in 1..40_u32 {
            for size in 1..60 {
                let mut outlet = Outlet::new(window);
                let intake = Intake::new(window);
                let mut queued = 0;
                for _ in 0..20 {
                    while outlet.take(size) == Room::Yes {
                        intake.receive(size).unwrap();
                        queued += size;
                    }
                    while queued > 0 {
                        queued -= size;
                        if let Some(bytes) = intake.release(size) {
                            outlet.give(bytes).unwrap();
                        }
                    }
                    assert_eq!(outlet.take(0), Room::Yes, "window {window}, size {size}");
                }
            }
        }
    }
}
