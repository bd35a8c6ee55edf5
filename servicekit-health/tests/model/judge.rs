//! What the contract says of a case, worked out from when its runs began, against what was seen.
//!
//! Everything happens at whole milliseconds. Two things of the same one may have happened in either
//! order, and then either is right.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use servicekit_health::HealthState::{Healthy, Unhealthy};
use servicekit_health::{HealthState, Probe, Transition};

use crate::play::{Answer, Asked, More, Notes, Said, Seen, Stream, Subscriber, name_of};
use crate::script::{Ends, Plan, Scope, Script, When};

type Verdict = Result<(), TestCaseError>;

/// A comment comes after so much silence.
const SILENCE: u64 = 4_000;
/// A result older than this does not stand in for one that is late.
const TOO_OLD: u64 = 30_000;

pub(crate) fn judge(script: &Script, notes: &Notes) -> Verdict {
    prop_assert_eq!(notes.waiting_at_end, 0, "readers without an answer");
    let case = Case::of(script, notes);
    for number in 0..script.checks.len() {
        case.judge_runs(number)?;
        match script.checks[number].when {
            When::Cache(_) => {
                case.judge_on_demand(number)?;
                case.judge_watch(number)?;
            }
            When::Interval(interval) => case.judge_background(number, interval)?,
        }
    }
    for answer in &notes.answers {
        case.judge_answer(answer)?;
    }
    for stream in &notes.streams {
        case.judge_stream(stream)?;
    }
    for subscriber in &notes.subscribers {
        case.judge_subscriber(subscriber)?;
    }
    Ok(())
}

struct Case<'a> {
    script: &'a Script,
    notes: &'a Notes,
    stories: Vec<Story<'a>>,
}

/// What must have become of one check.
struct Story<'a> {
    plan: &'a Plan,
    /// One for each run, also those after the end.
    results: Vec<Found>,
    changes: Vec<Change>,
}

/// A result, and what readers are told from then on.
#[derive(Debug)]
struct Found {
    at: u64,
    took: u64,
    in_time: bool,
    state: HealthState,
    message: String,
    told: (HealthState, String),
    /// How many results in a row were not healthy.
    failures: u32,
}

#[derive(Debug)]
struct Change {
    at: u64,
    /// `None` for a first result, which is only news if it is not healthy.
    from: Option<HealthState>,
    to: HealthState,
    message: String,
    lasted: Option<u64>,
    failures: u32,
}

impl<'a> Story<'a> {
    fn of(plan: &'a Plan, begins: impl Iterator<Item = u64>) -> Self {
        let mut story = Self { plan, results: Vec::new(), changes: Vec::new() };
        // The states of the results since the reported state began, and when that was.
        let mut since = 0;
        let mut states = Vec::new();
        for (number, begin) in begins.enumerate() {
            let run = plan.runs[number % plan.runs.len()];
            let failed = |message| (plan.on_error, message);
            let in_time = run.takes < plan.timeout && !matches!(run.ends, Ends::Never);
            let (state, message) = match run.ends {
                _ if !in_time => {
                    let timeout = Duration::from_millis(plan.timeout);
                    failed(format!("timed out after {timeout:?}"))
                }
                Ends::With(state) => (state, format!("run {number}")),
                Ends::WithError => failed(format!("run {number} failed")),
                Ends::WithPanic => failed(format!("run {number} panicked")),
                Ends::Never => unreachable!("never in time"),
            };
            let took = if in_time { run.takes } else { plan.timeout };
            let at = begin + took;
            let before = story.results.last();
            let failures_before = before.map_or(0, |it| it.failures);
            let failures = if state == Healthy { 0 } else { failures_before + 1 };

            let told = match before.map(|it| it.told.clone()) {
                // The first result sets the state at once.
                None => {
                    since = at;
                    if state != Healthy {
                        let (to, message) = (state, message.clone());
                        let (from, lasted) = (None, None);
                        story.changes.push(Change { at, from, to, message, lasted, failures });
                    }
                    (state, message.clone())
                }
                Some((reported, _)) if reported == state => {
                    states.push(state);
                    (state, message.clone())
                }
                Some((reported, held)) => {
                    states.push(state);
                    let newest = || states.iter().rev();
                    let worse = newest().take_while(|state| **state > reported).count();
                    let better = newest().take_while(|state| **state < reported).count();
                    let changes = worse >= plan.failure_threshold as usize
                        || better >= plan.success_threshold as usize;
                    if changes {
                        let before = story.results.iter().rev().map(|it| it.failures);
                        let mut counts = std::iter::once(failures).chain(before);
                        let failures = counts.find(|count| *count > 0).unwrap();
                        let (from, to, lasted) = (Some(reported), state, Some(at - since));
                        let message = message.clone();
                        story.changes.push(Change { at, from, to, message, lasted, failures });
                        states.clear();
                        since = at;
                        (state, message_of(&story.changes))
                    } else {
                        (reported, held)
                    }
                }
            };
            story.results.push(Found { at, took, in_time, state, message, told, failures });
        }
        story
    }

