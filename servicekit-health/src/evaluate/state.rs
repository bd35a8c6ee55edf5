//! What is known of one check: a plain value that is told what happened and when.
//!
//! No I/O, no runtime and no clock of its own, so every rule about caching, thresholds, staleness
//! and stuck runs is tested without any of them. It never runs a check: [`CheckState::demand`] says
//! whether one should be run, the engine does it and reports back.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::model::{CheckReport, CheckResult, HealthState, Transition};

/// A result older than this is not shown in place of one that is late.
const STALE_LIMIT: Duration = Duration::from_secs(30);

/// A background check is believed for this many intervals after its newest result.
const MISSED_INTERVALS: u32 = 3;

/// How long a cancelled async run may take to be dropped before readers are told it still runs.
const CANCEL_GRACE: Duration = Duration::from_millis(10);

/// The settings of one check, with the builder's defaults filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) on_error: HealthState,
    pub(crate) timeout: Duration,
    pub(crate) mode: Mode,
    pub(crate) failure_threshold: NonZeroU32,
    pub(crate) success_threshold: NonZeroU32,
    /// The run cannot be cancelled.
    pub(crate) blocking: bool,
}

/// When a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// When a reader finds the newest result older than `cache`.
    OnDemand { cache: Duration },
    /// By itself; readers only read.
    Background { interval: Duration },
}

/// One moment on both clocks: the monotonic one to measure with, the wall's to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }
}

/// What a reader has to do to get an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing: the answer is there.
    Answer,
    /// Wait for the live run, or for a background check's first.
    Join,
    /// Start a run, and wait for it.
    Start,
}

#[derive(Debug)]
pub(crate) struct CheckState {
    policy: Policy,
    run: Option<LiveRun>,
    newest: Option<Finished>,
    reported: Option<Reported>,
    streak: Streak,
    consecutive_failures: u32,
    /// How many there were in a row before the newest success.
    past_failures: u32,
    last_success: Option<SystemTime>,
}

/// A run that has the check's only slot.
#[derive(Clone, Copy, Debug)]
struct LiveRun {
    id: u64,
    started: Instant,
    timed_out: bool,
}

/// The newest result, before thresholds.
#[derive(Debug)]
struct Finished {
    result: CheckResult,
    at: Moment,
    took: Duration,
}

/// The state that readers are told, and the newest result that was of that state.
#[derive(Debug)]
struct Reported {
    result: CheckResult,
    since: Moment,
}

/// How many results in a row lay on one side of the reported state.
#[derive(Debug, Default)]
struct Streak {
    worse: u32,
    better: u32,
}

