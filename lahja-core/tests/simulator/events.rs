//! What the endpoints of a run tell each other.

use std::cell::Cell;

use lahja_core::Event;
use serde::{Deserialize, Serialize};

thread_local! {
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

/// Counts the values of a run, which has a thread to itself.
#[derive(Debug)]
pub(crate) struct Alive(());

impl Alive {
    pub(crate) fn count() -> i64 {
        ALIVE.get()
    }

    /// Forgets what a run that failed has left.
    pub(crate) fn reset() {
        ALIVE.set(0);
    }
}

impl Default for Alive {
    fn default() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

/// How many topics there are beside requests.
pub(crate) const TOPICS: usize = 3;

/// An event that is known by a number, by which the rest of it can be checked.
pub(crate) trait Numbered: Event {
    const TOPIC: usize;

    fn new(id: u64, len: usize) -> Self;

    /// Returns the number of an event that is whole.
    fn id(&self) -> u64;
}

fn letter(id: u64) -> char {
    char::from(b'a' + (id % 26) as u8)
}

macro_rules! topics {
    ($($name:ident = $topic:expr),+) => {$(
        #[derive(Debug, Serialize, Deserialize, Event)]
        pub(crate) struct $name {
            id: u64,
            body: String,
            #[serde(skip)]
            _alive: Alive,
        }

        impl Numbered for $name {
            const TOPIC: usize = $topic;

            fn new(id: u64, len: usize) -> Self {
                let body = std::iter::repeat_n(letter(id), len).collect();
                Self { id, body, _alive: Alive::default() }
            }

            fn id(&self) -> u64 {
                let letter = letter(self.id);
                assert!(self.body.bytes().all(|byte| char::from(byte) == letter), "{self:?}");
                self.id
            }
        }
    )+};
}

topics!(First = 0, Second = 1, Third = 2);

/// A request; its answer carries the same number.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(response = Answer)]
pub(crate) struct Question {
    pub(crate) id: u64,
    /// Whether the answerer is to ask the questioner before it answers.
    pub(crate) asks_back: bool,
    pub(crate) body: String,
    #[serde(skip)]
    pub(crate) _alive: Alive,
}

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) struct Answer {
    pub(crate) id: u64,
    /// Which of the answerers has answered.
    pub(crate) endpoint: usize,
    #[serde(skip)]
    pub(crate) _alive: Alive,
}
