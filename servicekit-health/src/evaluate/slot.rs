//! One check at work: its state, its only live run, and the readers that wait for it.
//!
//! A run and its timer are different tasks, so a check that blocks its thread is still timed out on
//! time by any free worker. The run's task wakes nobody before the user's code has returned: tokio
//! does not let other workers steal the task that was woken last, and a supervisor woken by a run
//! that then blocks would be stuck behind it.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::generation::Generation;
use super::model::{CheckReport, CheckResult, HealthState, Transition};
use super::scrub::scrub_result;
use super::standing::Roster;
use super::state::{CheckState, Demand, Mode, Moment, Policy};
use super::transitions::Transitions;
use crate::declare::check::{Check, Runner};
use crate::declare::descriptor::Outcome;
use crate::declare::result::error_chain;
use crate::declare::settings::Probes;

/// A run that outlives its timeout by this much is worth a line in the log.
const STUCK: Duration = Duration::from_secs(1);

pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) probes: Probes,
    description: Option<String>,
    policy: Policy,
    runner: Runner,
    state: Mutex<CheckState>,
    /// Changes when a run has a result, and when it gives up the slot.
    news: watch::Sender<()>,
    tasks: Mutex<Tasks>,
    board: Arc<Board>,
    runs: AtomicU64,
    #[cfg(feature = "test-util")]
    forced: Mutex<Option<CheckResult>>,
}

/// What the slots of one engine share.
pub(crate) struct Board {
    pub(crate) generation: Generation,
    pub(crate) transitions: Transitions,
    pub(crate) roster: Roster,
}

#[derive(Default)]
struct Tasks {
    run: Option<AbortHandle>,
    supervisor: Option<AbortHandle>,
}

/// A reader's place in front of a slot.
pub(crate) struct Wait {
    news: watch::Receiver<()>,
    done: bool,
}

impl Wait {
    /// Ends when there is news of the run that was waited for.
    pub(crate) async fn done(&mut self) {
        // The sender lives in the slot, which the reader's engine keeps.
        let _ = self.news.changed().await;
        self.done = true;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done || self.news.has_changed().unwrap_or(true)
    }
}

impl Slot {
    pub(crate) fn new(check: Check, policy: Policy, board: Arc<Board>) -> Arc<Self> {
        Arc::new(Self {
            name: check.name,
            tags: check.tags,
            probes: check.settings.probes,
            description: check.description,
            policy,
            runner: check.runner,
            state: Mutex::new(CheckState::new(policy)),
            news: watch::Sender::new(()),
            tasks: Mutex::default(),
            board,
            runs: AtomicU64::new(0),
            #[cfg(feature = "test-util")]
            forced: Mutex::default(),
        })
    }

    pub(crate) fn is_background(&self) -> bool {
        matches!(self.policy.mode, Mode::Background { .. })
    }

    /// Makes sure that an answer is there or on its way. `Some` is what to wait for.
    pub(crate) fn demand(self: &Arc<Self>, now: Instant) -> Option<Wait> {
        let mut state = self.state();
        match state.demand(now) {
            Demand::Answer => return None,
            Demand::Join => {}
            Demand::Start => self.launch(&mut state, now),
        }
        // Under the lock, so that no news is missed.
        let news = self.news.subscribe();
        Some(Wait { news, done: false })
    }

    /// The answer for a reader at `now`, and until when it stays the same by itself.
    pub(crate) fn answer(&self, now: Instant, late: bool) -> (CheckReport, Instant) {
        let (answer, valid_until) = {
            let state = self.state();
            (state.answer(now, late), state.valid_until(now))
        };
        let report = CheckReport {
            description: self.description.clone(),
            tags: self.tags.clone(),
            ..answer
        };
        (report, if late { now } else { valid_until })
    }

    /// Ends every task of this check that can be ended.
    pub(crate) fn abort(&self) {
        let tasks = std::mem::take(&mut *self.tasks());
        for task in [tasks.supervisor, tasks.run].into_iter().flatten() {
            task.abort();
        }
    }

    /// Starts a run and its supervisor. The slot must be free.
    fn launch(self: &Arc<Self>, state: &mut CheckState, now: Instant) {
        let run = match self.runner() {
            Runner::Async(check) => tokio::spawn(async move { (check().await, Instant::now()) }),
            Runner::Blocking(check) => {
                tokio::task::spawn_blocking(move || (check(), Instant::now()))
            }
        };
        let id = self.runs.fetch_add(1, Ordering::Relaxed);
        state.on_start(id, now);
        let run_handle = run.abort_handle();
        let supervisor = tokio::spawn(supervise(Arc::clone(self), run, id, now));
        let mut tasks = self.tasks();
        tasks.run = Some(run_handle);
        tasks.supervisor = Some(supervisor.abort_handle());
    }

    #[cfg(not(feature = "test-util"))]
    fn runner(&self) -> Runner {
        self.runner.clone()
    }

    /// Takes in what a run came to. The transition is sent while the run still has the slot, hence
    /// in order, and outside the lock.
    fn record(&self, ended: Ended) {
        #[cfg(feature = "test-util")]
        let ended = self.forced().map_or(ended, Ended::With);
        let ended = match ended {
            Ended::With(result) => Ended::With(scrub_result(result)),
            Ended::Timeout => ended,
        };
        let now = Moment::now();
        let (first, state, message, transition) = {
            let mut check = self.state();
            let first = check.is_unknown();
            let result = match ended {
                Ended::With(result) => result,
                Ended::Timeout => check.on_timeout(),
            };
            let (state, message) = (result.state, result.message.clone());
            (first, state, message, check.on_result(&self.name, result, now))
        };
        self.tell(first, state, message.as_deref(), transition);
    }

