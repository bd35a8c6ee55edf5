//! One check at work: its state, its only live run, and the readers that wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::runtime::Id;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::events::{Events, RunEnd, RunOutcome};
use super::executor::Executor;
use super::log::{self, Line, LogPace};
use super::run::{Busy, RunGuard, Settled, launch};
use super::settings::{CheckInfo, ResolvedSettings};
use super::state::{CheckState, Demand, Moment, Recorded};
use crate::declare::check::{Check, Runner};
use crate::model::{CheckReport, Transition};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::text::cleaner::Cleaner;

/// A run that is over its timeout for this long and that no supervisor has ended is timed out by
/// the next reader: its runtime is busy, or gone.
const SUPERVISOR_IS_LATE: Duration = Duration::from_millis(20);

/// A run that only waits, on a runtime other than the reader's, and that is over its timeout for
/// this long is given up: its runtime drives nothing, unless it has workers of its own.
const RUNTIME_IS_IDLE: Duration = Duration::from_secs(1);

/// What readers wait for: closed when each run that holds it has a result, or is over.
pub(crate) type Gate = watch::Sender<()>;

/// What a reader gets of a check.
pub(crate) enum Demanded {
    /// The answer is there, and serves until then unless something happens.
    Known { until: Instant },
    /// The run to wait for.
    Run(u64),
}

pub(crate) struct CheckRunner {
    pub(crate) info: CheckInfo,
    pub(crate) settings: ResolvedSettings,
    /// How it is run.
    how: Mutex<Runner>,
    #[cfg(feature = "test-util")]
    declared: Runner,
    work: Mutex<Work>,
    runs: AtomicU64,
    events: Arc<Events>,
    executor: Arc<Executor>,
    cleaner: Arc<Cleaner>,
}

struct Work {
    state: CheckState,
    live: Option<LiveRun>,
    gates: Vec<Arc<Gate>>,
    log: LogPace,
}

/// The run that is under way.
struct LiveRun {
    id: u64,
    runtime: Option<Id>,
    busy: Arc<Busy>,
    supervisor: Option<AbortHandle>,
}

impl CheckRunner {
    pub(crate) fn new(
        check: Check,
        settings: ResolvedSettings,
        events: Arc<Events>,
        executor: Arc<Executor>,
        cleaner: Arc<Cleaner>,
    ) -> Arc<Self> {
        let info = CheckInfo {
            name: check.name,
            description: check.description,
            tags: check.tags,
            probes: check.settings.probes,
            shared: check.settings.shared,
        };
        let state = CheckState::new(settings);
        let work = Work { state, live: None, gates: Vec::new(), log: LogPace::default() };
        Arc::new(Self {
            info,
            settings,
            #[cfg(feature = "test-util")]
            declared: check.runner.clone(),
            how: Mutex::new(check.runner),
            work: Mutex::new(work),
            runs: AtomicU64::new(0),
            events,
            executor,
            cleaner,
        })
    }

    /// Makes sure that an answer is there or on its way.
    pub(crate) fn demand(self: &Arc<Self>, now: Instant) -> Demanded {
        self.end_overdue(now);
        let mut work = self.work();
        let announcement = self.escalate(&mut work, now);
        let demand = work.state.demand(now);
        if demand == Demand::Start {
            let (id, busy) = self.start(&mut work, now);
            drop(work);
            self.launch(id, busy);
            announcement.tell(&self.events);
            return Demanded::Run(id);
        }
        let awaited = work.state.awaited_run().filter(|_| demand == Demand::Join);
        let known = Demanded::Known { until: work.state.valid_until(now) };
        drop(work);
        announcement.tell(&self.events);
        awaited.map_or(known, Demanded::Run)
    }

    /// Starts a run where none is under way. `Some` is that run.
    pub(crate) fn run_unless_running(self: &Arc<Self>, now: Instant) -> Option<u64> {
        self.end_overdue(now);
        let (id, busy) = {
            let mut work = self.work();
            if work.state.live_run().is_some() {
                return None;
            }
            self.start(&mut work, now)
        };
        self.launch(id, busy);
        Some(id)
    }

    fn start(&self, work: &mut Work, now: Instant) -> (u64, Arc<Busy>) {
        let id = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let busy = Arc::new(Busy::default());
        work.state.on_start(id, now, self.executor.permits().is_some());
        let busy_of_run = Arc::clone(&busy);
        work.live = Some(LiveRun { id, runtime: None, busy: busy_of_run, supervisor: None });
        (id, busy)
    }

