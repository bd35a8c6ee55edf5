//! All checks of one `Health`: starts what readers need, shares it, and answers in time.
//!
//! A reader never runs a check. It says what it wants to know; the engine starts the runs that are
//! due, lets the reader wait for them until its deadline, and puts the answer together. A reader
//! that goes away leaves the runs to the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::generation::Generation;
use super::lifecycle::Lifecycle;
use super::model::{CheckReport, DRAIN_ENTRY, HealthState, Probe, Report, Transition};
use super::slot::{Board, Slot, Wait, run_every};
use super::standing::{Place, Role, Roster};
use super::state::Policy;
use super::transitions::{Callback, Listener, Transitions};
use crate::declare::check::Check;

/// What a reader wants to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every check.
    All,
    /// The checks of one probe.
    Probe(Probe),
}

impl Scope {
    /// Every scope, each at its [`index`](Self::index).
    pub(crate) const ALL: [Self; 4] = [
        Self::All,
        Self::Probe(Probe::Liveness),
        Self::Probe(Probe::Readiness),
        Self::Probe(Probe::Startup),
    ];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::All => 0,
            Self::Probe(probe) => 1 + probe as usize,
        }
    }

    /// Whether a program that is going away is unhealthy in this respect.
    pub(crate) fn shows_drain(self) -> bool {
        matches!(self, Self::All | Self::Probe(Probe::Readiness))
    }
}

/// What the engine is told once, by the builder.
pub(crate) struct Config {
    pub(crate) deadline: Duration,
    pub(crate) watch_interval: Duration,
    pub(crate) callbacks: Vec<Callback>,
}

pub(crate) struct Engine {
    /// In the order of their names.
    slots: Vec<Arc<Slot>>,
    board: Arc<Board>,
    config: Config,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// Whether `/startupz` has passed, or there is nothing for it to wait for.
    started_up: AtomicBool,
    /// The newest unselected report of each scope.
    shared: [Mutex<Option<Arc<Shared>>>; Scope::ALL.len()],
    /// The standing tasks.
    standing: Mutex<Vec<AbortHandle>>,
}

/// An unselected report, the same for every reader until something changes.
pub(crate) struct Shared {
    pub(crate) report: Report,
    generation: u64,
    valid_until: Instant,
}