    /// One line in the log for a change, and for a check that starts out failing; none otherwise.
    fn tell(
        &self,
        first: bool,
        state: HealthState,
        message: Option<&str>,
        transition: Option<Transition>,
    ) {
        macro_rules! log {
            ($($fields:tt)*) => {
                match state {
                    HealthState::Healthy => tracing::info!($($fields)*),
                    HealthState::Degraded => tracing::warn!($($fields)*),
                    HealthState::Unhealthy => tracing::error!($($fields)*),
                }
            };
        }
        // Not `message`: that is what tracing calls the line's own text.
        let (check, reason) = (&*self.name, message.unwrap_or_default());
        if let Some(transition) = transition {
            let (from, failures) = (transition.from, transition.failures);
            let lasted = transition.lasted;
            self.board.transitions.send(transition);
            log!(check, %from, to = %state, ?lasted, failures, reason, "health check changed");
        } else if first && state != HealthState::Healthy {
            log!(check, %state, reason, "health check starts out failing");
        }
    }

    /// Tells every reader that there is news.
    fn announce(&self) {
        self.board.generation.changed();
        self.news.send_replace(());
    }

    /// A failed run, which takes the check's `on_error`.
    fn failure(&self, message: String) -> CheckResult {
        CheckResult::new(self.policy.on_error).with_message(message)
    }

    /// No user code runs under this lock, so nothing can be half done in it.
    fn state(&self) -> MutexGuard<'_, CheckState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "test-util")]
impl Slot {
    /// Whatever runs, this is its result; `None` lets the function decide again.
    pub(crate) fn force(&self, result: Option<CheckResult>) {
        *self.forced.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn forced(&self) -> Option<CheckResult> {
        self.forced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn runner(&self) -> Runner {
        self.forced().map_or_else(|| self.runner.clone(), Runner::always)
    }

    /// How many runs it can take until a result is reported.
    pub(crate) fn longest_threshold(&self) -> u32 {
        let Policy { failure_threshold, success_threshold, .. } = self.policy;
        failure_threshold.max(success_threshold).get()
    }

    /// Runs the check now, whatever is cached, and after the live run, if there is one.
    pub(crate) async fn run_now(self: &Arc<Self>) {
        loop {
            let (starts, mut wait) = {
                let mut state = self.state();
                let starts = !state.is_running();
                if starts {
                    self.launch(&mut state, Instant::now());
                }
                (starts, Wait { news: self.news.subscribe(), done: false })
            };
            wait.done().await;
            if starts {
                return;
            }
        }
    }
}

/// Gives the slot back however the supervisor ends: also when it is aborted, or its runtime shut
/// down, and another one asks next.
struct Release<'a> {
    slot: &'a Slot,
    run: u64,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.slot.state().on_release(self.run);
        self.slot.announce();
    }
}

/// A run's task: what the check returned, and when.
type Ran = JoinHandle<(Outcome, Instant)>;

/// How a run came to its end, for its readers.
enum Ended {
    With(CheckResult),
    Timeout,
}

/// Waits for a run or its timeout, and takes in what came of it.
async fn supervise(slot: Arc<Slot>, mut run: Ran, id: u64, started: Instant) {
    let release = Release { slot: &slot, run: id };
    let end = started + slot.policy.timeout;
    match timeout_at(end, &mut run).await {
        // The timer can be late where every worker was blocked: the run's own clock decides.
        Ok(Ok((outcome, ended))) if ended <= end => {
            let result = outcome.unwrap_or_else(|error| slot.failure(error_chain(&*error)));
            slot.record(Ended::With(result));
        }
        Ok(Ok(_)) => slot.record(Ended::Timeout),
        Ok(Err(error)) => {
            // Cancelled is no result: the engine or the runtime is going away.
            if let Some(message) = panic_message(error) {
                slot.record(Ended::With(slot.failure(message)));
            }
        }
        Err(_) => {
            run.abort();
            slot.record(Ended::Timeout);
            slot.announce();
            wait_for_end(&slot, run, started).await;
        }
    }
    drop(release);
}

/// A run that could not be cancelled keeps its slot until it ends by itself.
async fn wait_for_end(slot: &Slot, mut run: Ran, started: Instant) {
    if timeout(STUCK, &mut run).await.is_ok() {
        return;
    }
    let check = &*slot.name;
    let running = started.elapsed();
    tracing::warn!(
        check,
        ?running,
        "health check is stuck: it ran into its timeout and cannot be cancelled"
    );
    let _ = run.await;
    let ran = started.elapsed();
    tracing::info!(check, ?ran, "stuck health check has ended");
}

/// Starts a background check's run every interval, where none is live, as long as the engine lives.
pub(crate) async fn run_every(slot: Arc<Slot>) {
    let Mode::Background { interval } = slot.policy.mode else {
        return;
    };
    let mut next = Instant::now();
    loop {
        {
            let mut state = slot.state();
            if !state.is_running() {
                slot.launch(&mut state, Instant::now());
            }
        }
        next = (next + jittered(interval)).max(Instant::now());
        sleep_until(next).await;
    }
}

/// `interval`, 10 % shorter to 10 % longer, so that the replicas of a service do not ask the same
/// database in step.
fn jittered(interval: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};

    // The seeds of `RandomState` differ from one to the next: all the randomness this needs.
    let random = RandomState::new().hash_one(()) >> 32;
    let share = f64::from(u32::try_from(random).unwrap_or_default()) / f64::from(u32::MAX);
    interval.mul_f64(0.9 + 0.2 * share)
}

/// What a task panicked with; `None` if it was cancelled.
pub(crate) fn panic_message(error: JoinError) -> Option<String> {
    let payload = error.try_into_panic().ok()?;
    Some(payload_text(&*payload).unwrap_or("panicked").to_owned())
}

fn payload_text(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
