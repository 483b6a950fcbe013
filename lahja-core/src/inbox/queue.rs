//! What waits in an inbox, in order.

use std::collections::VecDeque;
use std::task::Waker;

use super::{Charge, Entry, Gate, Item, Lagged};
use crate::event::Received;

/// The queue of one subscription, and whom to wake when something comes.
pub(super) struct Queue<E> {
    pub(super) entries: VecDeque<Entry<E>>,
    /// Set with a part of a batch of several topics, until that is seen.
    pub(super) gate: Option<Gate>,
    /// How many of the entries are events, and how large these are; used only if some may be dropped.
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) waker: Option<Waker>,
    pub(super) closed: bool,
}

impl<E> Queue<E> {
    /// Notes that events were lost after those that are there.
    pub(super) fn lag_last(&mut self, count: u64) {
        match self.entries.back_mut() {
            Some(Entry::Item(Item::Lagged(Lagged(lost)))) => *lost = lost.saturating_add(count),
            _ => self.entries.push_back(Entry::lagged(count)),
        }
    }

    pub(super) fn push(&mut self, event: Received<E>, charge: Charge) {
        self.events += 1;
        self.bytes += charge.bytes();
        self.entries.push_back(Entry::Item(Item::Event(event, charge)));
    }

    pub(super) fn pop(&mut self) -> Option<Entry<E>> {
        let entry = self.entries.pop_front();
        if let Some(Entry::Item(Item::Event(_, charge))) = &entry {
            self.events -= 1;
            self.bytes -= charge.bytes();
        }
        entry
    }

    /// Turns the first event into a gap.
    pub(super) fn drop_first(&mut self) -> Option<Entry<E>> {
        let mut lost = 1;
        let mut dropped = self.pop();
        if let Some(Entry::Item(Item::Lagged(Lagged(before)))) = dropped {
            lost = before.saturating_add(lost);
            dropped = self.pop();
        }
        match self.entries.front_mut() {
            Some(Entry::Item(Item::Lagged(Lagged(after)))) => *after = after.saturating_add(lost),
            _ => self.entries.push_front(Entry::lagged(lost)),
        }
        dropped
    }
}
