//! One run of a check: started, timed, and given up where it cannot be ended.
//!
//! A run and its timer are different tasks, so a check that blocks its thread is still timed out on
//! time by any free worker. Until the user's code has returned, the run's task wakes no task that has
//! something to do: tokio does not let other workers steal the task that was woken last, and a
//! supervisor woken by a run that then blocks would be stuck behind it.
//!
//! All of the user's code runs within the run, and so under its timeout: the check, what makes a
//! text of its error, and what drops that error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, Span, field};

use super::clean::clean;
use super::events::RunOutcome;
use super::runner::CheckRunner;
use super::thread;
use crate::declare::check::Runner;
use crate::declare::descriptor::Outcome;
use crate::model::time::millis;
use crate::model::{CheckResult, error_chain};
use crate::text::panic::panic_text;

/// A run that outlives its timeout by this much is worth a line in the log.
const STUCK: Duration = Duration::from_secs(1);

/// A result on its way into the check's state.
pub(crate) type Settled = (CheckResult, RunOutcome);

/// A result, and the run's own word for when it had it.
type Ended = (Settled, Instant);

/// Held by everything that takes part in a run. The check can run again when the last of them lets
/// go, for whatever reason: also where a runtime was shut down before a task was first polled.
pub(crate) struct RunGuard {
    pub(crate) runner: Arc<CheckRunner>,
    pub(crate) id: u64,
    pub(crate) runtime: Id,
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.runner.release(self.id, self.runtime);
    }
}

/// Whether code of the user's is executing at this moment. A run that only waits can be given up.
#[derive(Debug, Default)]
pub(crate) struct Busy(AtomicBool);

impl Busy {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Release);
    }
}

/// Starts the run and its supervisor on `runtime`. Gives back what ends the latter,
/// and with it the run.
///
/// Not under a lock of the check: a runtime that is shut down drops the guard here.
pub(crate) fn launch(guard: RunGuard, runtime: &Handle, busy: Arc<Busy>) -> AbortHandle {
    let guard = Arc::new(guard);
    let supervisor = match guard.runner.permits().cloned() {
        None => {
            let span = span(&guard.runner);
            let run = begin(&guard, runtime, busy, &span);
            runtime.spawn(supervise(guard, run, Instant::now(), span))
        }
        Some(permits) => {
            let runtime_of_run = runtime.clone();
            runtime.spawn(async move {
                // An error says that the engine is gone.
                let Ok(permit) = permits.acquire_owned().await else { return };
                let now = Instant::now();
                guard.runner.on_permit(guard.id, now);
                let span = span(&guard.runner);
                let run = begin(&guard, &runtime_of_run, busy, &span);
                supervise(guard, run, now, span).await;
                drop(permit);
            })
        }
    };
    supervisor.abort_handle()
}

/// The span of a run, around all of the user's code. Not a child of the request that happened to
/// start the run, which others share.
fn span(runner: &CheckRunner) -> Span {
    tracing::debug_span!(
        target: "servicekit_health",
        parent: None,
        "health_check",
        check = &*runner.info.name,
        outcome = field::Empty,
        duration_ms = field::Empty,
    )
}

fn begin(guard: &Arc<RunGuard>, runtime: &Handle, busy: Arc<Busy>, span: &Span) -> RunHandle {
    let (guard, span) = (Arc::clone(guard), span.clone());
    match guard.runner.how() {
        Runner::Async(check) => {
            let run = async move {
                let runner = &guard.runner;
                if !runner.is_awaited(guard.id) {
                    return (came_too_late(runner), Instant::now());
                }
                let run = Box::pin(async { settle(runner, check().await) });
                let settled = Watched { run, busy: &busy, has_waited: false };
                let settled = settled.await.unwrap_or_else(|panic| panicked(runner, &panic));
                (settled, Instant::now())
            };
            RunHandle::Task(runtime.spawn(run.instrument(span)))
        }
        Runner::Blocking(check) => {
            let runner = Arc::clone(&guard.runner);
            let work = move || {
                if !guard.runner.is_awaited(guard.id) {
                    return (came_too_late(&guard.runner), Instant::now());
                }
                let _entered = span.entered();
                busy.set(true);
                let settled = settle(&guard.runner, check());
                (settled, Instant::now())
            };
            match thread::start(&runner.info.name, work) {
                Ok(ended) => RunHandle::Thread(ended),
                Err(error) => {
                    let message = format!("cannot start a thread for the check: {error}");
                    let failed = (runner.settings.failure(message), RunOutcome::Error);
                    RunHandle::Failed(Some((failed, Instant::now())))
                }
            }
        }
    }
}

