//! Which tasks work in the background beside the readers, so that each is there once and is started
//! again where it ended with its runtime.

use std::collections::BTreeSet;

use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

/// What a background task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskKind {
    /// Runs the checks that have an interval.
    Schedule,
    /// Evaluates all checks while there are listeners.
    Watch,
}

#[derive(Clone, Debug)]
pub(crate) struct BackgroundTasks(Arc<Tasks>);

#[derive(Debug)]
struct Tasks {
    /// Nothing is missing, as far as is known: what most readers find, without a lock.
    complete: AtomicBool,
    present: Mutex<BTreeSet<TaskKind>>,
}

impl BackgroundTasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Tasks { complete: AtomicBool::new(false), present: Mutex::default() }))
    }

    /// Enters the tasks that are wanted and not there. Whoever gets a guard has to start its task.
    ///
    /// `wanted` is only asked when something has changed.
    pub(crate) fn missing(&self, wanted: impl FnOnce() -> Vec<TaskKind>) -> Vec<TaskGuard> {
        if self.0.complete.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut present = lock(&self.0.present);
        // Before asking: what changes from here on makes it incomplete again.
        self.0.complete.store(true, Ordering::Release);
        let mut kinds = wanted();
        kinds.retain(|kind| present.insert(*kind));
        let guard = |kind| TaskGuard { kind, tasks: self.clone(), is_present: true };
        kinds.into_iter().map(guard).collect()
    }

    /// More may be wanted from now on.
    pub(crate) fn reconsider(&self) {
        let _present = lock(&self.0.present);
        self.0.complete.store(false, Ordering::Release);
    }
}

/// Held by a background task as long as it goes on. When it is dropped, for whatever reason, the
/// next reader starts the task again.
#[derive(Debug)]
pub(crate) struct TaskGuard {
    kind: TaskKind,
    tasks: BackgroundTasks,
    is_present: bool,
}

impl TaskGuard {
    pub(crate) fn kind(&self) -> TaskKind {
        self.kind
    }

    /// Leaves unless `is_needed`. Who needs the task from now on finds it missing, and who needed it
    /// before is seen here: the two cannot miss each other.
    pub(crate) fn leave_unless(&mut self, is_needed: impl FnOnce() -> bool) -> bool {
        let mut present = lock(&self.tasks.0.present);
        if is_needed() {
            return false;
        }
        present.remove(&self.kind);
        self.is_present = false;
        true
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if self.is_present {
            let mut present = lock(&self.tasks.0.present);
            present.remove(&self.kind);
            self.tasks.0.complete.store(false, Ordering::Release);
        }
    }
}
