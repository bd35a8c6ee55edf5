//! `CheckState` against a model of it, written from the contract: random results, waits and
//! readers, and runs that outlive their timeout because nothing can cancel them.

use std::num::NonZeroU32;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use super::*;
use HealthState::{Degraded, Healthy, Unhealthy};

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    /// A reader asks, or the timer of a background check fires. A run starts if it is due.
    Ask,
    /// The live run returns this.
    Return(HealthState),
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    timeout: u64,
    mode: Mode,
    on_error: HealthState,
    failure_threshold: NonZeroU32,
    success_threshold: NonZeroU32,
    unhealthy_after: Option<Duration>,
}

fn state() -> impl Strategy<Value = HealthState> {
    prop_oneof![2 => Just(Healthy), 1 => Just(Degraded), 2 => Just(Unhealthy)]
}

fn settings() -> impl Strategy<Value = Settings> {
    let cache = prop_oneof![Just(0), 1..600u64].prop_map(Duration::from_millis);
    let interval = (1..2_000u64).prop_map(Duration::from_millis);
    let mode = prop_oneof![
        2 => cache.prop_map(|cache| Mode::OnDemand { cache }),
        1 => interval.prop_map(|interval| Mode::Background { interval }),
    ];
    let threshold = || (1..4u32).prop_map(|results| NonZeroU32::new(results).unwrap());
    let on_error = prop_oneof![Just(Degraded), Just(Unhealthy)];
    let unhealthy_after = prop::option::of((1..3_000u64).prop_map(Duration::from_millis));
    (1..1_000u64, mode, on_error, threshold(), threshold(), unhealthy_after).prop_map(
        |(timeout, mode, on_error, failure_threshold, success_threshold, unhealthy_after)| {
            Settings {
                timeout,
                mode,
                on_error,
                failure_threshold,
                success_threshold,
                unhealthy_after,
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![4 => 0..700u64, 1 => 0..40_000u64].prop_map(Step::Wait),
        4 => Just(Step::Ask),
        4 => state().prop_map(Step::Return),
    ]
}

/// Miri is a thousand times slower, and looks for other things.
fn config() -> Config {
    let cases = if cfg!(miri) { 8 } else { Config::default().cases.max(2_000) };
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_is_told_as_the_contract_says(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        Pair::new(settings).play(&steps)?;
    }
}

/// The same history, told to both.
struct Pair {
    settings: Settings,
    state: CheckState,
    model: Model,
    begin: Moment,
}

/// What happened, in milliseconds from the beginning.
struct Model {
    settings: Settings,
    now: u64,
    runs: u64,
    /// The start of the live run.
    run: Option<u64>,
    timed_out: bool,
    results: Vec<Found>,
    /// How many results there were when the reported state began.
    changed: usize,
    reported: Option<HealthState>,
    /// When the reported state, degraded for too long, was first reported unhealthy.
    escalated: Option<u64>,
    /// Since when it had been, where it has become unhealthy by itself.
    goes_on_since: Option<u64>,
}

type Change = (Option<HealthState>, HealthState, Option<u64>);

#[derive(Clone, Debug)]
struct Found {
    at: u64,
    state: HealthState,
    message: String,
    took: u64,
}

impl Model {
    /// Takes in one more result. Gives back the transition: from which state to which, and how long
    /// the former lasted.
    fn find(&mut self, state: HealthState, message: String) -> Option<Change> {
        let took = self.now - self.run.unwrap();
        self.results.push(Found { at: self.now, state, message, took });
        let Some(reported) = self.reported else {
            // The first result sets the state at once.
            self.reported = Some(state);
            self.changed = 1;
            return (state != Healthy).then_some((None, state, None));
        };
        let newest_first = || self.results[self.changed..].iter().rev();
        let worse = newest_first().take_while(|it| it.state > reported).count();
        let better = newest_first().take_while(|it| it.state < reported).count();
        let Settings { failure_threshold, success_threshold, .. } = self.settings;
        if worse < failure_threshold.get() as usize && better < success_threshold.get() as usize {
            return None;
        }
        let (shown, since) = (self.shown(), self.since());
        self.reported = Some(state);
        self.changed = self.results.len();
        let escalated = self.escalated.take();
        if shown == state {
            // It was reported unhealthy for being degraded for too long.
            self.goes_on_since = escalated;
            return None;
        }
        self.goes_on_since = None;
        Some((Some(shown), state, Some(self.now - since)))
    }

    /// What is reported, after thresholds and escalation.
    fn shown(&self) -> HealthState {
        if self.escalated.is_some() { Unhealthy } else { self.reported.unwrap() }
    }

    fn since(&self) -> u64 {
        let begin = self.results[self.changed - 1].at;
        self.escalated.or(self.goes_on_since).unwrap_or(begin)
    }

    /// When the reported state will have been degraded for too long.
    fn escalates(&self) -> Option<u64> {
        let after = self.settings.unhealthy_after?;
        let is_degraded = self.reported == Some(Degraded) && self.escalated.is_none();
        is_degraded.then(|| self.since() + u64::try_from(after.as_millis()).unwrap())
    }

    fn failures(&self) -> u32 {
        let failures = self.results.iter().rev().take_while(|it| it.state != Healthy);
        u32::try_from(failures.count()).unwrap()
    }

    /// The failures in a row that end with the newest result, or with the last before the healthy
    /// ones that end with it.
    fn failures_of_change(&self) -> u32 {
        let newest_first = self.results.iter().rev().map(|it| it.state);
        let failures = newest_first.skip_while(|state| *state == Healthy);
        u32::try_from(failures.take_while(|state| *state != Healthy).count()).unwrap()
    }

    fn window(&self) -> u64 {
        let window = match self.settings.mode {
            Mode::OnDemand { cache } => cache,
            Mode::Background { interval } => interval,
        };
        u64::try_from(window.as_millis()).unwrap()
    }

    fn is_fresh(&self) -> bool {
        self.results.last().is_some_and(|newest| self.now < newest.at + self.window())
    }

    fn demand(&self) -> Demand {
        match self.settings.mode {
            Mode::Background { .. } if self.results.is_empty() && self.run.is_none() => {
                Demand::Start
            }
            Mode::Background { .. } if self.results.is_empty() => Demand::Join,
            Mode::Background { .. } => Demand::Answer,
            Mode::OnDemand { .. } if self.is_fresh() => Demand::Answer,
            Mode::OnDemand { .. } if self.run.is_none() => Demand::Start,
            Mode::OnDemand { .. } if self.timed_out => Demand::Answer,
            Mode::OnDemand { .. } => Demand::Join,
        }
    }

    /// State, message, and whether they are those of an earlier run than the one asked for.
    fn answer(&self, late: bool) -> (HealthState, String, bool) {
        let on_error = if self.escalated.is_some() { Unhealthy } else { self.settings.on_error };
        let failing = |message: String| (on_error, message, false);
        let Some(newest) = self.results.last() else {
            let late_or_not = if late { "no result within the deadline" } else { "no result yet" };
            return failing(late_or_not.to_owned());
        };
        let age = self.now - newest.at;
        let of = Duration::from_millis;
        if self.run.is_some() && self.timed_out && !self.is_fresh() {
            let timeout = of(self.settings.timeout);
            return failing(format!("still running after its timeout of {timeout:?}"));
        }
        let limit = (3 * self.window()).max(self.window() + self.settings.timeout);
        if let Mode::Background { .. } = self.settings.mode
            && age > limit
        {
            return failing(format!("no result for more than {:?}", of(limit)));
        }
        if late && age >= 30_000 {
            let text = "no result within the deadline, and the last one is older than 30s";
            return failing(text.to_owned());
        }
        let reported = self.reported.unwrap();
        // The message is that of the newest result of the reported state, since it began.
        let of_state = self.results[self.changed - 1..].iter().rev();
        let found = of_state.clone().find(|it| it.state == reported).unwrap();
        let message = match self.escalated {
            Some(_) => {
                format!(
                    "degraded for {:?}: {}",
                    self.settings.unhealthy_after.unwrap(),
                    found.message
                )
            }
            None => found.message.clone(),
        };
        (self.shown(), message, late)
    }
}

impl Pair {
    fn new(settings: Settings) -> Self {
        let resolved = ResolvedSettings {
            on_error: settings.on_error,
            timeout: Duration::from_millis(settings.timeout),
            mode: settings.mode,
            failure_threshold: settings.failure_threshold,
            success_threshold: settings.success_threshold,
            unhealthy_after: settings.unhealthy_after,
            blocking: true,
        };
        let model = Model {
            settings,
            now: 0,
            runs: 0,
            run: None,
            timed_out: false,
            results: Vec::new(),
            changed: 0,
            reported: None,
            escalated: None,
            goes_on_since: None,
        };
        Self { settings, state: CheckState::new(resolved), model, begin: Moment::now() }
    }

    fn at(&self, millis: u64) -> Moment {
        let passed = Duration::from_millis(millis);
        Moment { instant: self.begin.instant + passed, wall: self.begin.wall + passed }
    }

    fn now(&self) -> Moment {
        self.at(self.model.now)
    }

    fn play(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            match *step {
                Step::Wait(millis) => self.wait(millis)?,
                Step::Ask => self.ask()?,
                Step::Return(state) => self.end(state)?,
            }
            self.compare()?;
        }
        Ok(())
    }

    /// Time passes, and a timeout falls into it.
    fn wait(&mut self, millis: u64) -> Result<(), TestCaseError> {
        let until = self.model.now + millis;
        if let Some(start) = self.model.run
            && !self.model.timed_out
            && start + self.settings.timeout <= until
        {
            self.model.now = start + self.settings.timeout;
            self.escalate()?;
            let recorded = self.state.on_timeout("check", self.model.runs, self.now());
            let message =
                format!("timed out after {:?}", self.now().instant - self.at(start).instant);
            self.model.timed_out = true;
            self.recorded(recorded, self.settings.on_error, message)?;
            self.compare()?;
        }
        self.model.now = until;
        Ok(())
    }

    fn ask(&mut self) -> Result<(), TestCaseError> {
        self.escalate()?;
        let now = self.now().instant;
        let demand = self.state.demand(now);
        prop_assert_eq!(demand, self.model.demand());
        let starts = match self.settings.mode {
            Mode::OnDemand { .. } => demand == Demand::Start,
            Mode::Background { .. } => self.state.live_run().is_none(),
        };
        prop_assert!(!(starts && self.model.run.is_some()), "a second live run");
        if starts {
            self.model.runs += 1;
            self.model.run = Some(self.model.now);
            self.model.timed_out = false;
            self.state.on_start(self.model.runs, now, false);
        }
        Ok(())
    }

    /// The live run ends. What it returns after its timeout is discarded.
    fn end(&mut self, found: HealthState) -> Result<(), TestCaseError> {
        if self.model.run.is_none() {
            return Ok(());
        }
        let run = self.model.runs;
        let message = format!("run {run}");
        let result = CheckResult::new(found).with_message(message.clone());
        let recorded = self.state.on_result("check", run, result, self.now());
        if self.model.timed_out {
            prop_assert!(recorded.is_none(), "a late result was taken");
        } else {
            self.recorded(recorded, found, message)?;
            prop_assert!(self.state.live_run().is_none(), "a run with a result is over");
        }
        // The releases of runs before it come to nothing.
        self.state.on_release(self.model.runs - 1);
        prop_assert_eq!(self.state.live_run().is_some(), self.model.timed_out);
        self.state.on_release(self.model.runs);
        prop_assert!(self.state.live_run().is_none());
        self.model.run = None;
        self.model.timed_out = false;
        Ok(())
    }

    fn recorded(
        &mut self,
        recorded: Option<Recorded>,
        state: HealthState,
        message: String,
    ) -> Result<(), TestCaseError> {
        let transition = recorded.expect("the live run's result").transition;
        let change = self.model.find(state, message.clone());
        prop_assert_eq!(transition.is_some(), change.is_some(), "{:?}", transition);
        if let (Some(transition), Some((from, to, lasted))) = (transition, change) {
            prop_assert_eq!((transition.from, transition.to), (from, to));
            prop_assert_eq!(transition.message, Some(message));
            prop_assert_eq!(transition.lasted, lasted.map(Duration::from_millis));
            prop_assert_eq!(transition.failures, self.model.failures_of_change());
        }
        Ok(())
    }

    /// A reader or the watcher looks whether the state has been degraded for too long.
    fn escalate(&mut self) -> Result<(), TestCaseError> {
        let Moment { instant, wall } = self.now();
        let transition = self.state.escalate("check", instant, || wall);
        let due = self.model.escalates().filter(|end| self.model.now >= *end);
        prop_assert_eq!(transition.is_some(), due.is_some());
        if let (Some(transition), Some(end)) = (transition, due) {
            let lasted = Duration::from_millis(end - self.model.since());
            prop_assert_eq!((transition.from, transition.to), (Some(Degraded), Unhealthy));
            prop_assert_eq!(transition.lasted, Some(lasted));
            self.model.escalated = Some(end);
        }
        Ok(())
    }

    /// What readers are told now, in time and late.
    fn compare(&mut self) -> Result<(), TestCaseError> {
        self.escalate()?;
        let now = self.now().instant;
        for late in [false, true] {
            let told = self.state.answer(now, late);
            let (state, message, stale) = self.model.answer(late);
            prop_assert_eq!((told.state, told.message, told.stale), (state, Some(message), stale));
            prop_assert_eq!(told.consecutive_failures, self.model.failures());
            let newest = self.model.results.last();
            let passed = |millis: u64| Duration::from_millis(millis);
            prop_assert_eq!(told.age, newest.map(|it| passed(self.model.now - it.at)));
            prop_assert_eq!(told.duration, newest.map(|it| passed(it.took)));
            prop_assert_eq!(told.checked_at, newest.map(|it| self.at(it.at).wall));
            let success = self.model.results.iter().rfind(|it| it.state == Healthy);
            prop_assert_eq!(told.last_success, success.map(|it| self.at(it.at).wall));
            if let Some(since) = told.since {
                prop_assert_eq!(since, self.at(self.model.since()).wall);
                let held_back = newest.filter(|it| it.state != self.model.shown());
                prop_assert_eq!(told.raw_state, held_back.map(|it| it.state));
                prop_assert_eq!(told.raw_message, held_back.map(|it| it.message.clone()));
            }
        }
        self.holds_until_it_says()
    }

    /// A shared answer is the one that a reader of its last moment would get.
    fn holds_until_it_says(&self) -> Result<(), TestCaseError> {
        let now = self.now().instant;
        let until = self.state.valid_until(now);
        if let Some(last) = until.checked_sub(Duration::from_millis(1)).filter(|last| *last > now) {
            let (told, later) = (self.state.answer(now, false), self.state.answer(last, false));
            prop_assert_eq!((told.state, told.message), (later.state, later.message));
            prop_assert_eq!(self.state.demand(last), Demand::Answer);
        }
        Ok(())
    }
}
