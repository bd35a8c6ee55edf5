//! What is known of one check: a plain value that is told what happened and when.
//!
//! No I/O, no runtime and no clock of its own, so every rule about caching, thresholds, staleness
//! and stuck runs is tested without any of them. It never runs a check: [`CheckState::demand`] says
//! whether one should be run, the engine does it and reports back.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::reported::ReportedState;
use super::settings::{Mode, ResolvedSettings};
use crate::model::{CheckResult, HealthState, Transition};

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

    /// What the wall clock of this moment says of another one. Counted on the monotonic clock, so
    /// that a wall clock which was set back puts no event after a later one.
    pub(super) fn wall_of(self, other: Instant) -> Option<SystemTime> {
        match other.checked_duration_since(self.instant) {
            Some(after) => self.wall.checked_add(after),
            None => self.wall.checked_sub(self.instant - other),
        }
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

/// What a result changed.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// The change of the reported state, if there is one.
    pub(crate) transition: Option<Transition>,
    /// Whether the reported state or message differs from before.
    pub(crate) differs: bool,
    /// How long the run took.
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) struct CheckState {
    pub(super) settings: ResolvedSettings,
    pub(super) run: Option<LiveRun>,
    /// The run that brought the newest result.
    newest_run: u64,
    pub(super) newest: Option<LastResult>,
    pub(super) reported: Option<ReportedState>,
    streak: Streak,
    pub(super) consecutive_failures: u32,
    /// How many there were in a row before the newest success.
    past_failures: u32,
    pub(super) last_success: Option<Instant>,
}

/// The one run of a check that may be under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiveRun {
    id: u64,
    started: Instant,
    /// It waits until fewer runs are under way. Its timeout has not begun.
    waits_for_permit: bool,
    pub(super) timed_out: bool,
}

/// The newest result, before thresholds.
#[derive(Debug)]
pub(super) struct LastResult {
    pub(super) result: CheckResult,
    pub(super) at: Moment,
    pub(super) took: Duration,
}

/// How many results in a row lay on one side of the reported state.
#[derive(Debug, Default)]
struct Streak {
    worse: u32,
    better: u32,
}

impl CheckState {
    pub(crate) fn new(settings: ResolvedSettings) -> Self {
        Self {
            settings,
            run: None,
            newest_run: 0,
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
        match (self.settings.mode, self.run) {
            // Its first run may not have begun.
            (Mode::Background { .. }, None) if self.newest.is_none() => Demand::Start,
            (Mode::Background { .. }, Some(_)) if self.newest.is_none() => Demand::Join,
            (Mode::Background { .. }, _) => Demand::Answer,
            (Mode::OnDemand { .. }, _) if self.is_fresh(now) => Demand::Answer,
            (Mode::OnDemand { .. }, None) => Demand::Start,
            (Mode::OnDemand { .. }, Some(run)) if run.timed_out => Demand::Answer,
            (Mode::OnDemand { .. }, Some(_)) => Demand::Join,
        }
    }

    /// The run that is under way, however long it has been.
    pub(crate) fn live_run(&self) -> Option<u64> {
        self.run.map(|run| run.id)
    }

    /// The run that is under way and has no result yet.
    pub(crate) fn awaited_run(&self) -> Option<u64> {
        self.run.filter(|run| !run.timed_out).map(|run| run.id)
    }

    /// When the run that has no result yet was started.
    #[cfg(any(feature = "grpc", all(unix, feature = "systemd")))]
    pub(crate) fn awaited_since(&self) -> Option<Instant> {
        self.run.filter(|run| !run.timed_out).map(|run| run.started)
    }

    /// Whether there has been no result yet.
    pub(crate) fn is_unknown(&self) -> bool {
        self.newest.is_none()
    }

    /// Whether the run `id`, or one after it, brought a result.
    pub(crate) fn has_result_of(&self, id: u64) -> bool {
        self.newest_run >= id
    }

    /// How long the live run has been over its timeout.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Duration> {
        let run = self.run.filter(|run| !run.waits_for_permit)?;
        now.checked_duration_since(run.started + self.settings.timeout)
    }

    /// A run starts. There must be none. The ids of a check's runs grow, from 1.
    pub(crate) fn on_start(&mut self, id: u64, now: Instant, waits_for_permit: bool) {
        debug_assert!(self.run.is_none(), "at most one live run of a check");
        self.run = Some(LiveRun { id, started: now, waits_for_permit, timed_out: false });
    }

    /// The run `id` has waited for its permit and begins now.
    pub(crate) fn on_permit(&mut self, id: u64, now: Instant) {
        if let Some(run) = self.run.as_mut().filter(|run| run.id == id) {
            run.started = now;
            run.waits_for_permit = false;
        }
    }

