//! Whether anything has changed since, and a way to wait for it.

use crate::sync::{AtomicU64, Ordering};

/// Counts the changes of what any reader could be told.
///
/// Whoever makes something from many parts takes the [`now`](Self::now) first and then reads the
/// parts; whoever changes a part does so first and then says [`changed`](Self::changed). What was
/// made is then out of date whenever it is not of now, though it may be newer than its count.
#[derive(Debug)]
pub(crate) struct Revision(AtomicU64);

impl Revision {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn changed(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