/// From what the check returned to what readers may see.
fn settle(runner: &CheckRunner, outcome: Outcome) -> Settled {
    let (result, outcome) = match outcome {
        Ok(result) => {
            let outcome = RunOutcome::State(result.state);
            (result, outcome)
        }
        Err(error) => {
            let message = error_chain(&*error);
            drop(error);
            (runner.settings.failure(message), RunOutcome::Error)
        }
    };
    (clean(runner.cleaner(), result), outcome)
}

/// Of a run that a reader has timed out before its runtime began it: to begin it now would be a run
/// whose time the cache does not count. Nobody sees this result.
fn came_too_late(runner: &CheckRunner) -> Settled {
    (runner.settings.failure("timed out before it began"), RunOutcome::Timeout)
}

fn panicked(runner: &CheckRunner, panic: &str) -> Settled {
    (clean(runner.cleaner(), runner.settings.failure(panic)), RunOutcome::Panic)
}

/// The run as its supervisor sees it.
enum RunHandle {
    Task(JoinHandle<Ended>),
    Thread(oneshot::Receiver<thread::Returned<Ended>>),
    Failed(Option<Ended>),
}

impl RunHandle {
    /// `None` where the run ended without a result: it was cancelled, or its runtime is going away.
    async fn ended(&mut self, runner: &CheckRunner) -> Option<Ended> {
        match self {
            Self::Task(task) => match task.await {
                Ok(ended) => Some(ended),
                // What panics outside of the check itself is a rule of `scrub_with`.
                Err(error) => error.is_panic().then(|| {
                    let message = "a panic while its message was scrubbed";
                    ((runner.settings.failure(message), RunOutcome::Panic), Instant::now())
                }),
            },
            Self::Thread(ended) => match thread::returned(ended).await? {
                Ok(ended) => Some(ended),
                Err(panic) => Some((panicked(runner, &panic), Instant::now())),
            },
            Self::Failed(ended) => ended.take(),
        }
    }

    fn abort(&self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

impl Drop for RunHandle {
    /// A supervisor that is gone takes its run with it.
    fn drop(&mut self) {
        self.abort();
    }
}

/// Waits for a run or its timeout, and takes in the result.
async fn supervise(guard: Arc<RunGuard>, mut run: RunHandle, started: Instant, span: Span) {
    let (runner, id) = (&guard.runner, guard.id);
    let end = started + runner.settings.timeout;
    let is_over = |outcome: RunOutcome, ended: Instant| {
        span.record("outcome", outcome.as_str());
        span.record("duration_ms", millis(ended - started));
    };
    match timeout_at(end, run.ended(runner)).await {
        // The timer can be late where every worker was blocked: the run's own clock decides.
        Ok(Some((settled, ended))) if ended <= end => {
            is_over(settled.1, ended);
            runner.record(id, settled);
        }
        Ok(Some((_, ended))) => {
            is_over(RunOutcome::Timeout, ended);
            runner.time_out(id);
        }
        // The guard makes readers ask again.
        Ok(None) => {}
        Err(_) => {
            is_over(RunOutcome::Timeout, Instant::now());
            run.abort();
            runner.time_out(id);
            wait_for_end(runner, run, started).await;
        }
    }
    runner.settled().await;
}

/// Logs a run that could not be cancelled.
async fn wait_for_end(runner: &CheckRunner, mut run: RunHandle, started: Instant) {
    if timeout(STUCK, run.ended(runner)).await.is_ok() {
        return;
    }
    let check = &*runner.info.name;
    let running_ms = started.elapsed().as_millis();
    tracing::warn!(
        target: "servicekit_health",
        check,
        running_ms,
        "health check is stuck: it did not stop after its timeout"
    );
    let _ = run.ended(runner).await;
    let ran_ms = started.elapsed().as_millis();
    tracing::info!(target: "servicekit_health", check, ran_ms, "stuck health check has ended");
}

/// A run that says when it executes, and whose panic is a value.
struct Watched<'a, F> {
    run: Pin<Box<F>>,
    busy: &'a Busy,
    has_waited: bool,
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = Result<F::Output, String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if std::mem::replace(&mut this.has_waited, true) {
            wake_another_worker();
        }
        this.busy.set(true);
        let polled = catch_unwind(AssertUnwindSafe(|| this.run.as_mut().poll(context)));
        this.busy.set(false);
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic).to_owned())),
        }
    }
}

/// Has an idle worker look after timers and connections. The worker that woke this run did so until
/// now, and in tokio nobody takes over from it while the run blocks its thread, unless there is
/// something to do: the supervisor would be late, and so would the whole application. Two tasks,
/// because the newest one cannot be stolen.
fn wake_another_worker() {
    let runtime = Handle::current();
    if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
        runtime.spawn(async {});
        runtime.spawn(async {});
    }
}