    /// The run `id` has this result, and is over.
    ///
    /// `None` where the result is not wanted any more: the run timed out, or was given up.
    pub(crate) fn on_result(
        &mut self,
        check: &str,
        id: u64,
        result: CheckResult,
        now: Moment,
    ) -> Option<Recorded> {
        let run = self.run.take_if(|run| run.id == id && !run.timed_out)?;
        Some(self.record(check, run, result, now))
    }

    /// The run `id` exceeded its timeout, which is its result; it may still be under way.
    pub(crate) fn on_timeout(&mut self, check: &str, id: u64, now: Moment) -> Option<Recorded> {
        let run = self.run.as_mut().filter(|run| run.id == id && !run.timed_out)?;
        run.timed_out = true;
        let run = *run;
        let result = self.settings.failure(format!("timed out after {:?}", self.settings.timeout));
        Some(self.record(check, run, result, now))
    }

    fn record(&mut self, check: &str, run: LiveRun, result: CheckResult, now: Moment) -> Recorded {
        let before = self.reported.as_ref().map(|it| (it.state(), it.since(), it.message()));
        let failures = self.count(&result, now.instant);
        let reported = self.report_or_hold_back(&result, now.instant);
        let to = reported.state();
        let differs = match &before {
            Some((state, _, message)) => *state != to || *message != reported.message(),
            None => true,
        };
        let changes = match &before {
            Some((from, ..)) => *from != to,
            // A check that starts out healthy is no news.
            None => to != HealthState::Healthy,
        };
        let transition = changes.then(|| Transition {
            check: check.to_owned(),
            from: before.as_ref().map(|(from, ..)| *from),
            to,
            message: result.message.clone(),
            at: now.wall,
            lasted: before.as_ref().map(|(_, since, _)| now.instant - *since),
            failures,
            missed: 0,
        });
        let took = now.instant.saturating_duration_since(run.started);
        self.newest_run = run.id;
        self.newest = Some(LastResult { result, at: now, took });
        Recorded { transition, differs, took }
    }

    /// Gives back how many results in a row were not healthy: up to and with this one, or before
    /// the healthy ones that it ends.
    fn count(&mut self, result: &CheckResult, now: Instant) -> u32 {
        if result.state != HealthState::Healthy {
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
            return self.consecutive_failures;
        }
        self.last_success = Some(now);
        if self.consecutive_failures > 0 {
            self.past_failures = std::mem::take(&mut self.consecutive_failures);
        }
        self.past_failures
    }

    /// Applies the thresholds. Gives back what is reported from now on.
    fn report_or_hold_back(&mut self, result: &CheckResult, now: Instant) -> &ReportedState {
        let is_first = self.reported.is_none();
        let reported = self.reported.get_or_insert_with(|| ReportedState::new(result, now));
        if is_first {
            return reported;
        }
        let change = match result.state.cmp(&reported.result.state) {
            Ordering::Equal => {
                self.streak = Streak::default();
                reported.result = result.clone();
                return reported;
            }
            Ordering::Greater => {
                let worse = self.streak.worse + 1;
                self.streak = Streak { worse, better: 0 };
                worse >= self.settings.failure_threshold.get()
            }
            Ordering::Less => {
                let better = self.streak.better + 1;
                self.streak = Streak { worse: 0, better };
                better >= self.settings.success_threshold.get()
            }
        };
        if change {
            self.streak = Streak::default();
            // What was escalated to unhealthy and now is so by itself goes on being so.
            let goes_on = reported.state() == result.state;
            let since = if goes_on { reported.since() } else { now };
            *reported = ReportedState::new(result, since);
        }
        reported
    }

    /// Reports unhealthy what has been reported degraded for as long as the check allows. Readers
    /// call this before they ask for the [`answer`](Self::answer).
    pub(crate) fn escalate(
        &mut self,
        check: &str,
        now: Instant,
        wall: impl FnOnce() -> SystemTime,
    ) -> Option<Transition> {
        let end = self.escalates().filter(|end| now >= *end)?;
        let reported = self.reported.as_mut()?;
        let lasted = end - reported.since();
        reported.escalate(end);
        Some(Transition {
            check: check.to_owned(),
            from: Some(HealthState::Degraded),
            to: HealthState::Unhealthy,
            message: reported.message(),
            at: wall(),
            lasted: Some(lasted),
            failures: self.consecutive_failures,
            missed: 0,
        })
    }

    /// When the reported state will have been degraded for too long.
    pub(super) fn escalates(&self) -> Option<Instant> {
        let reported = self.reported.as_ref()?;
        (reported.state() == HealthState::Degraded).then_some(())?;
        Some(reported.since() + self.settings.unhealthy_after?)
    }

    /// The run `id` is over, with a result or without one.
    pub(crate) fn on_release(&mut self, id: u64) {
        self.run.take_if(|run| run.id == id);
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "state_model.rs"]
mod model_tests;