impl CheckState {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            run: None,
            newest: None,
            reported: None,
            streak: Streak::default(),
            consecutive_failures: 0,
            past_failures: 0,
            last_success: None,
        }
    }

    /// What a reader at `now` has to do before it asks for the [`answer`](Self::answer).
    pub(crate) fn demand(&self, now: Instant) -> Demand {
        match (self.policy.mode, self.run) {
            (Mode::Background { .. }, _) if self.newest.is_none() => Demand::Join,
            (Mode::Background { .. }, _) => Demand::Answer,
            (Mode::OnDemand { .. }, _) if self.is_fresh(now) => Demand::Answer,
            (Mode::OnDemand { .. }, None) => Demand::Start,
            (Mode::OnDemand { .. }, Some(run)) if run.timed_out => Demand::Answer,
            (Mode::OnDemand { .. }, Some(_)) => Demand::Join,
        }
    }

    /// Whether a run has the slot, however long it has had it.
    pub(crate) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Whether there has been no result yet.
    pub(crate) fn is_unknown(&self) -> bool {
        self.newest.is_none()
    }

    /// A run starts. There must be none.
    pub(crate) fn on_start(&mut self, id: u64, now: Instant) {
        debug_assert!(self.run.is_none(), "at most one live run of a check");
        self.run = Some(LiveRun { id, started: now, timed_out: false });
    }

    /// The live run came to `result`. It keeps the slot until [`on_release`](Self::on_release).
    pub(crate) fn on_result(
        &mut self,
        check: &str,
        result: CheckResult,
        now: Moment,
    ) -> Option<Transition> {
        let took = self.run.map_or(Duration::ZERO, |run| now.instant - run.started);
        let failures = self.count(&result, now);
        let transition = self.report_or_hold_back(&result, now).map(|left| Transition {
            check: check.to_owned(),
            from: left.result.state,
            to: result.state,
            message: result.message.clone(),
            lasted: now.instant - left.since.instant,
            failures,
            missed: 0,
        });
        self.newest = Some(Finished { result, at: now, took });
        transition
    }

    /// Gives back how many results in a row were not healthy: up to and with this one, or before
    /// the healthy ones that it ends.
    fn count(&mut self, result: &CheckResult, now: Moment) -> u32 {
        if result.state != HealthState::Healthy {
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
            return self.consecutive_failures;
        }
        self.last_success = Some(now.wall);
        if self.consecutive_failures > 0 {
            self.past_failures = std::mem::take(&mut self.consecutive_failures);
        }
        self.past_failures
    }

    /// Applies the thresholds. Gives back what was reported until now where its state changed.
    fn report_or_hold_back(&mut self, result: &CheckResult, now: Moment) -> Option<Reported> {
        let Some(reported) = &mut self.reported else {
            self.reported = Some(Reported { result: result.clone(), since: now });
            return None;
        };
        let change = match result.state.cmp(&reported.result.state) {
            Ordering::Equal => {
                self.streak = Streak::default();
                reported.result = result.clone();
                return None;
            }
            Ordering::Greater => {
                let worse = self.streak.worse + 1;
                self.streak = Streak { worse, better: 0 };
                worse >= self.policy.failure_threshold.get()
            }
            Ordering::Less => {
                let better = self.streak.better + 1;
                self.streak = Streak { worse: 0, better };
                better >= self.policy.success_threshold.get()
            }
        };
        change.then(|| {
            self.streak = Streak::default();
            std::mem::replace(reported, Reported { result: result.clone(), since: now })
        })
    }

    /// The live run exceeded its timeout, which is the result given back; the slot stays taken.
    pub(crate) fn on_timeout(&mut self) -> CheckResult {
        if let Some(run) = &mut self.run {
            run.timed_out = true;
        }
        let message = format!("timed out after {:?}", self.policy.timeout);
        CheckResult::new(self.policy.on_error).with_message(message)
    }

    /// The run `id` is over and gives up the slot.
    pub(crate) fn on_release(&mut self, id: u64) {
        self.run.take_if(|run| run.id == id);
    }

    /// The answer for a reader at `now`; `late` if its deadline passed before the live run ended.
    pub(crate) fn answer(&self, now: Instant, late: bool) -> CheckReport {
        let mut report = match &self.newest {
            None => self.failing("no result yet".to_owned()),
            Some(newest) => self.believed(newest, now, late),
        };
        if late && self.newest.is_none() {
            report.message = Some("no result within the deadline".to_owned());
        }
        if let Some(newest) = &self.newest {
            report.checked_at = Some(newest.at.wall);
            report.age = Some(now - newest.at.instant);
            report.duration = Some(newest.took);
        }
        report.consecutive_failures = self.consecutive_failures;
        report.last_success = self.last_success;
        report
    }

    /// What can be said at `now`, given that there is a result.
    fn believed(&self, newest: &Finished, now: Instant, late: bool) -> CheckReport {
        let age = now - newest.at.instant;
        if let Some(run) = self.run.filter(|run| run.timed_out && !self.is_fresh(now)) {
            return self.failing(format!("still running for {}", seconds(now - run.started)));
        }
        if self.expires(newest).is_some_and(|end| now > end) {
            return self.failing(format!("no result for {}", seconds(age)));
        }
        if late && age >= STALE_LIMIT {
            return self.failing(format!(
                "no result within the deadline, the last one is {} old",
                seconds(age)
            ));
        }
        let reported = self.reported.as_ref().map_or(&newest.result, |it| &it.result);
        let held_back = newest.result.state != reported.state;
        CheckReport {
            state: reported.state,
            message: reported.message.clone(),
            details: reported.details.clone(),
            raw_state: held_back.then_some(newest.result.state),
            raw_message: newest.result.message.clone().filter(|_| held_back),
            since: self.reported.as_ref().map(|it| it.since.wall),
            stale: late,
            ..CheckReport::default()
        }
    }

    /// An answer that is no result: it takes `on_error`, and counts for nothing.
    fn failing(&self, message: String) -> CheckReport {
        CheckReport::new(self.policy.on_error, message)
    }

    /// Until when the answer of `now` stays the same unless something happens; `now` if it moves.
    pub(crate) fn valid_until(&self, now: Instant) -> Instant {
        match (&self.newest, self.run) {
            (None, _) => now,
            (Some(newest), Some(run)) if run.timed_out => self.fresh_until(newest).max(now),
            (Some(newest), _) => self.expires(newest).unwrap_or_else(|| self.fresh_until(newest)),
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.newest.as_ref().is_some_and(|newest| now < self.fresh_until(newest))
    }

    /// When readers want something newer than `newest`.
    fn fresh_until(&self, newest: &Finished) -> Instant {
        let window = match self.policy.mode {
            Mode::OnDemand { cache } => cache,
            Mode::Background { interval } => interval,
        };
        let being_dropped = !self.policy.blocking && self.run.is_some_and(|run| run.timed_out);
        let grace = if being_dropped { CANCEL_GRACE } else { Duration::ZERO };
        newest.at.instant + window.max(grace)
    }

    /// When `newest` stops being believed, for a background check.
    fn expires(&self, newest: &Finished) -> Option<Instant> {
        match self.policy.mode {
            Mode::OnDemand { .. } => None,
            Mode::Background { interval } => Some(newest.at.instant + interval * MISSED_INTERVALS),
        }
    }
}

/// `12.3s`
fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "state_model.rs"]
mod model_tests;