    fn launch(self: &Arc<Self>, id: u64, busy: Arc<Busy>) {
        let runtime = self.executor.runtime();
        let guard = RunGuard { runner: Arc::clone(self), id, runtime: runtime.id() };
        let supervisor = launch(guard, &runtime, busy);
        if let Some(live) = self.work().live.as_mut().filter(|live| live.id == id) {
            live.runtime = Some(runtime.id());
            live.supervisor = Some(supervisor);
        }
    }

    /// Does what the supervisor of a run would have done, where it cannot.
    fn end_overdue(&self, now: Instant) {
        let work = self.work();
        let Some(overdue) = work.state.overdue(now).filter(|it| *it >= SUPERVISOR_IS_LATE) else {
            return;
        };
        let Some(live) = &work.live else { return };
        let (id, runtime) = (live.id, live.runtime);
        let gives_up = overdue >= RUNTIME_IS_IDLE && !live.busy.is_set();
        drop(work);
        self.time_out(id);
        if gives_up && runtime.is_some_and(|runtime| self.executor.leave(runtime)) {
            self.give_up(id);
        }
    }

    /// The run `id` is not waited for any more; whatever it still returns is discarded.
    fn give_up(&self, id: u64) {
        let (live, gates) = {
            let mut work = self.work();
            work.state.on_release(id);
            self.events.revision.changed();
            (work.live.take_if(|live| live.id == id), std::mem::take(&mut work.gates))
        };
        if let Some(supervisor) = live.and_then(|live| live.supervisor) {
            supervisor.abort();
        }
        self.events.changed(false);
        drop(gates);
    }

    /// The gate opens no earlier than with the result of the run `id`.
    pub(crate) fn hold(&self, id: u64, gate: &Arc<Gate>) {
        let mut work = self.work();
        if work.state.awaited_run() == Some(id) {
            work.gates.retain(|gate| gate.receiver_count() > 0);
            work.gates.push(Arc::clone(gate));
        }
    }

    /// Whether the run `id` is under way and has no result yet.
    pub(crate) fn is_awaited(&self, id: u64) -> bool {
        self.work().state.awaited_run() == Some(id)
    }

    /// Whether the run `id`, or one after it, brought a result.
    pub(crate) fn has_result_of(&self, id: u64) -> bool {
        self.work().state.has_result_of(id)
    }

    /// The answer for a reader at `now` that waited for the run `awaited`, and until when it stays
    /// the same by itself. The caller may hold a lock, and tells the announcement when it does not.
    pub(crate) fn answer(
        &self,
        now: Instant,
        awaited: Option<u64>,
    ) -> (CheckReport, Instant, Announcement) {
        let mut work = self.work();
        let announcement = self.escalate(&mut work, now);
        let late = awaited.is_some_and(|id| !work.state.has_result_of(id));
        let (answer, until) = (work.state.answer(now, late), work.state.valid_until(now));
        drop(work);
        (self.described(answer), if late { now } else { until }, announcement)
    }

    /// What is known at `now`, for a reader that does not wait.
    pub(crate) fn known(&self, now: Instant) -> CheckReport {
        let work = self.work();
        let late = work.state.awaited_run().is_some() && !work.state.is_fresh(now);
        self.described(work.state.answer(now, late && !work.state.is_unknown()))
    }

    /// The state at `now` for a reader that sees every result as it comes: it has waited for the run
    /// under way from its start, and gives it until `deadline` like every reader.
    #[cfg(any(feature = "grpc", all(unix, feature = "systemd")))]
    pub(crate) fn watched(&self, now: Instant, deadline: Duration) -> crate::model::HealthState {
        let work = self.work();
        let late = work.state.awaited_since().is_some_and(|start| now >= start + deadline);
        work.state.answer(now, late).state
    }

    fn described(&self, answer: CheckReport) -> CheckReport {
        let CheckInfo { description, tags, .. } = &self.info;
        CheckReport { description: description.clone(), tags: tags.clone(), ..answer }
    }

    /// Ends every task of this check that can be ended.
    pub(crate) fn abort(&self) {
        let live = self.work().live.take();
        if let Some(supervisor) = live.and_then(|live| live.supervisor) {
            supervisor.abort();
        }
    }

    pub(crate) fn permits(&self) -> Option<&Arc<Semaphore>> {
        self.executor.permits()
    }