    /// How many results there can have been at this moment.
    fn known(&self, at: u64) -> std::ops::RangeInclusive<usize> {
        let count = |there: &dyn Fn(u64) -> bool| {
            self.results.iter().take_while(|result| there(result.at)).count()
        };
        count(&|it| it < at)..=count(&|it| it <= at)
    }

    /// Whether somebody who asked then can be told this now. An event of a stream, for which
    /// nobody asked, has no deadline and wants no freshness.
    fn explains(&self, said: &Said, at: u64, asked: Option<(u64, u64)>) -> bool {
        self.known(at).any(|count| self.explains_with(count, said, at, asked))
    }

    fn explains_with(&self, count: usize, said: &Said, at: u64, asked: Option<(u64, u64)>) -> bool {
        let newest = count.checked_sub(1).map(|newest| &self.results[newest]);
        let is_late = asked.is_none_or(|(then, deadline)| {
            at == then + deadline && newest.is_none_or(|newest| newest.at <= then)
        });
        let failing = |message: String| {
            (said.state, said.message.as_ref()) == (self.plan.on_error, Some(&message))
        };
        let fits = |stale: bool, held_back: Option<&Found>| {
            said.more.as_ref().is_none_or(|more| {
                *more
                    == More {
                        stale,
                        age: newest.map(|newest| at - newest.at),
                        took: newest.map(|newest| newest.took),
                        failures: newest.map_or(0, |newest| newest.failures),
                        raw_state: held_back.map(|it| it.state),
                        raw_message: held_back.map(|it| it.message.clone()),
                    }
            })
        };
        let Some(newest) = newest else {
            return fits(false, None)
                && (is_late && failing("no result within the deadline".to_owned())
                    || asked.is_none() && failing("no result yet".to_owned()));
        };
        let age = at - newest.at;
        if let When::Interval(interval) = self.plan.when
            && age > (3 * interval).max(interval + self.plan.timeout)
        {
            let limit = (3 * interval).max(interval + self.plan.timeout);
            let limit = Duration::from_millis(limit);
            return fits(false, None) && failing(format!("no result for more than {limit:?}"));
        }
        if is_late && age >= TOO_OLD {
            let too_old = "no result within the deadline, and the last one is older than 30s";
            if failing(too_old.to_owned()) && fits(false, None) {
                return true;
            }
        }
        let (state, message) = &newest.told;
        if (said.state, said.message.as_ref()) != (*state, Some(message)) {
            return false;
        }
        let held_back = (newest.state != *state).then_some(newest);
        let is_fresh = asked.is_none_or(|(then, _)| match self.plan.when {
            When::Cache(cache) => newest.at >= then || then < newest.at + cache,
            When::Interval(_) => true,
        });
        let on_demand = matches!(self.plan.when, When::Cache(_));
        (is_fresh && fits(false, held_back))
            || (on_demand && is_late && age < TOO_OLD && fits(true, held_back))
    }
}

