//! Every rule of `CheckState`, without a runtime.

use std::num::NonZeroU32;

use crate::model::CheckReport;

use super::*;
use HealthState::{Degraded, Healthy, Unhealthy};

/// A check on a clock that the test moves by hand.
struct Bench {
    state: CheckState,
    now: Moment,
    runs: u64,
}

fn policy(cache: u64) -> ResolvedSettings {
    ResolvedSettings {
        on_error: Unhealthy,
        timeout: Duration::from_millis(400),
        mode: Mode::OnDemand { cache: Duration::from_millis(cache) },
        failure_threshold: NonZeroU32::MIN,
        success_threshold: NonZeroU32::MIN,
        unhealthy_after: None,
        blocking: false,
    }
}

fn background(interval: u64) -> ResolvedSettings {
    ResolvedSettings {
        mode: Mode::Background { interval: Duration::from_millis(interval) },
        ..policy(0)
    }
}

fn thresholds(failure: u32, success: u32) -> ResolvedSettings {
    ResolvedSettings {
        failure_threshold: NonZeroU32::new(failure).unwrap(),
        success_threshold: NonZeroU32::new(success).unwrap(),
        ..policy(0)
    }
}

impl Bench {
    fn new(policy: ResolvedSettings) -> Self {
        Self { state: CheckState::new(policy), now: Moment::now(), runs: 0 }
    }

    fn wait(&mut self, millis: u64) -> &mut Self {
        self.now.instant += Duration::from_millis(millis);
        self.now.wall += Duration::from_millis(millis);
        self
    }

    fn start(&mut self) -> &mut Self {
        self.runs += 1;
        self.state.on_start(self.runs, self.now.instant, false);
        self
    }

    fn release(&mut self) -> &mut Self {
        self.state.on_release(self.runs);
        self
    }

    fn time_out(&mut self) -> Option<Transition> {
        self.state.on_timeout("redis", self.runs, self.now)?.transition
    }

    fn run(&mut self, result: CheckResult) -> Option<Transition> {
        self.start();
        let recorded = self.state.on_result("redis", self.runs, result, self.now);
        self.release();
        recorded?.transition
    }

    /// Runs that end in these states, and what is reported after each.
    fn reported_after(&mut self, states: &[HealthState]) -> Vec<HealthState> {
        let after = |state: &HealthState| {
            self.run(CheckResult::new(*state));
            self.state.answer(self.now.instant, false).state
        };
        states.iter().map(after).collect()
    }

    fn demand(&self) -> Demand {
        self.state.demand(self.now.instant)
    }

    fn answer(&self) -> CheckReport {
        self.state.answer(self.now.instant, false)
    }

    fn late_answer(&self) -> CheckReport {
        self.state.answer(self.now.instant, true)
    }
}

fn said(report: &CheckReport) -> (HealthState, &str) {
    (report.state, report.message.as_deref().unwrap_or_default())
}

#[test]
fn the_first_reader_starts_a_run_and_the_next_joins_it() {
    let mut check = Bench::new(policy(500));
    assert_eq!(check.demand(), Demand::Start);
    check.start();
    assert_eq!(check.demand(), Demand::Join);
}

#[test]
fn a_result_serves_for_its_cache_time_from_the_end_of_its_run() {
    let mut check = Bench::new(policy(500));
    check.start().wait(300);
    check.state.on_result("redis", check.runs, CheckResult::healthy(), check.now);
    check.release().wait(499);
    assert_eq!(check.demand(), Demand::Answer);
    check.wait(1);
    assert_eq!(check.demand(), Demand::Start);
}

#[test]
fn without_a_cache_every_reader_starts_a_run_or_joins_one() {
    let mut check = Bench::new(policy(0));
    check.run(CheckResult::healthy());
    assert_eq!(check.demand(), Demand::Start);
    check.start();
    assert_eq!(check.demand(), Demand::Join);
}

#[test]
fn a_timed_out_run_keeps_its_slot_and_is_reported_as_still_running() {
    let mut check = Bench::new(policy(500));
    check.start().wait(400);
    check.time_out();
    assert_eq!(said(&check.answer()), (Unhealthy, "timed out after 400ms"));
    check.wait(499);
    assert_eq!(said(&check.answer()), (Unhealthy, "timed out after 400ms"));
    check.wait(11_401);
    assert_eq!(check.demand(), Demand::Answer);
    assert_eq!(said(&check.answer()), (Unhealthy, "still running after its timeout of 400ms"));
    check.release();
    assert_eq!(check.demand(), Demand::Start);
}

