//! What readers are told of one check, and for how long: the reading half of its state.

use std::time::Duration;

use tokio::time::Instant;

use super::reported::ReportedState;
use super::settings::Mode;
use super::state::{CheckState, LastResult};
use crate::model::{CheckReport, HealthState};

/// A result older than this is not shown in place of one that is late.
const STALE_LIMIT: Duration = Duration::from_secs(30);

/// A background check is believed for this many intervals after its newest result.
const MISSED_INTERVALS: u32 = 3;

/// How long a cancelled async run may take to be dropped before readers are told it still runs.
const CANCEL_GRACE: Duration = Duration::from_millis(10);

impl CheckState {
    /// The answer for a reader at `now`; `late` if its deadline passed before the live run ended.
    pub(crate) fn answer(&self, now: Instant, late: bool) -> CheckReport {
        let mut report = match &self.newest {
            None if late => self.failing("no result within the deadline"),
            None => self.failing("no result yet"),
            Some(newest) => self.believed(newest, now, late),
        };
        if let Some(newest) = &self.newest {
            report.checked_at = Some(newest.at.wall);
            report.age = Some(now.saturating_duration_since(newest.at.instant));
            report.duration = Some(newest.took);
            report.last_success = self.last_success.and_then(|at| newest.at.wall_of(at));
        }
        report.consecutive_failures = self.consecutive_failures;
        report
    }

    /// What can be said at `now`, given that there is a result.
    ///
    /// No message holds a number that moves: a stream that sends what differs would send always.
    fn believed(&self, newest: &LastResult, now: Instant, late: bool) -> CheckReport {
        let age = now.saturating_duration_since(newest.at.instant);
        if self.run.is_some_and(|run| run.timed_out) && !self.is_fresh(now) {
            let timeout = self.settings.timeout;
            return self.failing(format!("still running after its timeout of {timeout:?}"));
        }
        if let Some(limit) = self.longest_silence().filter(|limit| age > *limit) {
            return self.failing(format!("no result for more than {limit:?}"));
        }
        if late && age >= STALE_LIMIT {
            return self.failing(format!(
                "no result within the deadline, and the last one is older than {STALE_LIMIT:?}"
            ));
        }
        let Some(reported) = &self.reported else { return CheckReport::default() };
        let state = reported.state();
        let held_back = newest.result.state != state;
        CheckReport {
            state,
            message: reported.message(),
            details: reported.result.details.clone(),
            raw_state: held_back.then_some(newest.result.state),
            raw_message: newest.result.message.clone().filter(|_| held_back),
            since: newest.at.wall_of(reported.since()),
            stale: late,
            ..CheckReport::default()
        }
    }

    /// An answer that is no result: it takes `on_error`, and counts for nothing. What was degraded
    /// for too long stays unhealthy, as its transition says, until a result ends that.
    fn failing(&self, message: impl Into<String>) -> CheckReport {
        let is_escalated = self.reported.as_ref().is_some_and(ReportedState::is_escalated);
        let state = if is_escalated { HealthState::Unhealthy } else { self.settings.on_error };
        CheckReport::new(state, message)
    }

    /// Until when the answer of `now` stays the same unless something happens; `now` if it moves.
    pub(crate) fn valid_until(&self, now: Instant) -> Instant {
        let until = match (&self.newest, self.run) {
            (None, _) => return now,
            (Some(newest), Some(run)) if run.timed_out && self.is_fresh(now) => {
                self.fresh_until(newest)
            }
            // It is still running until it is released.
            (Some(_), Some(run)) if run.timed_out => now + STALE_LIMIT,
            (Some(newest), _) => match self.longest_silence() {
                Some(limit) => newest.at.instant + limit,
                None => self.fresh_until(newest),
            },
        };
        self.escalates().map_or(until, |end| until.min(end))
    }

    /// Whether the newest result still serves readers.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.newest.as_ref().is_some_and(|newest| now < self.fresh_until(newest))
    }

    /// When readers want something newer than `newest`.
    fn fresh_until(&self, newest: &LastResult) -> Instant {
        let window = match self.settings.mode {
            Mode::OnDemand { cache } => cache,
            Mode::Background { interval } => interval,
        };
        let being_dropped = !self.settings.blocking && self.run.is_some_and(|run| run.timed_out);
        let grace = if being_dropped { CANCEL_GRACE } else { Duration::ZERO };
        newest.at.instant + window.max(grace)
    }

    /// How long the newest result of a background check is believed. A run may take its whole
    /// timeout, so that one which is merely slow never looks dead.
    fn longest_silence(&self) -> Option<Duration> {
        match self.settings.mode {
            Mode::OnDemand { .. } => None,
            Mode::Background { interval } => {
                Some((interval * MISSED_INTERVALS).max(interval + self.settings.timeout))
            }
        }
    }
}
