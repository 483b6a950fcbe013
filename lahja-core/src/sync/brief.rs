//! A lock for what takes no longer than to copy a frame.
//!
//! To unlock a mutex of the standard library is an atomic exchange, since somebody may sleep until then.
//! On x86-64 that waits until everything stored before has left the store buffer, and nothing after it
//! begins before: of what a small event takes its producer a tenth. A [`Brief`] is unlocked by a store.
//!
//! The price is that nobody can be woken by it. Who finds it locked looks again: some times at once, since
//! its holder will be done in a moment; then after a nap each time, since the kernel must have taken its
//! holder off the processor. To nap rather than to yield lets the holder go on whatever the priorities
//! of both are, and takes next to no processor time. A spin lock does neither.

#[cfg(not(shuttle))]
use std::{hint, thread, time::Duration};

#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(shuttle))]
use spin::mutex::{SpinMutex as Mutex, SpinMutexGuard as MutexGuard};

/// How often it is tried between two naps: for some microseconds.
#[cfg(not(shuttle))]
const TRIES: usize = 100;

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
        self.0.try_lock().unwrap_or_else(|| self.wait())
    }

    #[cfg(not(shuttle))]
    #[cold]
    fn wait(&self) -> BriefGuard<'_, T> {
        loop {
            for _ in 0..TRIES {
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
                hint::spin_loop();
            }
            thread::sleep(NAP);
        }
    }

    #[cfg(shuttle)]
    pub(crate) fn lock(&self) -> BriefGuard<'_, T> {
        super::lock(&self.0)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_panic_elsewhere_unlocks_it() {
        let lock = Brief::new(1);
        let panicking = || {
            *lock.lock() += 1;
            let _held = lock.lock();
            panic!("while it is held");
        };
        catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
        assert_eq!(*lock.lock(), 2);
    }

    #[test]
    fn who_waits_long_takes_little_processor_time() {
        // What this thread has had of processors.
        let used = || {
            let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
        };
        let held_for = Duration::from_millis(200);
        let lock = Brief::new(());
        let waiting = || {
            let (began, before) = (Instant::now(), used());
            drop(lock.lock());
            (began.elapsed(), used() - before)
        };
        let (waited, used) = thread::scope(|scope| {
            let held = lock.lock();
            let waiter = scope.spawn(waiting);
            thread::sleep(held_for);
            drop(held);
            waiter.join().unwrap()
        });
        assert!(waited > held_for / 2, "waited {waited:?}");
        assert!(used < waited / 4, "used {used:?} in {waited:?}");
    }
}
