//! Every interleaving of the parts that threads share, by a model checker.
//!
//! The files are those of the runtime crate, compiled with the checker's types.
#![allow(dead_code, unreachable_pub, reason = "each test needs a part of each file")]

#[path = "../../servicekit-health/src/evaluate/background.rs"]
mod background;
#[path = "../../servicekit-health/src/evaluate/revision.rs"]
mod revision;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

use loom::model;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use background::{BackgroundTasks, TaskKind};
use revision::Revision;
use sync::{Arc, Mutex, Ordering};

/// A report is made from two checks, each behind its lock, while both of them change.
#[test]
fn a_report_that_counts_as_new_has_every_change() {
    model(|| {
        let parts = Arc::new([Mutex::new(0), Mutex::new(0)]);
        let revision = Arc::new(Revision::new());
        let changes: Vec<_> = (0..2)
            .map(|index| {
                let (parts, revision) = (Arc::clone(&parts), Arc::clone(&revision));
                thread::spawn(move || {
                    *parts[index].lock().unwrap() = 1;
                    revision.changed();
                })
            })
            .collect();
        let read = || [0, 1].map(|index: usize| *parts[index].lock().unwrap());
        let made = (revision.now(), read());
        for change in changes {
            change.join().unwrap();
        }
        if made.0 == revision.now() {
            assert_eq!(made.1, read());
        }
    });
}

/// Somebody begins to listen while the task that serves listeners finds that there are none.
#[test]
fn a_listener_and_the_task_that_serves_it_do_not_miss_each_other() {
    model(|| {
        let tasks = BackgroundTasks::new();
        let listens = Arc::new(AtomicBool::new(false));
        let mut guard = tasks.missing(|| vec![TaskKind::Watch]).remove(0);

        let listener = {
            let (tasks, listens) = (tasks.clone(), Arc::clone(&listens));
            thread::spawn(move || {
                listens.store(true, Ordering::Release);
                tasks.reconsider();
                tasks.missing(|| vec![TaskKind::Watch])
            })
        };
        let left = guard.leave_unless(|| listens.load(Ordering::Acquire));
        let old = if left {
            drop(guard);
            None
        } else {
            Some(guard)
        };
        let new = listener.join().unwrap();
        assert_eq!(old.iter().count() + new.len(), 1, "one task, neither none nor two");

        // Nor is it forgotten which of them is there.
        tasks.reconsider();
        assert!(tasks.missing(|| vec![TaskKind::Watch]).is_empty());
    });
}

/// Two readers wake the engine at once.
#[test]
fn every_task_is_started_once() {
    model(|| {
        let tasks = BackgroundTasks::new();
        let wake = |tasks: BackgroundTasks| {
            move || tasks.missing(|| vec![TaskKind::Schedule, TaskKind::Watch])
        };
        let other = thread::spawn(wake(tasks.clone()));
        let own = wake(tasks)();
        assert_eq!(own.len() + other.join().unwrap().len(), 2);
    });
}
