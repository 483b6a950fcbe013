//! The queue of one subscription. Events are numbered; a gap has to be a loss that was told.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::input::Input;
use crate::credit::Room;
use crate::event::Received;
use crate::inbox::{Charge, Config, Entry, Inbox, Lagged, Overflow, Rest};
use crate::name::EndpointName;

const PATIENCE: Duration = Duration::from_secs(10);

/// Queues, takes, holds, loses and waits in any order.
///
/// # Panics
///
/// Panics if an event is lost without a word, comes twice or out of order, or finds a place where
/// none is left.
pub fn inbox(data: &[u8]) {
    let mut input = Input::new(data);
    let capacity = input.below(4);
    let overflow = input.one_of(&[
        Overflow::Wait,
        Overflow::DropOldest,
        Overflow::DropNewest,
        Overflow::Latest,
    ]);
    let mut queue = Numbered::new(capacity, overflow);
    while !input.is_empty() {
        queue.step(&mut input);
    }
    queue.finish();
}

struct Numbered {
    inbox: Inbox<u64>,
    origin: EndpointName,
    now: Instant,
    is_closed: bool,
    // The number of the next event, and of the next that the consumer has to see.
    next: u64,
    due: u64,
    // Places that are taken for events that were not queued yet.
    reserved: Vec<Charge>,
    // Events that were taken and not consumed.
    held: Vec<Charge>,
    // Places that are taken at all.
    places: usize,
    // Entries that the consumer took and has not looked at.
    batch: VecDeque<Entry<u64>>,
}

impl Numbered {
    fn new(capacity: usize, overflow: Overflow) -> Self {
        let config = Config { origins: Vec::new(), filter: None, capacity, bytes: 24, overflow };
        Self {
            inbox: Inbox::new(config),
            origin: EndpointName::new("e").expect("the name is one"),
            now: Instant::now(),
            is_closed: false,
            next: 0,
            due: 0,
            reserved: Vec::new(),
            held: Vec::new(),
            places: 0,
            batch: VecDeque::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..4 => {
                self.reserve();
                self.push();
            }
            4 => self.reserve(),
            5 => self.push(),
            6..9 => self.take(input),
            9 => self.look(usize::MAX),
            10 => {
                let at = input.below(self.held.len());
                if at < self.held.len() {
                    self.held.swap_remove(at);
                    self.places -= usize::from(self.inbox.is_lossless());
                }
            }
            11 => {
                let count = u64::from(input.byte() % 3);
                self.inbox.lagged(count);
                if !self.is_closed {
                    self.next += count;
                }
            }
            12 => drop(self.inbox.listen(self.now)),
            13 => {
                self.now += PATIENCE / 16 * u32::from(input.byte() / 8);
                let next = self.inbox.sweep(self.now, PATIENCE);
                assert!(next.is_none_or(|next| next > self.now && next <= self.now + PATIENCE));
            }
            14 if input.seldom() => {
                self.inbox.close(Rest::Keep);
                self.is_closed = true;
            }
            _ => {
                if self.reserved.pop().is_some() {
                    self.places -= usize::from(self.inbox.is_lossless());
                }
            }
        }
        assert_eq!(self.inbox.is_closed(), self.is_closed);
        let queued = self.inbox.queued();
        assert!(queued <= self.bound(), "{queued} events are queued, of {}", self.bound());
    }

    /// The most events that may be queued.
    fn bound(&self) -> usize {
        match self.inbox.config.overflow {
            Overflow::Latest => 1,
            _ => self.inbox.config.capacity.max(1),
        }
    }

    fn reserve(&mut self) {
        let has_place = self.places < self.inbox.config.capacity.max(1);
        // What is missed while another event has its place already has no position among the two.
        if self.is_closed || (!has_place && !self.reserved.is_empty()) {
            return;
        }
        match self.inbox.reserve() {
            Ok(charge) => {
                assert!(has_place || !self.inbox.is_lossless(), "there was no place left");
                self.places += usize::from(self.inbox.is_lossless());
                self.reserved.push(charge);
            }
            Err(Room::Stalled) => {
                assert!(!has_place, "an event was missed though there was a place");
                self.inbox.miss();
                self.next += 1;
            }
            Err(_) => assert!(!has_place, "there was a place left"),
        }
    }

    fn push(&mut self) {
        let Some(charge) = self.reserved.pop() else { return };
        let origin = self.origin.clone();
        self.inbox.push(Received::new(self.next, origin, None), charge);
        match self.is_closed {
            // Nobody is told of what comes too late; its place is free again.
            true => self.places -= usize::from(self.inbox.is_lossless()),
            false => self.next += 1,
        }
    }

    /// Takes what is queued and looks at some of it.
    fn take(&mut self, input: &mut Input<'_>) {
        if self.batch.is_empty() {
            let mut context = Context::from_waker(Waker::noop());
            let taken = self.inbox.poll_take(&mut self.batch, &mut context);
            assert_eq!(taken.is_ready(), !self.batch.is_empty() || self.is_closed);
            if !self.inbox.is_lossless() {
                assert!(self.batch.len() <= 1, "what waits can still be dropped");
            }
        }
        let count = input.below(4);
        self.look(count);
    }

    fn look(&mut self, count: usize) {
        for _ in 0..count.min(self.batch.len()) {
            let entry = self.batch.pop_front().expect("there are so many");
            let Entry::Item(item) = entry else { unreachable!("nothing has come from a peer") };
            let item = match self.due % 2 {
                0 => item.consume().map(|event| (*event, None)),
                _ => item.hold().map(|(event, charge)| (*event, Some(charge))),
            };
            match item {
                Ok((number, charge)) => {
                    assert_eq!(number, self.due, "an event is missing or came twice");
                    self.due += 1;
                    match charge {
                        Some(charge) => self.held.push(charge),
                        None => self.places -= usize::from(self.inbox.is_lossless()),
                    }
                }
                Err(Lagged(count)) => {
                    assert!(count > 0);
                    self.due += count;
                }
            }
        }
    }

    /// The consumer gets the rest, and knows of everything.
    fn finish(mut self) {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.look(usize::MAX);
            match self.inbox.poll_take(&mut self.batch, &mut context) {
                Poll::Ready(true) => {}
                Poll::Ready(false) | Poll::Pending => break,
            }
        }
        assert_eq!(self.due, self.next, "the consumer was not told of everything");
        let taken = match self.inbox.is_lossless() {
            true => self.reserved.len() + self.held.len(),
            false => 0,
        };
        assert_eq!(self.places, taken);
    }
}