#[test]
fn a_cancelled_run_has_a_moment_to_be_dropped() {
    let mut check = Bench::new(policy(0));
    check.start().wait(400);
    check.time_out();
    assert_eq!(check.answer().message.unwrap(), "timed out after 400ms");
    check.wait(10);
    assert_eq!(check.answer().message.unwrap(), "still running after its timeout of 400ms");

    let blocking = ResolvedSettings { blocking: true, ..policy(0) };
    let mut check = Bench::new(blocking);
    check.start().wait(400);
    check.time_out();
    assert_eq!(check.answer().message.unwrap(), "still running after its timeout of 400ms");
}

#[test]
fn still_running_counts_for_nothing() {
    let mut check = Bench::new(ResolvedSettings {
        failure_threshold: NonZeroU32::new(2).unwrap(),
        ..policy(0)
    });
    check.run(CheckResult::healthy());
    check.start().wait(400);
    assert_eq!(check.time_out(), None);
    for _ in 0..5 {
        check.wait(1_000);
        assert_eq!(check.answer().state, Unhealthy);
    }
    assert_eq!(check.answer().consecutive_failures, 1);
    check.release();
    assert_eq!(check.answer().state, Healthy, "one of two needed results");
}

#[test]
fn a_late_reader_gets_the_last_result_marked_stale() {
    let mut check = Bench::new(policy(500));
    check.run(CheckResult::degraded("slow"));
    check.wait(29_999).start();
    let answer = check.late_answer();
    assert!(answer.stale);
    assert_eq!(said(&answer), (Degraded, "slow"));
    assert!(!check.answer().stale);
}

#[test]
fn a_late_reader_is_not_told_a_result_of_thirty_seconds_ago() {
    let mut check = Bench::new(policy(500));
    check.run(CheckResult::healthy());
    check.wait(30_000).start();
    let answer = check.late_answer();
    let text = "no result within the deadline, and the last one is older than 30s";
    assert_eq!(said(&answer), (Unhealthy, text));
    assert!(!answer.stale);
}

#[test]
fn a_late_reader_of_a_check_without_any_result_gets_on_error() {
    let mut check = Bench::new(policy(500));
    check.start();
    let answer = check.late_answer();
    assert_eq!(said(&answer), (Unhealthy, "no result within the deadline"));
}

#[test]
fn readers_of_a_background_check_start_only_its_first_run() {
    let mut check = Bench::new(background(1_000));
    assert_eq!(check.demand(), Demand::Start);
    check.start();
    assert_eq!(check.demand(), Demand::Join);
    check.release();
    assert_eq!(said(&check.answer()), (Unhealthy, "no result yet"));
    check.run(CheckResult::healthy());
    check.wait(60_000);
    assert_eq!(check.demand(), Demand::Answer);
}

#[test]
fn a_background_result_older_than_three_intervals_takes_on_error() {
    let mut check = Bench::new(background(1_000));
    check.run(CheckResult::healthy());
    check.wait(3_000);
    assert_eq!(check.answer().state, Healthy);
    check.wait(1);
    assert_eq!(said(&check.answer()), (Unhealthy, "no result for more than 3s"));
    check.run(CheckResult::healthy());
    assert_eq!(check.answer().state, Healthy);
}

#[test]
fn the_first_result_sets_the_state_whatever_the_thresholds() {
    let mut check = Bench::new(thresholds(3, 3));
    assert_eq!(check.reported_after(&[Unhealthy]), [Unhealthy]);
}

#[test]
fn it_takes_consecutive_results_to_worsen_and_to_recover() {
    let mut check = Bench::new(thresholds(3, 2));
    let results = [Healthy, Unhealthy, Unhealthy, Unhealthy, Healthy, Healthy];
    let reported = [Healthy, Healthy, Healthy, Unhealthy, Unhealthy, Healthy];
    assert_eq!(check.reported_after(&results), reported);
}

#[test]
fn a_result_of_the_reported_state_or_of_the_other_side_resets_the_count() {
    let mut check = Bench::new(thresholds(2, 2));
    let results = [Healthy, Unhealthy, Healthy, Unhealthy, Healthy];
    assert_eq!(check.reported_after(&results), [Healthy; 5]);

    let mut check = Bench::new(thresholds(2, 2));
    let results = [Degraded, Unhealthy, Healthy, Unhealthy, Healthy, Healthy];
    let reported = [Degraded, Degraded, Degraded, Degraded, Degraded, Healthy];
    assert_eq!(check.reported_after(&results), reported);
}

