//! What the parts that have to stand every interleaving are made of, and the one way to lock. A
//! test compiles those parts a second time, with a model checker's types in this place.

use std::sync::PoisonError;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

/// Locks. Code of the user's never runs under a lock of this crate, so nothing is left half done
/// by a panic, and a poisoned lock holds a whole value.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