fn message_of(changes: &[Change]) -> String {
    changes.last().map(|change| change.message.clone()).unwrap_or_default()
}

impl<'a> Case<'a> {
    fn of(script: &'a Script, notes: &'a Notes) -> Self {
        let runs = script.checks.iter().zip(&notes.runs);
        let story = |(plan, runs): (&'a Plan, &Vec<_>)| {
            let runs: &Vec<crate::play::Ran> = runs;
            Story::of(plan, runs.iter().map(|run| run.begin))
        };
        Self { script, notes, stories: runs.map(story).collect() }
    }

    /// The checks that an answer of this scope must have.
    fn members(&self, scope: Scope, started_up: bool) -> Vec<usize> {
        let counts = |number: &usize| {
            let of = |probe| self.script.checks[*number].probes.contains(&probe);
            match scope {
                Scope::All => true,
                Scope::One(one) => one == *number,
                Scope::Probe(Probe::Liveness) => of(Probe::Liveness),
                Scope::Probe(Probe::Readiness) => {
                    of(Probe::Readiness) || !started_up && of(Probe::Startup)
                }
                Scope::Probe(Probe::Startup) => !started_up && of(Probe::Startup),
                Scope::Probe(other) => unreachable!("{other} is no probe of these"),
            }
        };
        (0..self.script.checks.len()).filter(counts).collect()
    }

    /// One at a time, and each until it ends or times out, whoever goes away.
    fn judge_runs(&self, number: usize) -> Verdict {
        prop_assert!(self.notes.most_live[number] <= 1, "two live runs of check {}", number);
        let runs = self.notes.runs[number].iter();
        for (run, result) in runs.zip(&self.stories[number].results) {
            let expected = Some((result.at, result.in_time));
            let ends_now = result.at == self.notes.end && run.gone.is_none();
            let is_live = result.at > self.notes.end;
            let gone_as_it_should = run.gone == if is_live { None } else { expected };
            prop_assert!(ends_now || gone_as_it_should, "{:?} instead of {:?}", run, expected);
        }
        Ok(())
    }

    /// At most once per cache, and only when asked.
    fn judge_on_demand(&self, number: usize) -> Verdict {
        let (story, runs) = (&self.stories[number], &self.notes.runs[number]);
        let When::Cache(cache) = story.plan.when else { unreachable!("an on-demand check") };
        for (before, next) in story.results.iter().zip(runs.iter().skip(1)) {
            let earliest = before.at + cache;
            prop_assert!(next.begin >= earliest, "{:?} before {}", next, earliest);
        }
        if self.notes.streams.is_empty() && self.notes.subscribers.is_empty() {
            for run in runs {
                let asks = |asked: &Asked| {
                    asked.at == run.begin
                        && self.members(asked.scope, asked.started_up).contains(&number)
                };
                prop_assert!(self.notes.asks.iter().any(asks), "nobody asked for {:?}", run);
            }
        }
        Ok(())
    }

    /// While somebody listens, the next run begins within the watch interval.
    fn judge_watch(&self, number: usize) -> Verdict {
        let (story, runs) = (&self.stories[number], &self.notes.runs[number]);
        let When::Cache(cache) = story.plan.when else { unreachable!("an on-demand check") };
        for subscriber in &self.notes.subscribers {
            let mut due = subscriber.from;
            for (run, result) in runs.iter().zip(&story.results) {
                if run.begin >= subscriber.until {
                    break;
                }
                let latest = due.max(subscriber.from) + self.script.watch_interval;
                prop_assert!(run.begin <= latest, "{:?} after {}", run, latest);
                due = result.at + cache;
            }
            let latest = due.max(subscriber.from) + self.script.watch_interval;
            prop_assert!(latest >= subscriber.until, "no run of check {} by {}", number, latest);
        }
        Ok(())
    }

