//! When checks run without a reader: those with an interval on a grid, and all of them while there
//! are listeners.
//!
//! The grid of an interval is the same for every check of the program, so that a hundred checks wake
//! it once, and has a phase of the program's own, so that replicas which start in the same second
//! spread over the interval from their second run on.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::background::TaskGuard;
use super::events::Events;
use super::runner::CheckRunner;
use super::settings::Mode;

/// The times at which this program does what it does regularly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    begin: Instant,
    /// From 0 to below 2^32: which part of each interval lies before the first point.
    phase: u32,
}

impl Grid {
    /// A grid that begins now, with a random phase.
    pub(crate) fn new() -> Self {
        // The seeds of `RandomState` differ from one to the next: all the randomness this needs.
        let random = RandomState::new().hash_one(()) >> 32;
        Self { begin: Instant::now(), phase: u32::try_from(random).unwrap_or_default() }
    }

    /// The first point of the grid of `interval` after `now`. Points that were missed are left out.
    pub(crate) fn next(&self, interval: Duration, now: Instant) -> Instant {
        let interval = interval.as_nanos().max(1);
        let offset = (interval * u128::from(self.phase)) >> 32;
        let passed = now.saturating_duration_since(self.begin).as_nanos();
        let points = if passed < offset { 0 } else { (passed - offset) / interval + 1 };
        let next = u64::try_from(offset + points * interval).unwrap_or(u64::MAX);
        self.begin + Duration::from_nanos(next)
    }
}

/// The checks of one interval.
struct Beat {
    interval: Duration,
    next: Instant,
    is_first: bool,
    runners: Vec<Arc<CheckRunner>>,
}

/// Starts the background checks' runs, where none is live, as long as the engine lives.
pub(crate) async fn run_in_background(
    _guard: TaskGuard,
    runners: Vec<Arc<CheckRunner>>,
    grid: Grid,
) {
    let begin = Instant::now();
    let mut beats: Vec<Beat> = Vec::new();
    for runner in runners {
        let Mode::Background { interval } = runner.settings.mode else { continue };
        match beats.iter_mut().find(|beat| beat.interval == interval) {
            Some(beat) => beat.runners.push(runner),
            None => {
                beats.push(Beat { interval, next: begin, is_first: true, runners: vec![runner] });
            }
        }
    }
    while let Some(next) = beats.iter().map(|beat| beat.next).min() {
        sleep_until(next).await;
        let now = Instant::now();
        for beat in beats.iter_mut().filter(|beat| beat.next <= now) {
            for runner in &beat.runners {
                if beat.is_first {
                    // A reader may have been here before.
                    runner.demand(now);
                } else {
                    runner.run_unless_running(now);
                }
            }
            beat.is_first = false;
            beat.next = grid.next(beat.interval, now);
        }
    }
}

/// Evaluates the checks regularly, for as long as there are listeners: on-demand ones run, and
/// those that have been degraded for too long become unhealthy.
pub(crate) async fn watch(
    mut guard: TaskGuard,
    runners: Vec<Arc<CheckRunner>>,
    events: Arc<Events>,
    every: Duration,
    grid: Grid,
) {
    while !guard.leave_unless(|| events.transitions.has_listeners()) {
        let now = Instant::now();
        for runner in &runners {
            runner.demand(now);
        }
        events.callbacks.report_hanging();
        sleep_until(grid.next(every, now)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_a_grid_are_an_interval_apart_and_missed_ones_are_left_out() {
        let begin = Instant::now();
        let grid = Grid { begin, phase: u32::MAX / 4 };
        let interval = Duration::from_secs(4);
        let first = grid.next(interval, begin);
        assert!((first - begin).abs_diff(Duration::from_secs(1)) < Duration::from_millis(1));
        assert_eq!(grid.next(interval, first), first + interval);
        let late = first + interval * 10 + Duration::from_secs(1);
        assert_eq!(grid.next(interval, late), first + interval * 11);
    }

    /// 10,000 replicas that start in the same moment, and how many of their second, third and
    /// fourth runs fall into the busiest 100 ms, against the mean.
    #[test]
    fn replicas_that_start_together_spread_over_the_interval() {
        const REPLICAS: usize = 10_000;
        let begin = Instant::now();
        let interval = Duration::from_secs(10);
        let mut runs = vec![0_usize; 300];
        for _ in 0..REPLICAS {
            let grid = Grid { begin, ..Grid::new() };
            let mut now = begin;
            for _ in 0..3 {
                now = grid.next(interval, now);
                let bin = usize::try_from((now - begin).as_millis() / 100).unwrap();
                if let Some(runs) = runs.get_mut(bin) {
                    *runs += 1;
                }
            }
        }
        let mean = 3 * REPLICAS / runs.len();
        let most = runs.into_iter().max().unwrap();
        assert!(most * 10 <= mean * 16, "{most} in the busiest 100 ms, {mean} on average");
    }
}
