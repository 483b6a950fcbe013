//! Locks that a panic elsewhere does not poison, and atomics: those of the standard library, and
//! [`Brief`] for what is held for moments; or with `--cfg shuttle` those of a crate that tries one
//! interleaving after the other (see `models.rs`).

mod brief;

use std::sync::PoisonError;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

pub(crate) use brief::{Brief, BriefGuard};

/// Locks a mutex. No user code runs under the locks of this crate, and what they guard is right
/// between any two statements, so a panic leaves nothing half done.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_panic_elsewhere_poisons_no_lock() {
        let mutex = Mutex::new(1);
        let panicking = || {
            *lock(&mutex) += 1;
            let _held = lock(&mutex);
            panic!("while it is held");
        };
        catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
        assert!(mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 2);
    }
}