    /// From the first request on, then on a grid with a phase of its own, where none is live.
    fn judge_background(&self, number: usize, interval: u64) -> Verdict {
        let (story, runs) = (&self.stories[number], &self.notes.runs[number]);
        let asks = self.notes.asks.iter().map(|asked| asked.at);
        let first = asks.chain(self.notes.subscribers.iter().map(|it| it.from)).min();
        prop_assert_eq!(runs.first().map(|run| run.begin), first, "the first run");
        let longest = interval + 2;
        for pair in runs.windows(2).skip(1) {
            // Timers have a resolution of a millisecond.
            let gap = pair[1].begin - pair[0].begin + 1;
            prop_assert!(gap % interval <= 2, "{} ms between {:?}", gap, pair);
        }
        for (run, result) in story.results.iter().enumerate() {
            let next = runs.get(run + 1).map_or(self.notes.end, |next| next.begin);
            prop_assert!(next <= result.at + longest, "no run for long after {:?}", result);
        }
        Ok(())
    }

    fn judge_answer(&self, answer: &Answer) -> Verdict {
        let Answer { asked, at, started_up, ref seen } = *answer;
        let deadline = self.script.deadline;
        prop_assert!(at <= asked.at + deadline, "{:?} answered at {}", asked, at);
        let numbers: Vec<_> = seen.checks.keys().filter_map(|name| number_of(name)).collect();
        let fits = |started_up| numbers == self.members(asked.scope, started_up);
        let is_complete = fits(asked.started_up) || started_up && fits(true);
        prop_assert!(is_complete, "{:?} answered with {:?}", asked, seen);
        let waited_for =
            |number: &usize| self.stories[*number].results.iter().any(|result| result.at == at);
        let waited = at > asked.at && at < asked.at + deadline;
        let members = self.members(asked.scope, asked.started_up);
        let needlessly = waited && !members.iter().any(waited_for);
        prop_assert!(!needlessly, "{:?} waited for nothing until {}", asked, at);

        let may_tell = matches!(asked.scope, Scope::All | Scope::Probe(Probe::Readiness));
        let can_drain = may_tell && self.notes.drained.is_some_and(|drained| at >= drained);
        let must_drain = asked.draining || self.notes.drained.is_some_and(|drained| at > drained);
        let drains = seen.checks.contains_key("$drain");
        prop_assert!(!drains || can_drain, "{:?} drains at {}", asked, at);
        prop_assert!(drains || !(may_tell && must_drain), "{:?} does not drain at {}", asked, at);
        self.judge_seen(seen, at, Some((asked.at, deadline)))
    }

    /// The entries, and the status that they add up to.
    fn judge_seen(&self, seen: &Seen, at: u64, asked: Option<(u64, u64)>) -> Verdict {
        let worst = seen.checks.values().map(|said| said.state).max();
        prop_assert_eq!(seen.status, worst.unwrap_or(Healthy));
        for (name, said) in &seen.checks {
            let is_right = if let Some(number) = number_of(name) {
                self.stories[number].explains(said, at, asked)
            } else {
                let message = Some("draining".to_owned());
                name == "$drain" && (said.state, &said.message) == (Unhealthy, &message)
            };
            let results = number_of(name).map(|number| &self.stories[number].results);
            prop_assert!(
                is_right,
                "{} at {}, asked {:?}: {:?}\n{:#?}",
                name,
                at,
                asked,
                said,
                results
            );
        }
        Ok(())
    }

