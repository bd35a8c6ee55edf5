//! A task that should never end, and a check that says when it did.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::{JoinError, JoinHandle};

use crate::sync::{Mutex, lock};
use crate::text::panic::panic_text;

/// A task that is meant to live as long as the program: its check fails once it has ended,
/// panicked or been aborted.
///
/// ```standalone_crate
/// use servicekit_health::{TaskEnded, WatchedTask, health_check};
///
/// static CONSUMER: WatchedTask = WatchedTask::new();
///
/// #[health_check(name = "consumer", probe = "liveness")]
/// async fn consumer() -> Result<(), TaskEnded> {
///     CONSUMER.check()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let task = tokio::spawn(async {
///     loop {
///         tokio::task::yield_now().await; // consumes messages
///     }
/// });
/// CONSUMER.watch(task);
/// # let health = servicekit_health::builder().build()?;
/// # assert_eq!(health.report().await.status, servicekit_health::HealthState::Healthy);
/// # Ok(()) }
/// ```
///
/// Watching takes the handle; to abort the task later, keep its
/// [`abort_handle`](JoinHandle::abort_handle). Nothing is spawned to watch it. That a task hangs
/// cannot be seen from its handle: for that there is a [`Heartbeat`](crate::Heartbeat).
pub struct WatchedTask(Mutex<Watched>);

enum Watched {
    Nothing,
    Running(BoxFuture<'static, Result<(), JoinError>>),
    /// A check has it in hand.
    Polled,
    Ended(TaskEnded),
}

impl WatchedTask {
    /// Watches nothing yet, which fails the check.
    pub const fn new() -> Self {
        Self(Mutex::new(Watched::Nothing))
    }

    /// Watches this task from now on, in place of the one before: after a restart, say.
    pub fn watch<T: Send + 'static>(&self, task: JoinHandle<T>) {
        let task = Watched::Running(task.map(|ended| ended.map(drop)).boxed());
        let before = std::mem::replace(&mut *lock(&self.0), task);
        drop(before);
    }

    /// The check: healthy while the task runs.
    ///
    /// # Errors
    /// Where the task has come to an end, with how; and where there is none yet.
    pub fn check(&self) -> Result<(), TaskEnded> {
        let mut watched = lock(&self.0);
        let mut task = match &mut *watched {
            Watched::Nothing => return Err(TaskEnded("has not been started".to_owned())),
            Watched::Ended(ended) => return Err(ended.clone()),
            // Another check polls it at this moment.
            Watched::Polled => return Ok(()),
            Watched::Running(_) => match std::mem::replace(&mut *watched, Watched::Polled) {
                Watched::Running(task) => task,
                _ => return Ok(()),
            },
        };
        drop(watched);
        // Not under the lock: this drops what the task returned, which may ask how the task is.
        let polled = catch_unwind(AssertUnwindSafe(|| (&mut task).now_or_never()));
        let (ended, panic) = match polled {
            Ok(None) => {
                self.set(Watched::Running(task));
                return Ok(());
            }
            Ok(Some(Ok(()))) => ("has ended".to_owned(), None),
            Ok(Some(Err(error))) => match error.try_into_panic() {
                Ok(panic) => (format!("has panicked: {}", panic_text(&*panic)), Some(panic)),
                Err(_) => ("has been aborted".to_owned(), None),
            },
            Err(panic) => {
                let text = panic_text(&*panic);
                (format!("has ended, and dropping what it returned panicked: {text}"), Some(panic))
            }
        };
        let ended = TaskEnded(ended);
        self.set(Watched::Ended(ended.clone()));
        // Dropping this may panic as well, so not before the end is noted.
        drop(panic);
        Err(ended)
    }

    /// Notes what came of a poll, unless another task is watched by now.
    fn set(&self, polled: Watched) {
        let mut watched = lock(&self.0);
        if matches!(*watched, Watched::Polled) {
            *watched = polled;
        }
    }
}

impl Default for WatchedTask {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static> From<JoinHandle<T>> for WatchedTask {
    fn from(task: JoinHandle<T>) -> Self {
        let watched = Self::new();
        watched.watch(task);
        watched
    }
}

impl fmt::Debug for WatchedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*lock(&self.0) {
            Watched::Nothing => "nothing",
            Watched::Running(_) | Watched::Polled => "running",
            Watched::Ended(_) => "ended",
        };
        f.debug_tuple("WatchedTask").field(&format_args!("{state}")).finish()
    }
}

/// A [`WatchedTask`] that does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnded(String);

impl fmt::Display for TaskEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TaskEnded {}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::yield_now;

    use super::*;

    async fn ended(watched: &WatchedTask) -> String {
        yield_now().await;
        let first = watched.check().unwrap_err();
        assert_eq!(watched.check(), Err(first.clone()), "asking twice changes nothing");
        first.to_string()
    }

    #[tokio::test]
    async fn how_the_task_came_to_its_end_is_the_message() {
        let watched = WatchedTask::new();
        assert_eq!(ended(&watched).await, "has not been started");

        watched.watch(tokio::spawn(async { 5 }));
        assert_eq!(watched.check(), Ok(()), "it has not run yet");
        assert_eq!(ended(&watched).await, "has ended");

        watched.watch(tokio::spawn(async { panic!("offset {} is gone", 7) }));
        assert_eq!(ended(&watched).await, "has panicked: offset 7 is gone");

        let task = tokio::spawn(pending::<()>());
        let abort = task.abort_handle();
        let watched = WatchedTask::from(task);
        yield_now().await;
        assert_eq!(watched.check(), Ok(()));
        abort.abort();
        assert_eq!(ended(&watched).await, "has been aborted");
    }

    /// What a task returned that asks how the task is, when it is dropped.
    struct AsksOnDrop(&'static WatchedTask);

    impl Drop for AsksOnDrop {
        fn drop(&mut self) {
            let _ = self.0.check();
        }
    }

    /// Panics when it is dropped.
    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("cannot be dropped");
        }
    }

    #[tokio::test]
    async fn what_the_task_leaves_behind_may_panic_and_the_task_has_ended_all_the_same() {
        let watched = WatchedTask::from(tokio::spawn(async { PanicsOnDrop }));
        let expected = "has ended, and dropping what it returned panicked: cannot be dropped";
        assert_eq!(ended(&watched).await, expected);

        watched.watch(tokio::spawn(async { std::panic::panic_any(PanicsOnDrop) }));
        yield_now().await;
        assert!(catch_unwind(AssertUnwindSafe(|| watched.check())).is_err(), "that of the payload");
        assert!(ended(&watched).await.starts_with("has panicked"));
    }

    #[tokio::test]
    async fn what_the_task_returned_may_ask_how_the_task_is() {
        static WATCHED: WatchedTask = WatchedTask::new();
        WATCHED.watch(tokio::spawn(async { AsksOnDrop(&WATCHED) }));
        assert_eq!(ended(&WATCHED).await, "has ended");
    }
}
