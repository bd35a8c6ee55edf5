//! The metrics through the facade of the crate `metrics`, into the recorder of the application.
//! Feature `metrics`.
//!
//! A recorder does not ask, so it is told whenever something changes: with each run, transition and
//! request. What changes by the passing of time alone, such as a background check that stopped
//! running, is found with the next request.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{
    SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use tokio::time::Instant;

use super::names::{
    CHECK_STATUS, DRAINING, DURATION, LAST_RUN, LAST_SUCCESS, REQUESTS, RUNS, STATUS, STREAMS,
    TRANSITIONS,
};
use super::timestamp;
use crate::evaluate::engine::Engine;
use crate::evaluate::events::{RunEnd, RunOutcome};
use crate::evaluate::group::GROUPS;
use crate::expose::endpoints::HealthEndpoint;
use crate::model::{CheckReport, DRAIN_ENTRY, HealthState, Transition};
use crate::sync::{Mutex, lock};

/// How often requests look for what has changed by the passing of time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// No state was told yet.
const UNTOLD: u8 = u8::MAX;

/// What tells the recorder of one `Health`.
#[derive(Default)]
pub(crate) struct Facade {
    /// In the order of the engine's checks, which is that of their names.
    checks: Vec<ToldCheck>,
    engine: OnceLock<Weak<Engine>>,
    looked: Mutex<Option<Instant>>,
}

struct ToldCheck {
    name: Arc<str>,
    state: AtomicU8,
}

impl Facade {
    /// For checks of these names, in order, and for these answers. The recorder learns every series,
    /// each with 0.
    pub(crate) fn new(checks: &[String], answers: &[(HealthEndpoint, StatusCode)]) -> Self {
        describe();
        let told = |name: &String| ToldCheck { name: (**name).into(), state: UNTOLD.into() };
        let facade = Self { checks: checks.iter().map(told).collect(), ..Self::default() };
        for group in GROUPS {
            tell_state(STATUS.name, ("scope", group.name.into()), None);
        }
        for ToldCheck { name, .. } in &facade.checks {
            tell_state(CHECK_STATUS.name, ("check", Arc::clone(name).into()), None);
            for outcome in RunOutcome::ALL {
                tell_run(name, outcome, 0);
            }
            // Known to the recorder, without a value.
            drop(histogram!(DURATION.name, "check" => Arc::clone(name)));
            for metric in [&LAST_RUN, &LAST_SUCCESS] {
                gauge!(metric.name, "check" => Arc::clone(name)).set(0.0);
            }
            for to in HealthState::ALL {
                tell_transition(Arc::clone(name).into(), to, 0);
            }
        }
        tell_transition(DRAIN_ENTRY.into(), HealthState::Unhealthy, 0);
        for (endpoint, status) in answers {
            tell_request(*endpoint, *status, 0);
        }
        gauge!(DRAINING.name).set(0.0);
        facade.streams(0);
        facade
    }

    /// States are read from this engine.
    pub(crate) fn read(&self, engine: &Arc<Engine>) {
        // An error says that it reads from one already.
        let _ = self.engine.set(Arc::downgrade(engine));
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.get()?.upgrade()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.checks.binary_search_by(|check| (*check.name).cmp(name)).ok()
    }

    pub(crate) fn run(&self, run: &RunEnd<'_>) {
        let Some(index) = self.find(run.check) else { return };
        let name = &self.checks[index].name;
        tell_run(name, run.outcome, 1);
        histogram!(DURATION.name, "check" => Arc::clone(name)).record(run.duration);
        self.changed(index);
    }

    pub(crate) fn transition(&self, transition: &Transition) {
        if transition.check == DRAIN_ENTRY {
            tell_transition(DRAIN_ENTRY.into(), transition.to, 1);
            gauge!(DRAINING.name).set(1.0);
            if let Some(engine) = self.engine() {
                tell_scopes(&engine);
            }
        } else if let Some(index) = self.find(&transition.check) {
            tell_transition(Arc::clone(&self.checks[index].name).into(), transition.to, 1);
            self.changed(index);
        }
    }

