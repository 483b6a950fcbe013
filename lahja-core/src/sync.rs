//! Locks that a panic elsewhere does not poison, and atomics: those of the standard library, or with
//! `--cfg shuttle` those of a crate that tries one interleaving after the other (see `models.rs`).

use std::sync::PoisonError;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// Locks a mutex. No user code runs under the locks of this crate, and what they guard is right
/// between any two statements, so a panic leaves nothing half done.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
