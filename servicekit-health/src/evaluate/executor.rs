//! Where runs live: on the application's runtime, wherever the readers are.

use std::sync::Arc;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::sync::{Mutex, lock};

pub(crate) struct Executor {
    runtime: Mutex<Home>,
    /// How many runs may be under way; `None` is any number.
    permits: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct Home {
    handle: Option<Handle>,
    /// The application said which runtime is its own.
    is_pinned: bool,
}

impl Executor {
    pub(crate) fn new(max_concurrent: Option<usize>) -> Self {
        let permits = max_concurrent.map(|runs| Arc::new(Semaphore::new(runs)));
        Self { runtime: Mutex::default(), permits }
    }

    /// The runtime of the first reader, until that is gone.
    ///
    /// # Panics
    /// Outside a runtime, where none is known yet.
    pub(crate) fn runtime(&self) -> Handle {
        lock(&self.runtime).handle.get_or_insert_with(Handle::current).clone()
    }

    /// Whether a run could start: there is a runtime that it could live on.
    #[cfg(feature = "prometheus")]
    pub(crate) fn has_runtime(&self) -> bool {
        lock(&self.runtime).handle.is_some() || Handle::try_current().is_ok()
    }

    /// This runtime is the application's, and stays it also while all of its workers are blocked.
    #[cfg(feature = "listener")]
    pub(crate) fn pin(&self, handle: Handle) {
        *lock(&self.runtime) = Home { handle: Some(handle), is_pinned: true };
    }

    /// The runtime was shut down: it dropped a run.
    pub(crate) fn lost(&self, runtime: Id) {
        let mut home = lock(&self.runtime);
        if home.handle.as_ref().is_some_and(|handle| handle.id() == runtime) {
            *home = Home::default();
        }
    }

    /// Moves to the reader's runtime, where this one is another that drives nothing. Gives back
    /// whether it did. One with workers of its own is busy at most, and stays the application's.
    pub(crate) fn leave(&self, runtime: Id) -> bool {
        let mut home = lock(&self.runtime);
        let Ok(current) = Handle::try_current() else { return false };
        let is_busy = home.handle.as_ref().is_some_and(|handle| {
            handle.id() == runtime && handle.runtime_flavor() != RuntimeFlavor::CurrentThread
        });
        if home.is_pinned || is_busy || current.id() == runtime {
            return false;
        }
        home.handle = Some(current);
        true
    }

    pub(crate) fn permits(&self) -> Option<&Arc<Semaphore>> {
        self.permits.as_ref()
    }
}
