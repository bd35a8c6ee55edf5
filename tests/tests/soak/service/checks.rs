//! The checks: every kind, several of each, linked and known at run time.

use std::sync::Arc;
use std::time::Duration;

use servicekit_health::{Check, HealthState, Probe, Probes, health_check};

use super::chaos::Outcome;
use super::ledger::{Ledger, Pace};

/// The builder's defaults.
const TIMEOUT: Duration = Duration::from_millis(800);
const CACHE: Duration = Duration::from_millis(500);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What differs from one kind to the next.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// How many checks of it there are.
    count: usize,
    pace: Pace,
    timeout: Duration,
    is_blocking: bool,
    settings: fn(Check) -> Check,
}

const ON_DEMAND: Kind = Kind {
    name: "demand",
    count: 6,
    pace: Pace::Cache(CACHE),
    timeout: TIMEOUT,
    is_blocking: false,
    settings: |check| check,
};

const KINDS: [Kind; 14] = [
    ON_DEMAND,
    Kind {
        name: "quick",
        count: 4,
        pace: Pace::Cache(millis(100)),
        timeout: millis(300),
        ..ON_DEMAND
    },
    Kind { name: "uncached", count: 4, pace: Pace::Cache(Duration::ZERO), ..ON_DEMAND },
    Kind {
        name: "background",
        count: 4,
        pace: Pace::Interval(millis(200)),
        timeout: millis(150),
        ..ON_DEMAND
    },
    Kind { name: "slow-background", count: 4, pace: Pace::Interval(millis(1000)), ..ON_DEMAND },
    Kind { name: "shared", count: 3, settings: Check::shared, ..ON_DEMAND },
    Kind {
        name: "alive",
        count: 2,
        settings: |check| check.probe([Probe::Liveness, Probe::Readiness]),
        ..ON_DEMAND
    },
    Kind { name: "startup", count: 2, settings: |check| check.probe(Probe::Startup), ..ON_DEMAND },
    Kind { name: "seen", count: 2, settings: |check| check.probe(Probes::NONE), ..ON_DEMAND },
    Kind { name: "blocking", count: 4, is_blocking: true, ..ON_DEMAND },
    Kind {
        name: "blocking-background",
        count: 2,
        pace: Pace::Interval(millis(700)),
        timeout: millis(500),
        is_blocking: true,
        ..ON_DEMAND
    },
    Kind {
        name: "damped",
        count: 4,
        pace: Pace::Cache(millis(100)),
        timeout: millis(300),
        settings: |check| check.failure_threshold(3).success_threshold(2),
        ..ON_DEMAND
    },
    Kind {
        name: "escalating",
        count: 4,
        pace: Pace::Cache(millis(300)),
        settings: |check| check.on_error(HealthState::Degraded).unhealthy_after(millis(1500)),
        ..ON_DEMAND
    },
    // Far beyond the deadline.
    Kind { name: "late", count: 3, timeout: millis(10_000), ..ON_DEMAND },
];

impl Kind {
    fn name(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    fn check(&self, number: usize, ledger: &Arc<Ledger>) -> Check {
        let name = self.name(number);
        let book = ledger.book(&name, self.timeout, self.pace);
        let ledger = Arc::clone(ledger);
        let check = if self.is_blocking {
            Check::blocking(&name, move || ledger.run_blocking(&book))
        } else {
            Check::new(&name, move || {
                let (ledger, book) = (Arc::clone(&ledger), Arc::clone(&book));
                async move { ledger.run(&book).await }
            })
        };
        let check = match self.pace {
            Pace::Cache(cache) => check.cache(cache),
            Pace::Interval(interval) => check.interval(interval),
        };
        let tag = if number.is_multiple_of(2) { "even" } else { "odd" };
        (self.settings)(check.timeout(self.timeout).tags([tag]))
    }
}

/// Those that are known at run time only.
pub(super) fn dynamic(ledger: &Arc<Ledger>) -> Vec<Check> {
    let checks = |kind: &'static Kind| (0..kind.count).map(move |it| kind.check(it, ledger));
    KINDS.iter().flat_map(checks).collect()
}

/// The names of all checks.
pub(crate) fn names() -> Vec<String> {
    let dynamic = KINDS.iter().flat_map(|kind| (0..kind.count).map(|number| kind.name(number)));
    let linked = servicekit_health::registered().map(|check| check.name.to_owned());
    dynamic.chain(linked).collect()
}

/// Declared beside the code that they guard.
#[health_check(name = "linked-demand", tags = "linked")]
async fn on_demand(ledger: &Arc<Ledger>) -> Outcome {
    ledger.run(&ledger.book("linked-demand", TIMEOUT, Pace::Cache(CACHE))).await
}

#[health_check(name = "linked-background", interval = "300ms", timeout = "200ms", tags = "linked")]
async fn background(ledger: &Arc<Ledger>) -> Outcome {
    ledger.run(&ledger.book("linked-background", millis(200), Pace::Interval(millis(300)))).await
}

#[health_check(name = "linked-blocking", blocking, cache = "200ms", timeout = "400ms", shared)]
fn blocking(ledger: &Arc<Ledger>) -> Outcome {
    ledger.run_blocking(&ledger.book("linked-blocking", millis(400), Pace::Cache(millis(200))))
}

#[health_check(name = "linked-damped", failure_threshold = 2, unhealthy_after = "2s")]
async fn damped(ledger: Arc<Ledger>) -> Outcome {
    ledger.run(&ledger.book("linked-damped", TIMEOUT, Pace::Cache(CACHE))).await
}
