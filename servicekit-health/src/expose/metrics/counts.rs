//! What only grows, for the feature `prometheus`.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use prometheus_client::metrics::histogram::Histogram;

use super::names::BUCKETS;
use crate::evaluate::events::{RunEnd, RunOutcome};
use crate::expose::endpoints::HealthEndpoint;
use crate::model::{DRAIN_ENTRY, HealthState, Transition};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Counters and histograms of one `Health`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// In the order of their names.
    checks: Vec<CheckCounts>,
    drains: AtomicU64,
    requests: Mutex<BTreeMap<(HealthEndpoint, StatusCode), u64>>,
}

#[derive(Debug)]
pub(crate) struct CheckCounts {
    pub(crate) name: String,
    /// By outcome, in the order of [`RunOutcome::ALL`].
    runs: [AtomicU64; RunOutcome::ALL.len()],
    pub(crate) durations: Histogram,
    /// By the state after it.
    transitions: [AtomicU64; HealthState::ALL.len()],
}

impl Counts {
    /// For checks of these names, in order, and for these answers; everything is zero.
    pub(crate) fn new(checks: Vec<String>, answers: &[(HealthEndpoint, StatusCode)]) -> Self {
        let counts = |name| CheckCounts {
            name,
            runs: Default::default(),
            durations: Histogram::new(BUCKETS),
            transitions: Default::default(),
        };
        Self {
            checks: checks.into_iter().map(counts).collect(),
            drains: AtomicU64::new(0),
            requests: Mutex::new(answers.iter().map(|answer| (*answer, 0)).collect()),
        }
    }

    fn find(&self, name: &str) -> Option<&CheckCounts> {
        let index = self.checks.binary_search_by(|check| check.name.as_str().cmp(name)).ok()?;
        Some(&self.checks[index])
    }

    pub(crate) fn run(&self, run: &RunEnd<'_>) {
        let Some(check) = self.find(run.check) else { return };
        let outcomes = RunOutcome::ALL.iter().zip(&check.runs);
        for (_, runs) in outcomes.filter(|(outcome, _)| **outcome == run.outcome) {
            runs.fetch_add(1, Ordering::Relaxed);
        }
        check.durations.observe(run.duration.as_secs_f64());
    }

    pub(crate) fn transition(&self, transition: &Transition) {
        if transition.check == DRAIN_ENTRY {
            self.drains.fetch_add(1, Ordering::Relaxed);
        } else if let Some(check) = self.find(&transition.check) {
            check.transitions[transition.to as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn request(&self, endpoint: HealthEndpoint, status: StatusCode) {
        *lock(&self.requests).entry((endpoint, status)).or_default() += 1;
    }

    pub(crate) fn checks(&self) -> &[CheckCounts] {
        &self.checks
    }

    /// How often draining began: 0 or 1.
    pub(crate) fn drains(&self) -> u64 {
        self.drains.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> BTreeMap<(HealthEndpoint, StatusCode), u64> {
        lock(&self.requests).clone()
    }
}

impl CheckCounts {
    /// How many runs had each outcome.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (RunOutcome, u64)> {
        let counts = self.runs.iter().map(|runs| runs.load(Ordering::Relaxed));
        RunOutcome::ALL.into_iter().zip(counts)
    }

    /// How many transitions led to each state.
    pub(crate) fn transitions(&self) -> impl Iterator<Item = (HealthState, u64)> {
        let counts = self.transitions.iter().map(|count| count.load(Ordering::Relaxed));
        HealthState::ALL.into_iter().zip(counts)
    }
}
