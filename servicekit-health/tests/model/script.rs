//! What a case is made of: random checks, and random traffic against them.

use std::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{HealthState, Probe};

/// Times are in milliseconds.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) deadline: u64,
    pub(crate) watch_interval: u64,
    pub(crate) checks: Vec<Plan>,
    pub(crate) steps: Vec<Step>,
}

/// A line for each, where the derived form takes hundreds.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "deadline {}, watch interval {}", self.deadline, self.watch_interval)?;
        for plan in &self.checks {
            writeln!(f, "  {plan:?}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {step:?}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) when: When,
    /// Even, where a run takes an odd time: nothing ends just as it times out.
    pub(crate) timeout: u64,
    pub(crate) on_error: HealthState,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
    pub(crate) probes: Vec<Probe>,
    /// One after the other, and again from the first.
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Cache(u64),
    Interval(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) takes: u64,
    pub(crate) ends: Ends,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    With(HealthState),
    WithError,
    WithPanic,
    Never,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Nothing happens for so long; zero lets what is ready run.
    Wait(u64),
    /// A reader, which goes away after `patience`.
    Ask {
        what: Ask,
        patience: Option<u64>,
    },
    Stream {
        period: u64,
        on_change: bool,
        patience: Option<u64>,
    },
    Subscribe {
        patience: Option<u64>,
    },
    Drain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) scope: Scope,
    pub(crate) way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    Probe(Probe),
    /// One check, by its number; modulo how many there are.
    One(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Handle,
    Http,
    Verbose,
}

fn state() -> impl Strategy<Value = HealthState> {
    prop_oneof![3 => Just(Healthy), 1 => Just(Degraded), 2 => Just(Unhealthy)]
}

fn run() -> impl Strategy<Value = Run> {
    let takes = prop_oneof![
        2 => Just(0),
        6 => (0..200u64).prop_map(|half| 2 * half + 1),
        1 => (0..1_500u64).prop_map(|half| 2 * half + 1),
    ];
    let ends = prop_oneof![
        12 => state().prop_map(Ends::With),
        3 => Just(Ends::WithError),
        2 => Just(Ends::WithPanic),
        2 => Just(Ends::Never),
    ];
    (takes, ends).prop_map(|(takes, ends)| Run { takes, ends })
}

fn probes() -> impl Strategy<Value = Vec<Probe>> {
    prop_oneof![
        4 => Just(vec![Probe::Readiness]),
        1 => Just(vec![Probe::Liveness]),
        2 => Just(vec![Probe::Startup]),
        1 => Just(vec![Probe::Liveness, Probe::Readiness]),
        1 => Just(vec![Probe::Readiness, Probe::Startup]),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let when = prop_oneof![
        2 => Just(When::Cache(0)),
        5 => (1..600u64).prop_map(When::Cache),
        2 => (150..1_500u64).prop_map(When::Interval),
    ];
    let timeout = prop_oneof![
        4 => (10..250u64).prop_map(|half| 2 * half),
        1 => (250..1_500u64).prop_map(|half| 2 * half),
        1 => (1_500..5_000u64).prop_map(|half| 2 * half),
    ];
    let on_error = prop_oneof![1 => Just(Degraded), 2 => Just(Unhealthy)];
    let threshold = || prop_oneof![3 => Just(1), 2 => 2..4u32];
    (when, timeout, on_error, threshold(), threshold(), probes(), vec(run(), 1..8)).prop_map(
        |(when, timeout, on_error, failure_threshold, success_threshold, probes, runs)| Plan {
            when,
            timeout,
            on_error,
            failure_threshold,
            success_threshold,
            probes,
            runs,
        },
    )
}

/// A pause between two steps.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![
        30 => Just(0),
        30 => 1..40u64,
        40 => 40..700u64,
        3 => 700..5_000u64,
        1 => 29_000..33_000u64,
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let scope = prop_oneof![
        5 => Just(Scope::All),
        3 => prop::sample::select(Probe::ALL).prop_map(Scope::Probe),
        3 => (0..3usize).prop_map(Scope::One),
    ];
    let way = prop_oneof![Just(Way::Handle), Just(Way::Http), Just(Way::Verbose)];
    (scope, way).prop_map(|(scope, way)| Ask { scope, way })
}

fn step() -> impl Strategy<Value = Step> {
    let patience = || prop_oneof![2 => Just(None), 1 => (0..300u64).prop_map(Some)];
    let stays = || option::of(1..4_000u64);
    let stream = (100..2_500u64, any::<bool>(), stays());
    prop_oneof![
        40 => pause().prop_map(Step::Wait),
        40 => (ask(), patience()).prop_map(|(what, patience)| Step::Ask { what, patience }),
        3 => stream.prop_map(|(period, on_change, patience)| {
            Step::Stream { period, on_change, patience }
        }),
        3 => stays().prop_map(|patience| Step::Subscribe { patience }),
        1 => Just(Step::Drain),
    ]
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let deadline = prop_oneof![4 => Just(900), 4 => 50..1_200u64, 1 => 3_900..9_000u64];
    let watch_interval = 300..6_000u64;
    (deadline, watch_interval, vec(plan(), 1..4), vec(step(), 1..50)).prop_map(
        |(deadline, watch_interval, checks, steps)| Script {
            deadline,
            watch_interval,
            checks,
            steps,
        },
    )
}
