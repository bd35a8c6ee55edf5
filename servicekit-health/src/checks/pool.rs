//! Whether a connection pool is merely busy, or stuck.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::panic::Location;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::CheckResult;

/// What was seen of each pool when it was last looked at. Bounded by the program's text: one entry
/// for each place that calls [`pool`], and for each `&'static str` given to it.
static POOLS: LazyLock<Mutex<HashMap<Key, Seen>>> = LazyLock::new(Mutex::default);

/// The place of the call, and the name given there.
type Key = (&'static Location<'static>, &'static str);

/// How a connection pool is used at the moment, in connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Open connections, lent out or idle.
    pub size: u64,
    /// Open connections that are not lent out.
    pub idle: u64,
    /// How many connections the pool opens at most.
    pub max: u64,
    /// How many callers wait for a connection; 0 for a pool that does not tell.
    pub waiting: u64,
}

/// Whether a pool still gets its connections back. See [`Pool`].
///
/// ```standalone_crate
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use servicekit_health::checks::{self, PoolUse};
/// use servicekit_health::{CheckResult, health_check};
///
/// # #[derive(Clone)] struct Db;
/// # impl Db { fn size(&self) -> u32 { 10 } fn num_idle(&self) -> usize { 10 } }
/// /// Counted in the pool's own hook: `after_release` of sqlx, `pre_recycle` of deadpool.
/// static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);
///
/// #[health_check(name = "pool", probe = "none", interval = "5s")]
/// async fn pool(db: &Db) -> CheckResult {
///     let (size, idle) = (db.size().into(), db.num_idle() as u64);
///     let given_back = GIVEN_BACK.load(Ordering::Relaxed);
///     checks::pool(PoolUse { size, idle, max: 10, waiting: 0 }).given_back(given_back).await
/// }
/// ```
#[track_caller]
pub fn pool(now: PoolUse) -> Pool {
    let key = (Location::caller(), "");
    Pool { now, key, given_back: None, stuck_for: Duration::from_secs(30) }
}

/// Whether a pool still gets its connections back.
///
/// A pool that is fully lent out is busy, not broken: that is what its size is for. Taking a replica
/// off the balancer for it moves its load to the others, which are then fully lent out too. Only one
/// that gets nothing back for `stuck_for` is degraded: its connections hang in queries, wait for
/// locks or are leaked. Whether the server behind it works is another check's question: a ping on a
/// connection of its own, never on one of the pool's.
///
/// The check compares what it sees with what it saw in its earlier runs, so it needs to run more
/// often than `stuck_for`: give it an `interval`. A pool has got a connection back when
///
/// * one is idle, or the pool has fewer than `max` and nothing waits: it is not fully lent out;
/// * [`given_back`](Self::given_back) has grown: exact, and worth the two lines;
/// * without that count, fewer callers wait than before. A caller that gives up looks the same.
///
/// With neither a count nor `waiting`, a pool that is busy without a pause for all of `stuck_for`
/// cannot be told from a stuck one, and is degraded.
///
/// What was seen is kept by the place in the source that calls [`pool`]. Where one place serves
/// several pools, [`named`](Self::named) tells them apart.
///
/// Details: `size`, `idle`, `max`, `waiting`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Pool {
    now: PoolUse,
    key: Key,
    given_back: Option<u64>,
    stuck_for: Duration,
}

/// One pool as it was.
#[derive(Clone, Copy)]
struct Seen {
    waiting: u64,
    given_back: Option<u64>,
    /// Since when nothing has come back.
    since: Instant,
    /// When that was looked at.
    at: Instant,
}

impl Pool {
    /// How long nothing may come back while the pool is fully lent out; 30 s unless set. By then the
    /// callers that wait have given up, by the defaults of sqlx (`acquire_timeout`), bb8
    /// (`connection_timeout`) and `HikariCP` (`connectionTimeout`).
    pub const fn stuck_for(mut self, limit: Duration) -> Self {
        self.stuck_for = limit;
        self
    }

    /// How many connections have been given back since the program started.
    pub const fn given_back(mut self, total: u64) -> Self {
        self.given_back = Some(total);
        self
    }

    /// Tells pools apart that are checked from the same place in the source.
    pub const fn named(mut self, name: &'static str) -> Self {
        self.key.1 = name;
        self
    }

    fn check(&self) -> CheckResult {
        let PoolUse { size, idle, max, waiting } = self.now;
        let result = if self.unchanged_for() >= self.stuck_for && self.lent_out() {
            let stuck_for = self.stuck_for;
            CheckResult::degraded(if size < max {
                format!("callers wait and no connection was opened or given back for {stuck_for:?}")
            } else {
                format!(
                    "all {size} connections are lent out, none was given back for {stuck_for:?}"
                )
            })
        } else {
            CheckResult::healthy()
        };
        result
            .with_detail("size", size)
            .with_detail("idle", idle)
            .with_detail("max", max)
            .with_detail("waiting", waiting)
    }

