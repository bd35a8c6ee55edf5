//! Which tasks stand beside the checks, so that each is there once and is started again where it
//! ended with its runtime.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use crate::sync::{Arc, Mutex, MutexGuard};

/// What a standing task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Runs the background check of this index.
    Background(usize),
    /// Calls the callbacks.
    Callbacks,
    /// Evaluates the on-demand checks while somebody listens.
    Watch,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Roster(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    present: BTreeSet<Role>,
    /// Nothing is missing, as far as is known.
    complete: bool,
}

impl Roster {
    /// Enters the roles that are wanted and not there. Whoever gets a place has to fill it.
    ///
    /// `wanted` is only asked when something has changed.
    pub(crate) fn missing(&self, wanted: impl FnOnce() -> Vec<Role>) -> Vec<Place> {
        let mut entries = self.entries();
        if entries.complete {
            return Vec::new();
        }
        entries.complete = true;
        let mut roles = wanted();
        roles.retain(|role| entries.present.insert(*role));
        let place = |role| Place { role, roster: self.clone(), is_filled: true };
        roles.into_iter().map(place).collect()
    }

    /// More may be wanted from now on.
    pub(crate) fn reconsider(&self) {
        self.entries().complete = false;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standing task's place, held as long as the task goes on. When it is dropped, however that
/// comes, the next reader starts the task again.
#[derive(Debug)]
pub(crate) struct Place {
    role: Role,
    roster: Roster,
    is_filled: bool,
}

impl Place {
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Gives up the place unless `is_needed`. Who needs the task from now on finds the place free,
    /// and who needed it before is seen here: the two cannot miss each other.
    pub(crate) fn leave_unless(&mut self, is_needed: impl FnOnce() -> bool) -> bool {
        let mut entries = self.roster.entries();
        if is_needed() {
            return false;
        }
        entries.present.remove(&self.role);
        self.is_filled = false;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_filled {
            let mut entries = self.roster.entries();
            entries.present.remove(&self.role);
            entries.complete = false;
        }
    }
}