#[test]
fn a_change_takes_the_newest_of_the_results_that_brought_it() {
    let mut check = Bench::new(thresholds(2, 1));
    let results = [Healthy, Unhealthy, Degraded];
    assert_eq!(check.reported_after(&results), [Healthy, Healthy, Degraded]);
}

#[test]
fn what_a_threshold_holds_back_is_shown_beside_the_reported_state() {
    let mut check = Bench::new(thresholds(2, 1));
    check.run(CheckResult::healthy());
    check.run(CheckResult::unhealthy("refused"));
    let answer = check.answer();
    assert_eq!((answer.state, answer.message), (Healthy, None));
    assert_eq!(answer.raw_state, Some(Unhealthy));
    assert_eq!(answer.raw_message.as_deref(), Some("refused"));
    assert_eq!(answer.consecutive_failures, 1);
    check.run(CheckResult::unhealthy("refused"));
    let answer = check.answer();
    assert_eq!(said(&answer), (Unhealthy, "refused"));
    assert_eq!((answer.raw_state, answer.raw_message), (None, None));
}

#[test]
fn a_transition_says_how_long_the_old_state_lasted_and_how_often_it_failed() {
    let mut check = Bench::new(thresholds(2, 1));
    assert_eq!(check.run(CheckResult::healthy()), None, "the first result changes nothing");
    check.wait(5_000);
    assert_eq!(check.run(CheckResult::unhealthy("one")), None);
    check.wait(1_000);
    let worse = check.run(CheckResult::unhealthy("two")).unwrap();
    assert_eq!((worse.from, worse.to), (Some(Healthy), Unhealthy));
    assert_eq!(worse.message.as_deref(), Some("two"));
    assert_eq!((worse.lasted, worse.failures), (Some(Duration::from_secs(6)), 2));
    check.wait(500);
    assert_eq!(check.run(CheckResult::unhealthy("three")), None);
    check.wait(500);
    let better = check.run(CheckResult::healthy()).unwrap();
    assert_eq!((better.from, better.to), (Some(Unhealthy), Healthy));
    assert_eq!((better.lasted, better.failures), (Some(Duration::from_secs(1)), 3));
}

#[test]
fn a_recovery_that_takes_several_successes_still_says_how_often_it_failed_before() {
    let mut check = Bench::new(thresholds(1, 3));
    check.reported_after(&[Healthy, Unhealthy, Unhealthy, Healthy, Healthy]);
    let better = check.run(CheckResult::healthy()).unwrap();
    assert_eq!((better.to, better.failures), (Healthy, 2));
}

#[test]
fn the_message_is_that_of_the_newest_result_of_the_reported_state() {
    let mut check = Bench::new(policy(0));
    check.run(CheckResult::degraded("first"));
    assert_eq!(check.run(CheckResult::degraded("second")), None);
    assert_eq!(said(&check.answer()), (Degraded, "second"));
}

#[test]
fn provenance_names_the_newest_run_and_the_start_of_the_state() {
    let mut check = Bench::new(policy(0));
    let begin = check.now.wall;
    check.start().wait(30);
    check.state.on_result("redis", check.runs, CheckResult::healthy(), check.now);
    check.release().wait(70).start().wait(20);
    check.state.on_result("redis", check.runs, CheckResult::healthy(), check.now);
    check.release().wait(5);
    let answer = check.answer();
    let after = |millis| Some(begin + Duration::from_millis(millis));
    assert_eq!(answer.since, after(30));
    assert_eq!((answer.checked_at, answer.last_success), (after(120), after(120)));
    assert_eq!(answer.duration, Some(Duration::from_millis(20)));
    assert_eq!(answer.age, Some(Duration::from_millis(5)));
}

#[test]
fn a_run_that_ended_long_ago_cannot_release_the_slot_of_the_next() {
    let mut check = Bench::new(policy(0));
    check.start().release().start();
    check.state.on_release(1);
    assert_eq!(check.state.live_run(), Some(2));
}

#[test]
fn an_answer_says_how_long_it_holds() {
    let mut check = Bench::new(policy(500));
    let now = check.now.instant;
    assert_eq!(check.state.valid_until(now), now);
    check.run(CheckResult::healthy());
    assert_eq!(check.state.valid_until(now), now + Duration::from_millis(500));

    check.wait(500).start().wait(400);
    check.time_out();
    let now = check.now.instant;
    assert_eq!(check.state.valid_until(now), now + Duration::from_millis(500));
    let later = check.wait(900).now.instant;
    assert!(check.state.valid_until(later) > later, "`still running` does not move");
}

