//! Which tasks stand beside the checks, so that each is there once and is started again where it
//! ended with its runtime.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<Entries>);

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
    pub(crate) fn missing(self: &Arc<Self>, wanted: impl FnOnce() -> Vec<Role>) -> Vec<Place> {
        let mut entries = self.entries();
        if entries.complete {
            return Vec::new();
        }
        entries.complete = true;
        let mut roles = wanted();
        roles.retain(|role| entries.present.insert(*role));
        let place = |role| Place { role, roster: Arc::clone(self), is_filled: true };
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
    roster: Arc<Roster>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Vec<Role> {
        vec![Role::Watch]
    }

    #[test]
    fn every_role_is_given_away_once_until_its_place_is_free_again() {
        let roster = Arc::new(Roster::default());
        let wanted = || vec![Role::Background(0), Role::Background(1), Role::Callbacks];
        let mut places = roster.missing(wanted);
        assert_eq!(places.iter().map(Place::role).collect::<Vec<_>>(), wanted());
        assert!(roster.missing(|| unreachable!("nothing has changed")).is_empty());
        roster.reconsider();
        assert!(roster.missing(wanted).is_empty());
        drop(places.remove(1));
        let again = roster.missing(wanted);
        assert_eq!(again.iter().map(Place::role).collect::<Vec<_>>(), [Role::Background(1)]);
    }

    #[test]
    fn a_task_that_is_needed_stays() {
        let roster = Arc::new(Roster::default());
        let mut place = roster.missing(watch).remove(0);
        assert!(!place.leave_unless(|| true));
        roster.reconsider();
        assert!(roster.missing(watch).is_empty());
    }

    #[test]
    fn a_successor_is_not_taken_for_the_one_that_left() {
        let roster = Arc::new(Roster::default());
        let mut place = roster.missing(watch).remove(0);
        assert!(place.leave_unless(|| false));
        // Somebody begins to listen before the old task is quite gone.
        roster.reconsider();
        let successor = roster.missing(watch);
        assert_eq!(successor.len(), 1);
        drop(place);
        roster.reconsider();
        assert!(roster.missing(watch).is_empty(), "the successor is still there");
    }
}
