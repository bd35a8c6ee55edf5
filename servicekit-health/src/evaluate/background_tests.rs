//! The background tasks, a step at a time.

use super::background::{BackgroundTasks, TaskGuard, TaskKind};

fn watch() -> Vec<TaskKind> {
    vec![TaskKind::Watch]
}

fn both() -> Vec<TaskKind> {
    vec![TaskKind::Schedule, TaskKind::Watch]
}

#[test]
fn every_task_is_started_once_until_it_has_ended() {
    let tasks = BackgroundTasks::new();
    let mut guards = tasks.missing(both);
    assert_eq!(guards.iter().map(TaskGuard::kind).collect::<Vec<_>>(), both());
    assert!(tasks.missing(|| unreachable!("nothing has changed")).is_empty());
    tasks.reconsider();
    assert!(tasks.missing(both).is_empty());
    drop(guards.remove(1));
    let again = tasks.missing(both);
    assert_eq!(again.iter().map(TaskGuard::kind).collect::<Vec<_>>(), [TaskKind::Watch]);
}

#[test]
fn a_task_that_is_needed_stays() {
    let tasks = BackgroundTasks::new();
    let mut guard = tasks.missing(watch).remove(0);
    assert!(!guard.leave_unless(|| true));
    tasks.reconsider();
    assert!(tasks.missing(watch).is_empty());
}

#[test]
fn a_successor_is_not_taken_for_the_one_that_left() {
    let tasks = BackgroundTasks::new();
    let mut guard = tasks.missing(watch).remove(0);
    assert!(guard.leave_unless(|| false));
    // A listener comes before the old task is quite gone.
    tasks.reconsider();
    let successor = tasks.missing(watch);
    assert_eq!(successor.len(), 1);
    drop(guard);
    tasks.reconsider();
    assert!(tasks.missing(watch).is_empty(), "the successor is still there");
}
