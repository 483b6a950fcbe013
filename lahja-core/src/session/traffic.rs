//! Counts of what went over a connection.

use crate::message::{Message, Place};

/// What went over one connection in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Frames of every kind.
    pub frames: u64,
    /// Events, requests among them.
    pub events: u64,
    /// Responses to requests.
    pub responses: u64,
    /// Bytes, with those in front of each frame.
    pub bytes: u64,
    /// Events that the sender left out, since the receiver was stalled or defines them otherwise.
    pub missed: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, message: &Message<'_>) {
        self.frames += 1;
        match message {
            Message::Event { .. } | Message::Part { place: Place::Last, .. } => self.events += 1,
            Message::Response { .. } => self.responses += 1,
            _ => {}
        }
    }

    pub(crate) fn add(&mut self, more: Self) {
        let Self { frames, events, responses, bytes, missed } = self;
        *frames += more.frames;
        *events += more.events;
        *responses += more.responses;
        *bytes += more.bytes;
        *missed = missed.saturating_add(more.missed);
    }
}

/// What went over the connection to one peer, or over several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerTraffic {
    /// What was queued to be sent to the peer.
    pub sent: Traffic,
    /// What was received from it.
    pub received: Traffic,
}

impl PeerTraffic {
    pub(crate) fn add(&mut self, more: Self) {
        self.sent.add(more.sent);
        self.received.add(more.received);
    }
}