    pub(crate) fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }

    pub(crate) fn how(&self) -> Runner {
        lock(&self.how).clone()
    }

    /// See [`Callbacks::settled`](super::callbacks::Callbacks::settled).
    pub(crate) async fn settled(&self) {
        self.events.callbacks.settled(&self.events.transitions).await;
    }

    /// The run `id` has its permit.
    pub(crate) fn on_permit(&self, id: u64, now: Instant) {
        self.work().state.on_permit(id, now);
    }

    /// Takes in the result of the run `id`, while that still is the live one: so transitions come
    /// in order.
    pub(crate) fn record(&self, id: u64, (result, outcome): Settled) {
        let now = Moment::now();
        let mut work = self.work();
        if let Some(recorded) = work.state.on_result(&self.info.name, id, result, now) {
            work.live = None;
            self.publish(work, recorded, outcome, now);
        }
    }

    /// The run `id` is over its timeout.
    pub(crate) fn time_out(&self, id: u64) {
        let now = Moment::now();
        let mut work = self.work();
        if let Some(recorded) = work.state.on_timeout(&self.info.name, id, now) {
            self.publish(work, recorded, RunOutcome::Timeout, now);
        }
    }

    fn publish(
        &self,
        mut work: MutexGuard<'_, Work>,
        recorded: Recorded,
        outcome: RunOutcome,
        now: Moment,
    ) {
        let Recorded { transition, differs, took } = recorded;
        let announcement = match transition {
            Some(transition) => self.send(&mut work, transition, now.instant),
            None => Announcement { transition: None, line: work.log.due(now.instant) },
        };
        let gates = std::mem::take(&mut work.gates);
        // Under the lock: whoever knows this result does not join readers who came before it.
        self.events.revision.changed();
        drop(work);
        announcement.tell(&self.events);
        self.events.changed(differs);
        self.events.run_ended(&RunEnd { check: &self.info.name, outcome, duration: took });
        // Readers wake only now, to a revision that counts this result.
        drop(gates);
    }

    /// Sends the transition; under the lock, which keeps them in order.
    fn send(&self, work: &mut Work, transition: Transition, now: Instant) -> Announcement {
        self.events.transitions.send(&transition);
        let line = work.log.change(transition.clone(), now);
        Announcement { transition: Some(transition), line }
    }

    fn escalate(&self, work: &mut Work, now: Instant) -> Announcement {
        let transition = work.state.escalate(&self.info.name, now, SystemTime::now);
        let Some(transition) = transition else { return Announcement::default() };
        self.events.changed(true);
        self.send(work, transition, now)
    }

    /// The run `id` is over. If it is without a result, its readers ask again.
    pub(crate) fn release(&self, id: u64, runtime: Id) {
        let (is_lost, gates) = {
            let mut work = self.work();
            if work.state.live_run() != Some(id) {
                return;
            }
            let is_lost = work.state.awaited_run() == Some(id);
            work.state.on_release(id);
            work.live = None;
            self.events.revision.changed();
            (is_lost, std::mem::take(&mut work.gates))
        };
        if is_lost {
            self.executor.lost(runtime);
        }
        self.events.changed(false);
        drop(gates);
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        lock(&self.work)
    }
}

/// What observers and the log are told, once no lock is held: what they do is not this crate's.
#[must_use]
#[derive(Default)]
pub(crate) struct Announcement {
    transition: Option<Transition>,
    line: Option<Line>,
}

impl Announcement {
    pub(crate) fn is_empty(&self) -> bool {
        self.transition.is_none() && self.line.is_none()
    }

    pub(crate) fn tell(self, events: &Events) {
        if let Some(transition) = self.transition {
            events.transitioned(&transition);
        }
        if let Some((transition, left_out)) = self.line {
            log::transition(&transition, left_out);
        }
    }
}

#[cfg(feature = "test-util")]
impl CheckRunner {
    /// Runs the check this way from now on.
    pub(crate) fn run_as(&self, how: Runner) {
        *lock(&self.how) = how;
    }

    /// Runs the check as it was declared from now on.
    pub(crate) fn run_as_declared(&self) {
        self.run_as(self.declared.clone());
    }

    /// Gives up the live run, if there is one.
    pub(crate) fn give_up_live_run(&self) {
        let live = self.work().live.as_ref().map(|live| live.id);
        if let Some(id) = live {
            self.give_up(id);
        }
    }

    /// How many runs it can take until a result is reported.
    pub(crate) fn longest_threshold(&self) -> u32 {
        let ResolvedSettings { failure_threshold, success_threshold, .. } = self.settings;
        failure_threshold.max(success_threshold).get()
    }

    /// Runs the check now, whatever is cached, and after the live run, if there is one.
    pub(crate) async fn run_now(self: &Arc<Self>) {
        loop {
            let started = self.run_unless_running(Instant::now());
            let awaited = started.or_else(|| self.work().state.awaited_run());
            let (gate, mut opened) = watch::channel(());
            let Some(id) = awaited else {
                // It is stuck: nothing is to be had of it.
                self.give_up_live_run();
                continue;
            };
            self.hold(id, &Arc::new(gate));
            // It is an error once nothing holds the gate any more.
            while opened.changed().await.is_ok() {}
            if started.is_some() {
                return;
            }
        }
    }
}
