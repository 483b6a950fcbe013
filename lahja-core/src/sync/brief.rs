//! A lock for what is mostly done in moments: a frame is queued, a queue is taken.
//!
//! To unlock a mutex of the standard library is an atomic exchange, which also tells whether somebody
//! sleeps until then. So is to lock it. On x86-64 each waits until everything stored before has left the
//! store buffer, and what is loaded after it waits for that. A [`Brief`] is unlocked by a mere store.
//!
//! The price is that nobody can be woken by it. Who finds it locked looks again a hundred times in a row,
//! since its holder will be done in a moment; then again after a nap, and so on, since its holder is off
//! its processor or has more to do. A nap lets the holder go on whatever the priorities of both are, and
//! who waits long takes a fifth of a processor (16 to 18 % in a virtual machine, where to pause is slow).
//! Under a mere spin lock a holder may never go on, and who waits takes a whole one.
//!
//! It is neither fair nor reentrant. That no guard is held across an await, `clippy.toml` sees to.

#[cfg(not(shuttle))]
use std::{hint, thread, time::Duration};

#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
use spin::mutex::{SpinMutex as Mutex, SpinMutexGuard as MutexGuard};

/// How often it is looked at between two naps: for some to twenty microseconds.
#[cfg(not(shuttle))]
const LOOKS: usize = 100;

/// Linux adds up to as much again, unless told otherwise (`PR_SET_TIMERSLACK`).
#[cfg(not(shuttle))]
const NAP: Duration = Duration::from_micros(50);

/// A lock that is held for moments.
#[derive(Debug, Default)]
pub(crate) struct Brief<T>(Mutex<T>);

pub(crate) type BriefGuard<'a, T> = MutexGuard<'a, T>;

impl<T> Brief<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[cfg(not(shuttle))]
    #[inline]
    pub(crate) fn lock(&self) -> BriefGuard<'_, T> {
        self.0.try_lock().unwrap_or_else(|| self.wait(|| thread::sleep(NAP)))
    }

    #[cfg(not(shuttle))]
    #[cold]
    fn wait(&self, mut nap: impl FnMut()) -> BriefGuard<'_, T> {
        loop {
            for _ in 0..LOOKS {
                // To look takes the cache line from the holder for less long than to try.
                if !self.0.is_locked() {
                    if let Some(guard) = self.0.try_lock() {
                        return guard;
                    }
                }
                hint::spin_loop();
            }
            nap();
        }
    }

    #[cfg(shuttle)]
    pub(crate) fn lock(&self) -> BriefGuard<'_, T> {
        super::lock(&self.0)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn who_waits_naps_until_it_is_unlocked() {
        let lock = Brief::new(1);
        let (mut held, mut naps) = (Some(lock.lock()), 0);
        let guard = lock.wait(|| {
            naps += 1;
            if naps == 3 {
                held = None;
            }
        });
        assert_eq!(*guard, 1);
        drop(guard);
        assert_eq!(naps, 3);
    }

    #[test]
    fn many_threads_have_it_in_turn() {
        const TIMES: u64 = 20_000;
        let count = Brief::new(0);
        let add = || (0..TIMES).for_each(|_| *count.lock() += 1);
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
        assert_eq!(*count.lock(), 4 * TIMES);
    }

    #[test]
    fn a_panic_elsewhere_unlocks_it() {
        let lock = Brief::new(1);
        let panicking = || {
            *lock.lock() += 1;
            let _held = lock.lock();
            panic!("while it is held");
        };
        catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
        assert_eq!(*lock.0.try_lock().expect("nobody has it"), 2);
    }
}