    pub(crate) fn request(&self, endpoint: HealthEndpoint, status: StatusCode, streams: u64) {
        tell_request(endpoint, status, 1);
        self.streams(streams);
        let now = Instant::now();
        let is_due = {
            let mut looked = lock(&self.looked);
            let is_due = looked.is_none_or(|at| now >= at + LOOK_EVERY);
            if is_due {
                *looked = Some(now);
            }
            is_due
        };
        if let Some(engine) = self.engine().filter(|_| is_due) {
            for (check, runner) in self.checks.iter().zip(engine.runners()) {
                check.tell(&runner.known(now));
            }
            tell_scopes(&engine);
        }
    }

    #[expect(clippy::unused_self, reason = "only what was announced is told")]
    pub(crate) fn streams(&self, open: u64) {
        #[expect(clippy::cast_precision_loss, reason = "2^53 streams are more than there are")]
        gauge!(STREAMS.name).set(open as f64);
    }

    /// Something about this check has changed.
    fn changed(&self, index: usize) {
        let Some(engine) = self.engine() else { return };
        if self.checks[index].tell(&engine.runners()[index].known(Instant::now())) {
            tell_scopes(&engine);
        }
    }
}

impl ToldCheck {
    /// Gives back whether the state differs from what was told before.
    fn tell(&self, report: &CheckReport) -> bool {
        // Before its first result there is nothing to tell: nothing may have asked for one yet.
        let Some(checked_at) = report.checked_at else { return false };
        let name = || SharedString::from(Arc::clone(&self.name));
        tell_state(CHECK_STATUS.name, ("check", name()), Some(report.state));
        for (metric, at) in [(&LAST_RUN, Some(checked_at)), (&LAST_SUCCESS, report.last_success)] {
            gauge!(metric.name, "check" => name()).set(timestamp(at));
        }
        self.state.swap(report.state as u8, Ordering::AcqRel) != report.state as u8
    }
}

/// The scopes of which every check has a result, and those that draining makes unhealthy.
fn tell_scopes(engine: &Engine) {
    for group in GROUPS {
        let report = engine.known(&engine.group(group));
        if report.draining || report.checks.values().all(|check| check.checked_at.is_some()) {
            tell_state(STATUS.name, ("scope", group.name.into()), Some(report.status));
        }
    }
}

/// 1 for the present state and 0 for the others.
fn tell_state(
    name: &'static str,
    (key, value): (&'static str, SharedString),
    present: Option<HealthState>,
) {
    for state in HealthState::ALL {
        let is_present = f64::from(u8::from(Some(state) == present));
        gauge!(name, key => value.clone(), "state" => state.as_str()).set(is_present);
    }
}

fn tell_run(check: &Arc<str>, outcome: RunOutcome, runs: u64) {
    let labels = [("check", Arc::clone(check).into()), ("outcome", outcome.as_str().into())];
    count(RUNS.name, labels, runs);
}

fn tell_transition(check: SharedString, to: HealthState, transitions: u64) {
    count(TRANSITIONS.name, [("check", check), ("to", to.as_str().into())], transitions);
}

fn tell_request(endpoint: HealthEndpoint, status: StatusCode, requests: u64) {
    let code = status.as_str().to_owned();
    count(REQUESTS.name, [("endpoint", endpoint.name().into()), ("code", code.into())], requests);
}

fn count(name: &'static str, labels: [(&'static str, SharedString); 2], more: u64) {
    let [(key, value), (other_key, other_value)] = labels;
    counter!(name, key => value, other_key => other_value).increment(more);
}

fn describe() {
    for metric in [&STATUS, &CHECK_STATUS, &DRAINING, &STREAMS] {
        describe_gauge!(metric.name, metric.help);
    }
    for metric in [&LAST_RUN, &LAST_SUCCESS] {
        describe_gauge!(metric.name, Unit::Seconds, metric.help);
    }
    for metric in [&RUNS, &TRANSITIONS, &REQUESTS] {
        describe_counter!(metric.name, Unit::Count, metric.help);
    }
    describe_histogram!(DURATION.name, Unit::Seconds, DURATION.help);
}