#[test]
fn a_check_that_starts_out_failing_is_a_transition_from_nothing() {
    let mut check = Bench::new(thresholds(3, 1));
    let first = check.run(CheckResult::degraded("slow")).unwrap();
    assert_eq!((first.from, first.to, first.lasted), (None, Degraded, None));
    assert_eq!((first.message.as_deref(), first.failures), (Some("slow"), 1));
}

#[test]
fn a_slow_background_check_is_believed_for_its_interval_and_its_timeout() {
    let mut check =
        Bench::new(ResolvedSettings { timeout: Duration::from_secs(10), ..background(1_000) });
    check.run(CheckResult::healthy());
    check.wait(11_000);
    assert_eq!(check.answer().state, Healthy);
    check.wait(1);
    assert_eq!(said(&check.answer()), (Unhealthy, "no result for more than 11s"));
}

#[test]
fn a_late_result_and_one_of_a_run_that_was_given_up_are_discarded() {
    let mut check = Bench::new(policy(0));
    check.start().wait(400);
    check.time_out();
    assert!(check.state.on_result("redis", 1, CheckResult::healthy(), check.now).is_none());
    assert_eq!(said(&check.answer()), (Unhealthy, "timed out after 400ms"));
    check.release().start();
    assert!(check.state.on_result("redis", 1, CheckResult::healthy(), check.now).is_none());
    assert!(check.state.on_timeout("redis", 1, check.now).is_none());
    assert!(!check.state.has_result_of(2) && check.state.has_result_of(1));
}

/// Degraded for a minute is too long.
fn escalating() -> Bench {
    let unhealthy_after = Some(Duration::from_secs(60));
    Bench::new(ResolvedSettings { unhealthy_after, ..policy(0) })
}

impl Bench {
    fn escalate(&mut self) -> Option<Transition> {
        let Moment { instant, wall } = self.now;
        self.state.escalate("redis", instant, || wall)
    }
}

#[test]
fn what_has_been_degraded_for_too_long_is_reported_unhealthy() {
    let mut check = escalating();
    check.run(CheckResult::degraded("no replica"));
    let end = check.now.instant + Duration::from_secs(60);
    assert_eq!(check.state.valid_until(check.now.instant), check.now.instant);
    check.wait(59_999);
    assert_eq!(check.escalate(), None);
    check.wait(1);
    let transition = check.escalate().unwrap();
    assert_eq!((transition.from, transition.to), (Some(Degraded), Unhealthy));
    assert_eq!(transition.lasted, Some(Duration::from_secs(60)));
    assert_eq!(check.escalate(), None, "once");
    let answer = check.answer();
    assert_eq!(said(&answer), (Unhealthy, "degraded for 60s: no replica"));
    assert_eq!(answer.raw_state, Some(Degraded));
    assert!(check.now.instant == end && answer.since.is_some());

    assert_eq!(check.run(CheckResult::degraded("no replica")), None, "it goes on");
    assert_eq!(check.run(CheckResult::unhealthy("refused")), None, "it is so by itself now");
    assert_eq!(said(&check.answer()), (Unhealthy, "refused"));
    let better = check.run(CheckResult::degraded("no replica")).unwrap();
    assert_eq!((better.from, better.to), (Some(Unhealthy), Degraded));
    check.wait(59_999);
    assert_eq!(check.escalate(), None, "the time begins anew");
}

#[test]
fn a_check_that_recovers_in_time_does_not_escalate() {
    let mut check = escalating();
    check.run(CheckResult::degraded("slow"));
    check.wait(30_000).run(CheckResult::healthy());
    check.run(CheckResult::degraded("slow"));
    check.wait(59_999);
    assert_eq!(check.escalate(), None);
}

#[test]
fn a_wall_clock_that_is_set_back_puts_no_event_after_a_later_one() {
    let mut check = Bench::new(policy(0));
    check.run(CheckResult::healthy());
    check.wait(5_000).now.wall -= Duration::from_secs(3600);
    check.run(CheckResult::healthy());
    let answer = check.answer();
    assert!(answer.since < answer.checked_at);
    assert_eq!(answer.last_success, answer.checked_at);
}

#[test]
fn a_run_that_waits_for_a_permit_begins_its_timeout_with_it() {
    let mut check = Bench::new(policy(0));
    check.runs = 1;
    check.state.on_start(1, check.now.instant, true);
    check.wait(10_000);
    assert_eq!(check.state.overdue(check.now.instant), None);
    check.state.on_permit(1, check.now.instant);
    check.wait(400);
    assert_eq!(check.state.overdue(check.now.instant), Some(Duration::ZERO));
}
