//! All checks of one `Health`: starts what readers need, shares it, and answers in time.
//!
//! A reader never runs a check. It says what it wants to know; the engine starts the runs that are
//! due, lets the reader wait for them until its deadline, and puts the answer together, once for all
//! who wait. A reader that goes away leaves the runs to the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::background::{BackgroundTasks, TaskKind};
use super::callbacks::Callback;
use super::encoding::AGES_HOLD;
use super::events::{Events, Observers};
use super::executor::Executor;
use super::group::{GROUPS, Group, HEALTH, Member};
use super::lifecycle::{DrainConfig, Lifecycle, log_draining};
use super::runner::{Announcement, CheckRunner, Demanded};
use super::schedule::{Grid, run_in_background, watch};
use super::selection::{Criteria, SelectError, Selections, find};
use super::settings::ResolvedSettings;
use super::signals;
use super::transitions::{Listener, Transitions};
use super::view::{Evaluation, SAME_MOMENT, Snapshot, View};
use crate::declare::check::Check;
use crate::model::{CheckReport, HealthState, Probe, Report, Transition};
use crate::sync::{Mutex, lock};
use crate::text::cleaner::{Cleaner, Rule};

/// How often a reader starts anew what ended without a result.
const ATTEMPTS: u32 = 3;

/// What the engine is told once, by the builder.
pub(crate) struct EngineConfig {
    pub(crate) deadline: Duration,
    pub(crate) watch_interval: Duration,
    pub(crate) drain: DrainConfig,
    pub(crate) max_concurrent: Option<usize>,
    /// How many transitions are kept.
    pub(crate) history: usize,
    pub(crate) termination_log: Option<PathBuf>,
    pub(crate) callbacks: Vec<Callback>,
    pub(crate) observers: Observers,
    pub(crate) scrub_rules: Vec<Rule>,
}

pub(crate) struct Engine {
    /// In the order of their names.
    runners: Vec<Arc<CheckRunner>>,
    events: Arc<Events>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) lifecycle: Lifecycle,
    deadline: Duration,
    watch_interval: Duration,
    termination_log: Option<PathBuf>,
    /// Whether `/startupz` has passed, or there is nothing for it to wait for.
    started_up: AtomicBool,
    /// Every group, until startup has passed and from then on.
    starting_views: [Arc<View>; GROUPS.len()],
    started_views: [Arc<View>; GROUPS.len()],
    selections: Selections,
    grid: Grid,
    background: BackgroundTasks,
    tasks: Mutex<Vec<AbortHandle>>,
    signals: Once,
}

impl Engine {
    /// An engine of these checks, with their settings. Spawns nothing.
    pub(crate) fn new(mut checks: Vec<(Check, ResolvedSettings)>, config: EngineConfig) -> Self {
        checks.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        let transitions = Transitions::new(checks.len(), config.history);
        let events = Arc::new(Events::new(transitions, config.callbacks, config.observers));
        let executor = Arc::new(Executor::new(config.max_concurrent));
        let cleaner = Arc::new(Cleaner::new(config.scrub_rules));
        let runner = |(check, settings)| {
            let (events, executor) = (Arc::clone(&events), Arc::clone(&executor));
            CheckRunner::new(check, settings, events, executor, Arc::clone(&cleaner))
        };
        let runners: Vec<_> = checks.into_iter().map(runner).collect();
        let views = |starting| {
            GROUPS.map(|group| {
                let runners = runners.iter().enumerate();
                let member = |(index, runner): (usize, &Arc<CheckRunner>)| {
                    group.member(index, &runner.info, starting)
                };
                Arc::new(View::new(group, runners.filter_map(member).collect::<Vec<_>>(), true))
            })
        };
        let waits = runners.iter().any(|runner| runner.info.probes.contains(Probe::Startup));
        Self {
            starting_views: views(true),
            started_views: views(false),
            lifecycle: Lifecycle::new(config.drain, Arc::clone(&events)),
            runners,
            events,
            executor,
            deadline: config.deadline,
            watch_interval: config.watch_interval,
            termination_log: config.termination_log,
            started_up: AtomicBool::new(!waits),
            selections: Selections::default(),
            grid: Grid::new(),
            background: BackgroundTasks::new(),
            tasks: Mutex::default(),
            signals: Once::new(),
        }
    }

    pub(crate) fn runners(&self) -> &[Arc<CheckRunner>] {
        &self.runners
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        find(&self.runners, name)
    }

    /// Every check of `group`.
    pub(crate) fn group(&self, group: &'static Group) -> Arc<View> {
        let views = if self.has_started_up() { &self.started_views } else { &self.starting_views };
        Arc::clone(&views[group.index()])
    }

    /// The checks of `group` that fulfil the criteria.
    pub(crate) fn select(
        &self,
        group: &'static Group,
        criteria: &Criteria<'_>,
    ) -> Result<Arc<View>, SelectError> {
        if criteria.is_empty() {
            return Ok(self.group(group));
        }
        self.selections.of(&self.runners, group, criteria, !self.has_started_up())
    }