impl Engine {
    /// An engine of these checks, with their settings. Spawns nothing.
    pub(crate) fn new(
        mut checks: Vec<(Check, Policy)>,
        config: Config,
        drain_delay: Option<Duration>,
    ) -> Self {
        checks.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        let board = Arc::new(Board {
            generation: Generation::new(),
            transitions: Transitions::new(),
            roster: Roster::default(),
        });
        let slot = |(check, policy)| Slot::new(check, policy, Arc::clone(&board));
        let slots: Vec<_> = checks.into_iter().map(slot).collect();
        let waits_for_nothing = !slots.iter().any(|slot| slot.probes.contains(Probe::Startup));
        Self {
            slots,
            lifecycle: Arc::new(Lifecycle::new(drain_delay, Arc::clone(&board))),
            board,
            config,
            started_up: AtomicBool::new(waits_for_nothing),
            shared: Default::default(),
            standing: Mutex::default(),
        }
    }

    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.slots.binary_search_by(|slot| slot.name.as_str().cmp(name)).ok()
    }

    /// The checks of `scope`. Until the program has started up, readiness includes the startup
    /// checks: balancers never ask `/startupz`.
    pub(crate) fn members(&self, scope: Scope) -> Vec<usize> {
        let starting = !self.has_started_up();
        let counts = |slot: &Slot| match scope {
            Scope::All => true,
            Scope::Probe(Probe::Readiness) => {
                slot.probes.contains(Probe::Readiness)
                    || (starting && slot.probes.contains(Probe::Startup))
            }
            Scope::Probe(probe) => slot.probes.contains(probe),
        };
        (0..self.slots.len()).filter(|index| counts(&self.slots[*index])).collect()
    }

    /// Whether the startup probe has passed once; it asks nothing any more then.
    pub(crate) fn has_started_up(&self) -> bool {
        self.started_up.load(Ordering::Acquire)
    }

    /// The unselected report of `scope`. Readers at the same time share one.
    pub(crate) async fn shared(&self, scope: Scope) -> Arc<Shared> {
        self.wake();
        let now = Instant::now();
        if let Some(shared) = self.still_valid(scope, now) {
            return shared;
        }
        let members = self.asked(scope);
        let late = self.refresh(&members, now + self.config.deadline).await;
        let now = Instant::now();
        if let Some(shared) = self.still_valid(scope, now) {
            return shared;
        }
        let generation = self.board.generation.now();
        // Startup may have passed meanwhile, and this is what readers after this one share.
        let members = self.asked(scope);
        let (report, valid_until) = self.assemble(&members, &late, now, scope.shows_drain());
        self.latch_startup(scope, &report);
        let shared = Arc::new(Shared { report, generation, valid_until });
        *self.cell(scope) = Some(Arc::clone(&shared));
        shared
    }

    /// The unselected report of `scope`, put together for this reader alone.
    pub(crate) async fn report(&self, scope: Scope) -> Report {
        let members = self.asked(scope);
        let report = self.report_of(&members, scope.shows_drain()).await;
        self.latch_startup(scope, &report);
        report
    }

    /// The report of some checks only.
    pub(crate) async fn report_of(&self, members: &[usize], shows_drain: bool) -> Report {
        self.wake();
        let late = self.refresh(members, Instant::now() + self.config.deadline).await;
        self.assemble(members, &late, Instant::now(), shows_drain).0
    }

    /// What is known of some checks without waiting for any of them.
    pub(crate) fn known(&self, members: &[usize], shows_drain: bool) -> Report {
        self.assemble(members, &[], Instant::now(), shows_drain).0
    }

    /// The checks that an unselected reader of `scope` asks.
    fn asked(&self, scope: Scope) -> Vec<usize> {
        if scope == Scope::Probe(Probe::Startup) && self.has_started_up() {
            return Vec::new();
        }
        self.members(scope)
    }

    /// Transitions from now on. Listening makes the engine evaluate on-demand checks regularly.
    pub(crate) fn listen(&self) -> Listener {
        let listener = self.board.transitions.listen();
        self.board.roster.reconsider();
        listener
    }

    /// Starts the runs that are due and waits for them, until `deadline`. Gives back the checks
    /// that did not make it.
    async fn refresh(&self, members: &[usize], deadline: Instant) -> Vec<usize> {
        let now = Instant::now();
        let demand = |index: &usize| Some((*index, self.slots[*index].demand(now)?));
        let mut waits: Vec<(usize, Wait)> = members.iter().filter_map(demand).collect();
        if waits.is_empty() {
            return Vec::new();
        }
        let all = async {
            for (_, wait) in &mut waits {
                wait.done().await;
            }
        };
        if timeout_at(deadline, all).await.is_ok() {
            return Vec::new();
        }
        let late = waits.iter().filter(|(_, wait)| !wait.is_done());
        late.map(|(index, _)| *index).collect()
    }

    /// What is known now, and until when that stays so by itself.
    fn assemble(
        &self,
        members: &[usize],
        late: &[usize],
        now: Instant,
        shows_drain: bool,
    ) -> (Report, Instant) {
        let mut valid_until = now + self.config.deadline;
        let mut checks = BTreeMap::new();
        for index in members {
            let slot = &self.slots[*index];
            let (answer, until) = slot.answer(now, late.contains(index));
            valid_until = valid_until.min(until);
            checks.insert(slot.name.clone(), answer);
        }
        if shows_drain && self.lifecycle.is_draining() {
            let draining = CheckReport::new(HealthState::Unhealthy, "draining");
            checks.insert(DRAIN_ENTRY.to_owned(), draining);
        }
        (Report::of(checks), valid_until)
    }

    /// The startup probe passes for good once its whole set is not unhealthy, whoever asked.
    fn latch_startup(&self, scope: Scope, report: &Report) {
        let sees_all = matches!(scope, Scope::Probe(Probe::Readiness | Probe::Startup));
        if !sees_all || self.has_started_up() {
            return;
        }
        let mut startup = self.slots.iter().filter(|slot| slot.probes.contains(Probe::Startup));
        let passes = |slot: &Arc<Slot>| {
            let check = report.checks.get(&slot.name);
            check.is_some_and(|check| check.state != HealthState::Unhealthy)
        };
        if startup.all(passes) {
            self.started_up.store(true, Ordering::Release);
            self.board.generation.changed();
            tracing::info!("startup checks have passed");
        }
    }

    fn still_valid(&self, scope: Scope, now: Instant) -> Option<Arc<Shared>> {
        let generation = self.board.generation.now();
        let cell = self.cell(scope);
        let shared = cell.as_ref()?;
        (shared.generation == generation && now < shared.valid_until).then(|| Arc::clone(shared))
    }

    fn cell(&self, scope: Scope) -> std::sync::MutexGuard<'_, Option<Arc<Shared>>> {
        self.shared[scope.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the standing tasks that should be there and are not. Needs a runtime.
    pub(crate) fn wake(&self) {
        for place in self.board.roster.missing(|| self.standing_roles()) {
            let board = Arc::clone(&self.board);
            let task = match place.role() {
                Role::Callbacks => {
                    let calls = board.transitions.listen().call(self.config.callbacks.clone());
                    tokio::spawn(held(place, calls))
                }
                Role::Background(index) => {
                    tokio::spawn(held(place, run_every(Arc::clone(&self.slots[index]))))
                }
                Role::Watch => {
                    let on_demand = |slot: &&Arc<Slot>| !slot.is_background();
                    let slots = self.slots.iter().filter(on_demand).cloned().collect();
                    tokio::spawn(watch(place, slots, board, self.config.watch_interval))
                }
            };
            let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
            standing.retain(|task| !task.is_finished());
            standing.push(task.abort_handle());
        }
    }

    /// Listeners come first, so that they miss nothing.
    fn standing_roles(&self) -> Vec<Role> {
        let has_callbacks = !self.config.callbacks.is_empty();
        let is_watched = has_callbacks || self.board.transitions.has_listeners();
        let callbacks = has_callbacks.then_some(Role::Callbacks);
        let background = (0..self.slots.len()).filter(|index| self.slots[*index].is_background());
        let watch = is_watched.then_some(Role::Watch);
        callbacks.into_iter().chain(background.map(Role::Background)).chain(watch).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for slot in &self.slots {
            slot.abort();
        }
        self.lifecycle.abort();
        for task in self.standing.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

async fn held(place: Place, task: impl Future<Output = ()>) {
    let _place = place;
    task.await;
}

/// Evaluates the on-demand checks regularly, for as long as somebody listens.
async fn watch(mut place: Place, slots: Vec<Arc<Slot>>, board: Arc<Board>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !place.leave_unless(|| board.transitions.has_listeners()) {
        ticks.tick().await;
        let now = Instant::now();
        for slot in &slots {
            drop(slot.demand(now));
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
