//! Blocking work off the runtime: on a thread of its own, one at a time for each target.
//!
//! Name resolution, a file system or a disk can block a thread for minutes, and nothing can cancel
//! that. Tokio's blocking pool is no place for it: dropping a runtime waits for that pool. The end of
//! a process does not wait for the threads here, and a target that hangs holds one thread, however
//! often it is checked: later runs join the attempt that is under way.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// What is checked, and how: two runs that would do the same are one.
///
/// Not as text: two paths that are not UTF-8 may be shown alike.
type Target = (&'static str, OsString);

/// The end of an attempt that is under way: a `watch::Receiver<Option<T>>`.
type Attempt = Box<dyn Any + Send>;

/// The attempts under way. Process-wide: a run that was cancelled leaves nothing else behind that
/// could tell the next one of its thread. Empty while no check runs.
static ATTEMPTS: LazyLock<Mutex<HashMap<Target, Attempt>>> = LazyLock::new(Mutex::default);

/// Why an attempt has no outcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoOutcome {
    /// Not within the time; `joined` where an earlier run began the attempt.
    Late { joined: bool },
    /// No thread could be started: the system's reason.
    NoThread(String),
    /// The work panicked.
    Panicked,
}

/// How an attempt that limits itself failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not within its limit. Whoever waits for the attempt gives up at that moment too, and which of
    /// the two comes first is chance: both have one message, or it would change from run to run.
    Late,
    Cause(String),
}

impl NoOutcome {
    /// `{late} within 700ms`, or what else went wrong.
    pub(super) fn message(&self, late: &str, limit: Duration) -> String {
        match self {
            Self::Late { joined: false } => format!("{late} within {limit:?}"),
            Self::Late { joined: true } => {
                format!("{late} within {limit:?}; an earlier attempt is still blocked")
            }
            Self::NoThread(error) => format!("cannot start a thread for the check: {error}"),
            Self::Panicked => "the check panicked".to_owned(),
        }
    }
}

/// Does `work` on a thread, or joins an attempt at the same target, and waits for at most `limit`.
///
/// One `kind` has one type of outcome.
pub(super) async fn run<T: Clone + Send + Sync + 'static>(
    kind: &'static str,
    target: impl Into<OsString>,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoOutcome> {
    let (mut outcome, joined) = join_or_start((kind, target.into()), work)?;
    match timeout(limit, outcome.wait_for(Option::is_some)).await {
        Err(_) => Err(NoOutcome::Late { joined }),
        Ok(Err(_)) => Err(NoOutcome::Panicked),
        Ok(Ok(outcome)) => outcome.clone().ok_or(NoOutcome::Panicked),
    }
}

/// The same for work that limits itself to `limit` and says why it failed.
pub(super) async fn run_limited<T: Clone + Send + Sync + 'static>(
    kind: &'static str,
    target: impl Into<OsString>,
    limit: Duration,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<Result<T, String>, NoOutcome> {
    match run(kind, target, limit, work).await? {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(Failure::Cause(cause)) => Ok(Err(cause)),
        Err(Failure::Late) => Err(NoOutcome::Late { joined: false }),
    }
}

fn join_or_start<T: Clone + Send + Sync + 'static>(
    target: Target,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(watch::Receiver<Option<T>>, bool), NoOutcome> {
    let mut attempts = attempts();
    if let Some(attempt) = attempts.get(&target).and_then(|attempt| attempt.downcast_ref()) {
        return Ok((watch::Receiver::clone(attempt), true));
    }
    let (sender, receiver) = watch::channel(None);
    let ended = Ended(target.clone());
    let thread = thread::Builder::new().name(format!("check-{}", target.0));
    let body = move || {
        let outcome = work();
        // Runs that begin from now on start an attempt of their own; those that wait get this outcome.
        drop(ended);
        sender.send_replace(Some(outcome));
    };
    attempts.insert(target, Box::new(receiver.clone()));
    // A thread that did not start drops the closure, whose guard needs the lock.
    drop(attempts);
    thread.spawn(body).map_err(|error| NoOutcome::NoThread(error.to_string()))?;
    Ok((receiver, false))
}

/// Takes the attempt off the table, also when its work panics or its thread did not start.
struct Ended(Target);

impl Drop for Ended {
    fn drop(&mut self) {
        attempts().remove(&self.0);
    }
}

fn attempts() -> MutexGuard<'static, HashMap<Target, Attempt>> {
    ATTEMPTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(10);

    fn under_way(kind: &'static str) -> bool {
        attempts().keys().any(|target| target.0 == kind)
    }

    #[tokio::test]
    async fn a_blocked_target_holds_one_thread_however_often_it_is_checked() {
        let threads = Arc::new(AtomicUsize::new(0));
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        let attempt = || {
            let (threads, blocked) = (Arc::clone(&threads), Arc::clone(&blocked));
            move || {
                threads.fetch_add(1, Ordering::Relaxed);
                let _ = blocked.lock().unwrap().recv();
                7
            }
        };
        let target = || "a target".to_owned();

        let first = run("blocked", target(), SHORT, attempt()).await;
        assert_eq!(first, Err(NoOutcome::Late { joined: false }));
        for _ in 0..20 {
            let later = run("blocked", target(), SHORT, attempt()).await;
            assert_eq!(later, Err(NoOutcome::Late { joined: true }));
        }
        assert_eq!(threads.load(Ordering::Relaxed), 1);

        let (joined, ()) = tokio::join!(run("blocked", target(), LIMIT, attempt()), async {
            drop(release);
        });
        assert_eq!(joined, Ok(7), "who waits gets the outcome of the attempt under way");
        assert_eq!(run("blocked", target(), LIMIT, attempt()).await, Ok(7));
        assert_eq!(threads.load(Ordering::Relaxed), 2, "an ended attempt is not joined");
        assert!(!under_way("blocked"));
    }

    #[tokio::test]
    async fn work_that_panics_is_no_outcome_and_leaves_nothing_behind() {
        let outcome = run("panics", String::new(), LIMIT, || -> u8 { panic!("as the test wants") });
        assert_eq!(outcome.await, Err(NoOutcome::Panicked));
        assert!(!under_way("panics"));
    }

    #[tokio::test]
    async fn an_attempt_that_ends_late_is_as_late_as_one_that_does_not_end() {
        let late = run_limited("late", String::new(), LIMIT, || Err::<(), _>(Failure::Late));
        assert_eq!(late.await, Err(NoOutcome::Late { joined: false }));
        let cause = || Err::<(), _>(Failure::Cause("refused".to_owned()));
        let failed = run_limited("late", String::new(), LIMIT, cause).await;
        assert_eq!(failed, Ok(Err("refused".to_owned())));
    }

    #[tokio::test]
    async fn targets_do_not_wait_for_each_other() {
        let (release, blocked) = mpsc::channel::<()>();
        let slow = run("apart", "slow".to_owned(), SHORT, move || {
            let _ = blocked.recv();
        });
        assert_eq!(slow.await, Err(NoOutcome::Late { joined: false }));
        assert_eq!(run("apart", "fast".to_owned(), LIMIT, || ()).await, Ok(()));
        drop(release);
    }
}
