//! What holds of a session at any time.

use super::{Announced, Session, Slot};
use crate::credit::Outlet;
use crate::message::Message;

impl Session {
    /// Panics if a table or a counter is out of bounds. `reserved` bytes may have been queued though
    /// the backlog was full, as room for them had been taken before.
    pub(crate) fn check(&self, reserved: usize) {
        let limits = &self.limits;
        let live = self.outlets.iter().flatten().count();
        assert_eq!(live, self.live_outlets as usize);
        assert!(self.outlets.len() <= limits.peer_topics as usize);
        for (epoch, outlet) in self.outlets.iter().flatten() {
            assert!((1..=self.peer_epoch).contains(epoch));
            outlet.check(limits.frame);
        }
        assert!(self.announced.len() <= limits.topics as usize);
        for (_, announced) in &self.announced {
            let (Announced::Live(newest) | Announced::Withdrawn(_, newest)) = *announced;
            assert!(newest <= self.epoch);
        }
        assert!(self.acknowledged_to_peer <= self.peer_epoch);
        assert!(self.acknowledged_by_peer <= self.epoch);
        assert!(self.asked.len() <= limits.requests as usize);
        assert!(self.asking.len() <= limits.peer_requests as usize);
        let is_users = |content: &&[u8]| {
            let message = Message::decode(content);

            matches!(
                message,
                Ok(Message::Event { .. } | Message::Response { .. } | Message::Part { .. })
            )
        };
        let users = self.out.unwritten().filter(is_users);
        let users: usize = users.map(<[u8]>::len).sum();
        let bound = limits.backlog + limits.frame + reserved;
        assert!(users <= bound, "{users} bytes of events and responses, of {bound}");
        assert!(self.queued >= self.written + self.out.len() as u64);
        self.gathering.check(limits.topics as usize);
    }

    /// Returns what was sent or reserved on a topic and was not given back.
    pub(crate) fn outstanding(&self, slot: Slot) -> Option<u64> {
        self.outlet_of(slot).map(Outlet::outstanding)
    }

    /// Tells whether events of a topic may be counted as missed.
    pub(crate) fn is_missing(&self, slot: Slot) -> bool {
        self.outlet_of(slot).is_some_and(Outlet::is_stalled)
    }

    /// Returns the window that the peer granted for a topic.
    pub(crate) fn window(&self, slot: Slot) -> Option<u64> {
        self.outlet_of(slot).map(Outlet::window)
    }

    /// Returns how much memory is held for what has come in part.
    #[cfg(test)]
    pub(crate) fn gathered(&self) -> usize {
        self.gathering.capacity()
    }

    /// Returns the epoch of the peer's last announcement.
    pub(crate) fn peer_epoch(&self) -> u64 {
        self.peer_epoch
    }

    /// Returns how many topics the peer takes.
    pub(crate) fn max_topics(&self) -> usize {
        self.limits.topics as usize
    }

    /// Returns how many requests of ours and of the peer's have not ended.
    pub(crate) fn open_requests(&self) -> (usize, usize) {
        (self.asked.len(), self.asking.len())
    }

    /// Returns the length of the longest frame that the peer takes.
    pub(crate) fn max_frame(&self) -> usize {
        self.limits.frame
    }

    /// Returns how many requests may be in flight to the peer.
    pub(crate) fn max_requests(&self) -> usize {
        self.limits.requests as usize
    }

    fn outlet_of(&self, slot: Slot) -> Option<&Outlet> {
        let (epoch, outlet) = self.outlets.get(slot.number as usize)?.as_ref()?;
        (*epoch == slot.epoch).then_some(outlet)
    }
}