    /// What was selected before, by who has kept its members.
    pub(crate) fn selected(&self, group: &'static Group, members: &Arc<[Member]>) -> Arc<View> {
        self.selections.view(group, Arc::clone(members))
    }

    /// One check by itself, whether or not the program drains.
    pub(crate) fn only(&self, index: usize) -> Arc<View> {
        let member = HEALTH.member(index, &self.runners[index].info, false);
        self.selections.view(&super::group::ONE_CHECK, member.into_iter().collect())
    }

    /// Whether the startup probe has passed once; it asks nothing any more then.
    pub(crate) fn has_started_up(&self) -> bool {
        self.started_up.load(Ordering::Acquire)
    }

    /// The report of `view` at `now`, if it need not be waited for.
    pub(crate) fn current(&self, view: &View, now: Instant) -> Option<Arc<Snapshot>> {
        self.wake();
        view.valid(self.events.revision.now(), now)
    }

    /// The report of `view`, within the deadline. Readers at the same time share one.
    pub(crate) async fn snapshot(&self, view: &View) -> Arc<Snapshot> {
        let begin = Instant::now();
        if let Some(snapshot) = self.current(view, begin) {
            return snapshot;
        }
        let deadline = begin + self.deadline;
        let mut evaluation = None;
        for _ in 0..ATTEMPTS {
            evaluation = self.evaluate(view, Instant::now());
            let Some(evaluation) = &evaluation else { break };
            let in_time = timeout_at(deadline, evaluation.done()).await.is_ok();
            if !in_time || self.is_complete(evaluation) {
                break;
            }
        }
        let mut announcements = Vec::new();
        let snapshot = view.snapshot(
            || self.events.revision.now(),
            evaluation.as_ref(),
            |now| self.assemble(view, evaluation.as_deref(), now, &mut announcements),
        );
        for announcement in announcements {
            announcement.tell(&self.events);
        }
        self.latch_startup(view, &snapshot.report);
        snapshot
    }

    /// What is known of `view` without waiting for anything.
    pub(crate) fn known(&self, view: &View) -> Report {
        let now = Instant::now();
        let answer = |index: usize| self.runners[index].known(now);
        self.put_together(view, answer)
    }

    /// Starts the runs that are due, for a reader that does not wait. Does nothing outside a runtime
    /// where none is known.
    #[cfg(feature = "prometheus")]
    pub(crate) fn renew(&self) {
        if self.executor.has_runtime() {
            self.wake();
            let now = Instant::now();
            for runner in &self.runners {
                runner.demand(now);
            }
        }
    }

    /// The checks of `view` and their states for a reader that sees every result as it comes,
    /// without waiting.
    #[cfg(any(feature = "grpc", all(unix, feature = "systemd")))]
    pub(crate) fn watched(&self, view: &View) -> impl Iterator<Item = (&str, HealthState)> {
        let now = Instant::now();
        view.members.iter().map(move |member| {
            let runner = &self.runners[member.index];
            let state = runner.watched(now, self.deadline).min(member.worst);
            (runner.info.name.as_str(), state)
        })
    }

    /// How often on-demand checks are evaluated while something listens.
    #[cfg(any(feature = "grpc", all(unix, feature = "systemd")))]
    pub(crate) fn watch_interval(&self) -> Duration {
        self.watch_interval
    }

    /// Starts the runs that are due, unless a reader has just done so. `Some` is what to wait for.
    fn evaluate(&self, view: &View, now: Instant) -> Option<Arc<Evaluation>> {
        // Before the checks are asked: what changes meanwhile makes the next reader ask them again.
        let revision = self.events.revision.now();
        if let Some(evaluation) = view.under_way(revision, now) {
            return Some(evaluation);
        }
        let mut same_until = now + SAME_MOMENT;
        let mut awaited = Vec::new();
        for member in &*view.members {
            match self.runners[member.index].demand(now) {
                Demanded::Run(run) => awaited.push((member.index, run)),
                Demanded::Known { until } => same_until = same_until.min(until),
            }
        }
        if awaited.is_empty() {
            return None;
        }
        let hold = |index: usize, run, gate: &_| self.runners[index].hold(run, gate);
        Some(view.evaluation(awaited, revision, same_until, hold))
    }

    fn is_complete(&self, evaluation: &Evaluation) -> bool {
        evaluation.is_complete(|index, run| self.runners[index].has_result_of(run))
    }

    /// What is known now, and until when that stays so by itself. What is to be announced is kept
    /// for when the view is not locked any more.
    fn assemble(
        &self,
        view: &View,
        evaluation: Option<&Evaluation>,
        now: Instant,
        announcements: &mut Vec<Announcement>,
    ) -> (Report, Instant) {
        let mut valid_until = now + self.deadline;
        // Both are in the order of the indices.
        let awaited = evaluation.map_or(&[][..], |evaluation| &evaluation.awaited);
        let mut awaited = awaited.iter().peekable();
        let report = self.put_together(view, |index| {
            let run = awaited.next_if(|(awaited, _)| *awaited == index).map(|(_, run)| *run);
            let (answer, until, announcement) = self.runners[index].answer(now, run);
            valid_until = valid_until.min(until);
            announcements.extend(Some(announcement).filter(|it| !it.is_empty()));
            answer
        });
        if report.draining {
            // The requests that are counted then come and go without a word.
            valid_until = valid_until.min(now + AGES_HOLD);
        }
        (report, valid_until)
    }

