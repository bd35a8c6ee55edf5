//! Every interleaving of the parts that threads share, by a model checker.
//!
//! The files are those of the runtime crate, compiled with the checker's types.
#![allow(dead_code, unreachable_pub, reason = "each test needs a part of each file")]

#[path = "../../servicekit-health/src/evaluate/generation.rs"]
mod generation;
#[path = "../../servicekit-health/src/evaluate/standing.rs"]
mod standing;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
}

use loom::model;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use generation::Generation;
use standing::{Role, Roster};
use sync::{Arc, Mutex, Ordering};

/// A report is made from two checks, each behind its lock, while both of them change.
#[test]
fn a_report_that_counts_as_new_has_every_change() {
    model(|| {
        let parts = Arc::new([Mutex::new(0), Mutex::new(0)]);
        let generation = Arc::new(Generation::new());
        let changes: Vec<_> = (0..2)
            .map(|index| {
                let (parts, generation) = (Arc::clone(&parts), Arc::clone(&generation));
                thread::spawn(move || {
                    *parts[index].lock().unwrap() = 1;
                    generation.changed();
                })
            })
            .collect();
        let read = || [0, 1].map(|index: usize| *parts[index].lock().unwrap());
        let made = (generation.now(), read());
        for change in changes {
            change.join().unwrap();
        }
        if made.0 == generation.now() {
            assert_eq!(made.1, read());
        }
    });
}

/// Somebody begins to listen while the task that serves listeners finds that there are none.
#[test]
fn a_listener_and_the_task_that_serves_it_do_not_miss_each_other() {
    model(|| {
        let roster = Roster::default();
        let listens = Arc::new(AtomicBool::new(false));
        let mut place = roster.missing(|| vec![Role::Watch]).remove(0);

        let listener = {
            let (roster, listens) = (roster.clone(), Arc::clone(&listens));
            thread::spawn(move || {
                listens.store(true, Ordering::Release);
                roster.reconsider();
                roster.missing(|| vec![Role::Watch])
            })
        };
        let left = place.leave_unless(|| listens.load(Ordering::Acquire));
        let old = if left {
            drop(place);
            None
        } else {
            Some(place)
        };
        let new = listener.join().unwrap();
        assert_eq!(old.iter().count() + new.len(), 1, "one task, neither none nor two");

        // Nor is it forgotten which of them is there.
        roster.reconsider();
        assert!(roster.missing(|| vec![Role::Watch]).is_empty());
    });
}

/// Two readers wake the engine at once.
#[test]
fn every_place_is_given_away_once() {
    model(|| {
        let roster = Roster::default();
        let wake =
            |roster: Roster| move || roster.missing(|| vec![Role::Callbacks, Role::Background(0)]);
        let other = thread::spawn(wake(roster.clone()));
        let own = wake(roster)();
        assert_eq!(own.len() + other.join().unwrap().len(), 2);
    });
}
