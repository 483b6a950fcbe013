//! Telling whoever waits for a connection that something has changed.

use event_listener::{Event, EventListener};

use crate::sync::atomic::{AtomicBool, Ordering};

/// An event of which to tell is cheap while nobody waits.
#[derive(Debug, Default)]
pub(super) struct Progress {
    event: Event,
    // Invariant: set while somebody listens who has not been told, or is being told right now.
    is_awaited: AtomicBool,
}

impl Progress {
    /// Listens. Look again at what you wait for after the call: either you see a change then, or
    /// whoever made it sees you.
    pub(super) fn listen(&self) -> EventListener {
        let listener = self.event.listen();
        self.is_awaited.swap(true, Ordering::AcqRel);
        listener
    }

    /// Tells everybody who listens to look again.
    pub(super) fn notify(&self) {
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            self.event.notify(usize::MAX);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn everybody_who_listens_is_told_of_each_change() {
        let progress = Progress::default();
        progress.notify();
        for _ in 0..2 {
            let listeners = [(); 2].map(|()| progress.listen());
            progress.notify();
            progress.notify();
            for listener in listeners {
                assert!(block_on(poll_once(listener)).is_some());
            }
        }
    }
}

#[cfg(all(test, shuttle))]
mod models {
    use std::sync::Arc;

    use shuttle::{future, thread};

    use super::*;
    use crate::models::check;
    use crate::sync::atomic::AtomicUsize;

    #[test]
    fn whoever_waits_sees_the_last_of_several_changes() {
        check(|| {
            let shared = Arc::new((Progress::default(), AtomicUsize::new(0)));
            let changing = [(); 2].map(|()| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1.fetch_add(1, Ordering::AcqRel);
                    shared.0.notify();
                })
            });
            future::block_on(async {
                loop {
                    let changed = shared.0.listen();
                    if shared.1.load(Ordering::Acquire) == changing.len() {
                        return;
                    }
                    changed.await;
                }
            });
            for thread in changing {
                thread.join().unwrap();
            }
        });
    }
}
