//! `CheckState` against a model of it, written from the contract: random results, waits and
//! readers, and runs that outlive their timeout because nothing can cancel them.

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
    (1..1_000u64, mode, on_error, threshold(), threshold()).prop_map(
        |(timeout, mode, on_error, failure_threshold, success_threshold)| Settings {
            timeout,
            mode,
            on_error,
            failure_threshold,
            success_threshold,
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
}

#[derive(Clone, Debug)]
struct Found {
    at: u64,
    state: HealthState,
    message: String,
    took: u64,
}

impl Model {
    /// The state of readers after one more result, and how long the state before it lasted if it
    /// is another one.
    fn find(&mut self, state: HealthState, message: String) -> Option<(HealthState, u64)> {
        let took = self.now - self.run.unwrap();
        self.results.push(Found { at: self.now, state, message, took });
        let Some(reported) = self.reported else {
            // The first result sets the state at once.
            self.reported = Some(state);
            self.changed = 1;
            return None;
        };
        let newest_first = || self.results[self.changed..].iter().rev();
        let worse = newest_first().take_while(|it| it.state > reported).count();
        let better = newest_first().take_while(|it| it.state < reported).count();
        let Settings { failure_threshold, success_threshold, .. } = self.settings;
        if worse < failure_threshold.get() as usize && better < success_threshold.get() as usize {
            return None;
        }
        let since = self.since();
        self.reported = Some(state);
        self.changed = self.results.len();
        Some((reported, self.now - since))
    }

    fn since(&self) -> u64 {
        self.results[self.changed - 1].at
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
        let failing = |message: String| (self.settings.on_error, message, false);
        let Some(newest) = self.results.last() else {
            let late_or_not = if late { "no result within the deadline" } else { "no result yet" };
            return failing(late_or_not.to_owned());
        };
        let age = self.now - newest.at;
        if let Some(start) = self.run
            && self.timed_out
            && !self.is_fresh()
        {
            return failing(format!("still running for {}", seconds_of(self.now - start)));
        }
        if let Mode::Background { .. } = self.settings.mode
            && age > 3 * self.window()
        {
            return failing(format!("no result for {}", seconds_of(age)));
        }
        if late && age >= 30_000 {
            return failing(format!(
                "no result within the deadline, the last one is {} old",
                seconds_of(age)
            ));
        }
        let reported = self.reported.unwrap();
        // The message is that of the newest result of the reported state, since it began.
        let of_state = self.results[self.changed - 1..].iter().rev();
        let found = of_state.clone().find(|it| it.state == reported).unwrap();
        (reported, found.message.clone(), late)
    }
}

/// `12.3s`
#[expect(clippy::cast_precision_loss, reason = "a test does not last that long")]
fn seconds_of(millis: u64) -> String {
    format!("{:.1}s", millis as f64 / 1e3)
}

impl Pair {
    fn new(settings: Settings) -> Self {
        let policy = Policy {
            on_error: settings.on_error,
            timeout: Duration::from_millis(settings.timeout),
            mode: settings.mode,
            failure_threshold: settings.failure_threshold,
            success_threshold: settings.success_threshold,
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
        };
        Self { settings, state: CheckState::new(policy), model, begin: Moment::now() }
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
            let result = self.state.on_timeout();
            let message =
                format!("timed out after {:?}", self.now().instant - self.at(start).instant);
            prop_assert_eq!(result.state, self.settings.on_error);
            prop_assert_eq!(result.message.as_deref(), Some(&*message));
            self.model.timed_out = true;
            self.record(result)?;
            self.compare()?;
        }
        self.model.now = until;
        Ok(())
    }

    fn ask(&mut self) -> Result<(), TestCaseError> {
        let now = self.now().instant;
        let demand = self.state.demand(now);
        prop_assert_eq!(demand, self.model.demand());
        let starts = match self.settings.mode {
            Mode::OnDemand { .. } => demand == Demand::Start,
            Mode::Background { .. } => !self.state.is_running(),
        };
        prop_assert!(!(starts && self.model.run.is_some()), "a second live run");
        if starts {
            self.model.runs += 1;
            self.model.run = Some(self.model.now);
            self.model.timed_out = false;
            self.state.on_start(self.model.runs, now);
        }
        Ok(())
    }

    /// The live run ends. What it returns after its timeout is discarded.
    fn end(&mut self, found: HealthState) -> Result<(), TestCaseError> {
        if self.model.run.is_none() {
            return Ok(());
        }
        if !self.model.timed_out {
            let message = format!("run {}", self.model.runs);
            self.record(CheckResult::new(found).with_message(message))?;
        }
        // The releases of runs before it come to nothing.
        self.state.on_release(self.model.runs - 1);
        prop_assert!(self.state.is_running());
        self.state.on_release(self.model.runs);
        prop_assert!(!self.state.is_running());
        self.model.run = None;
        self.model.timed_out = false;
        Ok(())
    }

    fn record(&mut self, result: CheckResult) -> Result<(), TestCaseError> {
        let (state, message) = (result.state, result.message.clone().unwrap_or_default());
        let transition = self.state.on_result("check", result, self.now());
        let change = self.model.find(state, message.clone());
        prop_assert_eq!(transition.is_some(), change.is_some(), "{:?}", transition);
        if let (Some(transition), Some((from, lasted))) = (transition, change) {
            prop_assert_eq!((transition.from, transition.to), (from, state));
            prop_assert_eq!(transition.message, Some(message));
            prop_assert_eq!(transition.lasted, Duration::from_millis(lasted));
            prop_assert_eq!(transition.failures, self.model.failures_of_change());
        }
        Ok(())
    }

    /// What readers are told now, in time and late.
    fn compare(&self) -> Result<(), TestCaseError> {
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
                let held_back = newest.filter(|it| Some(it.state) != self.model.reported);
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