    const fn lent_out(&self) -> bool {
        let PoolUse { size, idle, max, waiting } = self.now;
        idle == 0 && (size >= max || waiting > 0)
    }

    /// For how long nothing has come back, as far as the runs of this check can tell.
    fn unchanged_for(&self) -> Duration {
        let now = Instant::now();
        let Self { now: PoolUse { waiting, .. }, given_back, .. } = *self;
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        let seen =
            pools.entry(self.key).or_insert(Seen { waiting, given_back, since: now, at: now });
        let came_back = match (given_back, seen.given_back) {
            (Some(now), Some(before)) => now != before,
            // Of a long time without a look nothing is known.
            _ => waiting < seen.waiting || now.saturating_duration_since(seen.at) > self.stuck_for,
        };
        if came_back || !self.lent_out() {
            seen.since = now;
        }
        *seen = Seen { waiting, given_back, since: seen.since, at: now };
        now.saturating_duration_since(seen.since)
    }
}

impl IntoFuture for Pool {
    type Output = CheckResult;
    type IntoFuture = Ready<CheckResult>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.check())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::model::HealthState;

    const FULL: PoolUse = PoolUse { size: 10, idle: 0, max: 10, waiting: 3 };

    async fn after(seconds: u64, check: Pool) -> HealthState {
        advance(Duration::from_secs(seconds)).await;
        check.await.state()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_fully_lent_out_that_gets_connections_back_is_healthy() {
        let busy = |total| pool(FULL).named("busy").given_back(total);
        for total in 0..100 {
            assert_eq!(after(29, busy(total)).await, HealthState::Healthy);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_gets_nothing_back_is_degraded_until_it_does() {
        let stuck = |total| pool(FULL).named("stuck").given_back(total);
        assert_eq!(after(0, stuck(5)).await, HealthState::Healthy);
        assert_eq!(after(29, stuck(5)).await, HealthState::Healthy);
        advance(Duration::from_secs(1)).await;
        let result = stuck(5).await;
        assert_eq!(
            result.message(),
            Some("all 10 connections are lent out, none was given back for 30s")
        );
        assert_eq!(result.details()["waiting"], 3);
        assert_eq!(after(1, stuck(6)).await, HealthState::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_was_given_back() {
        let seen = |idle| pool(PoolUse { idle, ..FULL }).named("idle");
        assert_eq!(after(0, seen(0)).await, HealthState::Healthy);
        assert_eq!(after(60, seen(1)).await, HealthState::Healthy);
        assert_eq!(after(29, seen(0)).await, HealthState::Healthy, "counted anew");
        assert_eq!(after(30, seen(0)).await, HealthState::Degraded);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_count_a_shorter_queue_shows_that_connections_come_back() {
        let queue = |waiting| pool(PoolUse { waiting, ..FULL }).named("queue");
        for waiting in [9, 8, 7, 6] {
            assert_eq!(after(29, queue(waiting)).await, HealthState::Healthy);
        }
        assert_eq!(after(30, queue(7)).await, HealthState::Degraded, "a longer one does not");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_without_a_look_is_no_time_without_a_connection() {
        let rarely = || pool(FULL).named("rarely");
        assert_eq!(after(0, rarely()).await, HealthState::Healthy);
        assert_eq!(after(300, rarely()).await, HealthState::Healthy);
        let counted = || pool(FULL).named("counted").given_back(5);
        assert_eq!(after(0, counted()).await, HealthState::Healthy);
        assert_eq!(after(300, counted()).await, HealthState::Degraded, "a count leaves no doubt");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_cannot_open_a_connection_for_those_who_wait_is_stuck_too() {
        let empty = || pool(PoolUse { size: 0, idle: 0, max: 10, waiting: 1 }).named("empty");
        assert_eq!(after(0, empty()).await, HealthState::Healthy);
        assert_eq!(after(30, empty()).await, HealthState::Degraded);
        let unused = || pool(PoolUse { size: 0, idle: 0, max: 10, waiting: 0 }).named("unused");
        assert_eq!(after(0, unused()).await, HealthState::Healthy);
        assert_eq!(after(90, unused()).await, HealthState::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn each_place_that_calls_is_a_pool_of_its_own() {
        pool(FULL).await;
        advance(Duration::from_secs(60)).await;
        assert_eq!(pool(FULL).await.state(), HealthState::Healthy);
    }
}