    fn put_together(&self, view: &View, mut answer: impl FnMut(usize) -> CheckReport) -> Report {
        let mut checks = BTreeMap::new();
        for member in &*view.members {
            let mut check = answer(member.index);
            if check.state > member.worst {
                let raw = check.raw_state.unwrap_or(check.state);
                check.state = member.worst;
                check.raw_state = Some(raw).filter(|raw| *raw != check.state);
            }
            checks.insert(self.runners[member.index].info.name.clone(), check);
        }
        let report = Report::new(checks);
        if view.group.shows_drain && self.lifecycle.is_draining() {
            report.draining(self.lifecycle.in_flight.counted())
        } else {
            report
        }
    }

    /// The startup probe passes for good once every check of its whole set has a result and none is
    /// unhealthy, whichever reader asked.
    fn latch_startup(&self, view: &View, report: &Report) {
        let sees_all = view.is_whole && (view.group.latches || view.group.waits_for_startup);
        if !sees_all || self.has_started_up() {
            return;
        }
        let mut startup =
            self.runners.iter().filter(|runner| runner.info.probes.contains(Probe::Startup));
        let passes = |runner: &Arc<CheckRunner>| {
            let check = report.checks.get(&runner.info.name);
            // Only what a result says has a begin: an answer in place of one says nothing of it.
            check
                .is_some_and(|check| check.since.is_some() && check.state != HealthState::Unhealthy)
        };
        if startup.all(passes) && !self.started_up.swap(true, Ordering::AcqRel) {
            self.events.changed(true);
            tracing::info!(target: "servicekit_health", "startup checks have passed");
        }
    }

    /// Transitions from now on. Listening makes the engine evaluate on-demand checks regularly.
    pub(crate) fn listen(&self) -> Listener {
        let listener = self.events.transitions.listen();
        self.background.reconsider();
        listener
    }

    /// The last transitions, newest first.
    pub(crate) fn history(&self) -> Vec<Transition> {
        self.events.transitions.history()
    }

    /// Wakes whenever a reported state or message differs from before.
    pub(crate) fn differences(&self) -> watch::Receiver<()> {
        self.events.differences()
    }

    /// Starts the background tasks that should be there and are not. Needs a runtime.
    pub(crate) fn wake(&self) {
        for guard in self.background.missing(|| self.wanted_tasks()) {
            self.events.callbacks.start();
            let grid = self.grid;
            let runtime = self.executor.runtime();
            let task = match guard.kind() {
                TaskKind::Schedule => {
                    let background = self.runners.iter().filter(|it| it.settings.is_background());
                    let runners = background.cloned().collect();
                    runtime.spawn(run_in_background(guard, runners, grid))
                }
                TaskKind::Watch => {
                    let (events, runners) = (Arc::clone(&self.events), self.runners.clone());
                    runtime.spawn(watch(guard, runners, events, self.watch_interval, grid))
                }
            };
            let mut tasks = lock(&self.tasks);
            tasks.retain(|task| !task.is_finished());
            tasks.push(task.abort_handle());
        }
    }

    fn wanted_tasks(&self) -> Vec<TaskKind> {
        let has_background = self.runners.iter().any(|runner| runner.settings.is_background());
        let schedule = has_background.then_some(TaskKind::Schedule);
        let watch = self.events.transitions.has_listeners().then_some(TaskKind::Watch);
        schedule.into_iter().chain(watch).collect()
    }

    /// Begins to drain.
    pub(crate) fn drain(&self) {
        if self.lifecycle.drain() {
            log_draining();
            self.write_termination_log();
        }
    }

    /// Ends when the server may stop. Begins to listen for signals.
    pub(crate) async fn shutdown(self: &Arc<Self>) {
        self.wake();
        self.signals.call_once(|| signals::listen(self));
        self.lifecycle.wait_until_over().await;
        self.write_termination_log();
    }

    /// Leaves what is known where the kubelet looks for it, if the builder says where.
    pub(crate) fn write_termination_log(&self) {
        if let Some(path) = &self.termination_log {
            let report = self.known(&self.group(&HEALTH));
            super::termination::write(path, &report, &self.history());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for runner in &self.runners {
            runner.abort();
        }
        for task in &*lock(&self.tasks) {
            task.abort();
        }
    }
}

/// Transitions from now on. The first poll, in a runtime, wakes the engine.
pub(crate) fn subscribe(
    engine: &Arc<Engine>,
) -> impl Stream<Item = Transition> + Send + Unpin + use<> {
    let weak = Arc::downgrade(engine);
    let listener = engine.listen();
    let woken = async move {
        if let Some(engine) = weak.upgrade() {
            engine.wake();
        }
        listener.into_stream()
    };
    woken.flatten_stream().boxed()
}
