//! A connection that stays open between two runs of a check.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The connection is taken out for a run and put back after it, so a run that is cancelled drops it.
#[derive(Debug)]
pub(crate) struct Kept<C> {
    connection: Mutex<Option<Opened<C>>>,
    reconnect_every: Duration,
}

/// A connection and the time at which it was opened.
#[derive(Debug)]
pub(crate) struct Opened<C> {
    pub(crate) connection: C,
    since: Instant,
}

impl<C> Opened<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, since: Instant::now() }
    }
}

impl<C> Kept<C> {
    pub(crate) const fn new() -> Self {
        Self { connection: Mutex::new(None), reconnect_every: Duration::from_secs(30) }
    }

    pub(crate) const fn reconnect_every(mut self, age: Duration) -> Self {
        self.reconnect_every = age;
        self
    }

    /// The connection of the run before.
    pub(crate) fn take(&self) -> Option<Opened<C>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a new connection has to be tried. The old one stays open meanwhile: where the server
    /// has no other left, closing it would make room for the new one and hide that.
    pub(crate) fn is_due(&self, opened: &Opened<C>) -> bool {
        opened.since.elapsed() >= self.reconnect_every
    }

    pub(crate) fn put(&self, opened: Opened<C>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
    }
}