    fn judge_stream(&self, stream: &Stream) -> Verdict {
        let deadline = self.script.deadline;
        let until = stream.ended.unwrap_or(stream.read_until);
        let mut quiet_since = stream.opened;
        for at in stream.events.iter().map(|(at, _)| *at).chain([until]) {
            prop_assert!(at - quiet_since <= SILENCE, "silence from {} to {}", quiet_since, at);
            quiet_since = at;
        }

        let told = stream.events.iter().filter_map(|(at, seen)| Some((*at, seen.as_ref()?)));
        let told: Vec<_> = told.collect();
        let drains = |seen: &Seen| seen.checks.contains_key("$drain");
        let mut due = stream.opened;
        for (number, (at, seen)) in told.iter().enumerate() {
            let is_late = *at > due + deadline;
            prop_assert!(!is_late || stream.on_change && number > 0, "an event at {}", at);
            due = at + stream.period;
            prop_assert_eq!(number_of_checks(seen), self.script.checks.len());
            self.judge_seen(seen, *at, None)?;
            let is_last = number + 1 == told.len();
            prop_assert!(is_last || !drains(seen), "an event after the last one");
            if drains(seen) {
                let drained = self.notes.drained.is_some_and(|drained| *at >= drained);
                prop_assert!(drained, "draining at {}", at);
            }
        }
        let missing = until > due + deadline && (told.is_empty() || !stream.on_change);
        prop_assert!(!missing, "no event from {} to {}", due, until);
        if stream.on_change {
            for pair in told.windows(2) {
                prop_assert_ne!(pair[0].1, pair[1].1, "no change at {}", pair[1].0);
            }
        }

        let Some(drained) = self.notes.drained else {
            prop_assert_eq!(stream.ended, None);
            return Ok(());
        };
        // A stream that is there ends at once, a new one with its first event.
        let is_new = stream.opened > drained;
        let latest = if stream.opened < drained { drained } else { stream.opened + deadline };
        if stream.read_until > latest {
            let ended = stream.ended.is_some_and(|ended| ended <= latest);
            prop_assert!(ended, "open after {}: {:?}", latest, stream);
            prop_assert!(told.last().is_some_and(|(_, seen)| drains(seen)), "no last event");
            prop_assert!(!is_new || told.len() == 1, "a new stream with {:?}", told);
        }
        Ok(())
    }

    /// Every change, in order, exactly once, and at once.
    fn judge_subscriber(&self, subscriber: &Subscriber) -> Verdict {
        for (number, story) in self.stories.iter().enumerate() {
            let name = name_of(number);
            let heard = subscriber.heard.iter().filter(|(_, heard)| heard.check == name);
            let heard: Vec<_> = heard.collect();
            let count = |there: &dyn Fn(u64) -> bool| {
                story.changes.iter().take_while(|change| there(change.at)).count()
            };
            let (from, until) = (subscriber.from, subscriber.until);
            let firsts = count(&|at| at < from)..=count(&|at| at <= from);
            let ends = count(&|at| at < until)..=count(&|at| at <= until);
            let is_all = |first: usize| {
                let end = first + heard.len();
                ends.contains(&end)
                    && heard
                        .iter()
                        .zip(&story.changes[first..end])
                        .all(|((at, heard), change)| *at == change.at && is_same(heard, change))
            };
            let changes = &story.changes;
            let right = firsts.clone().any(is_all);
            prop_assert!(right, "{} {}..{}: {:#?}\n{:#?}", name, from, until, heard, changes);
        }
        let times = subscriber.heard.iter().map(|(at, _)| *at);
        prop_assert!(times.is_sorted(), "in order of time");
        Ok(())
    }
}

fn is_same(heard: &Transition, change: &Change) -> bool {
    (heard.from, heard.to, heard.message.as_ref())
        == (change.from, change.to, Some(&change.message))
        && heard.lasted == change.lasted.map(Duration::from_millis)
        && heard.failures == change.failures
        && heard.missed == 0
}

fn number_of(name: &str) -> Option<usize> {
    name.strip_prefix("check-")?.parse().ok()
}

fn number_of_checks(seen: &Seen) -> usize {
    seen.checks.keys().filter(|name| number_of(name).is_some()).count()
}
