//! How a dependency does in real traffic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::{Call, Calls, Window};
use crate::model::{BoxError, CheckResult, IntoCheckResult};

/// A success this many nanoseconds after another adds nothing to it: a millisecond.
const RESOLUTION: u64 = 1_000_000;

/// The longest text of a failure that is kept, in bytes. A message is cut to 1 KiB, but only after
/// it is scrubbed: the rest tells that the end of that is a credential.
const TEXT_LIMIT: usize = 5 * 1024;

/// How a dependency does in the calls that the program makes anyway.
///
/// A check that asks `SELECT 1` sees a server that is gone. It does not see one that fails a third
/// of the real queries: a full disk under one table, a replica that fell behind, a lock. The calls
/// themselves see that, and a check only has to read their count.
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, Observed, health_check};
/// # use std::error::Error;
/// # async fn orders() -> Result<Vec<u32>, std::io::Error> { Ok(vec![]) }
/// # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
///
/// static DB: Observed = Observed::new();
///
/// /// The database, as the requests find it; asked only while there are none.
/// #[health_check(name = "database")]
/// async fn database() -> Result<CheckResult, Box<dyn Error + Send + Sync>> {
///     DB.check_or_else(ping).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn Error>> {
/// // In the handlers, around each call:
/// let orders = DB.watch(orders()).await?;
/// # let health = servicekit_health::builder().build()?;
/// # assert_eq!(health.report().await.status, servicekit_health::HealthState::Healthy);
/// # Ok(()) }
/// ```
///
/// Degraded where, within the [`window`](Self::window), at least
/// [`min_calls`](Self::min_calls) were made and a larger share of them than
/// [`degraded_above`](Self::degraded_above) failed. It is not unhealthy by itself: some calls
/// succeed, and a replica that leaves for it takes those away too.
///
/// Counting takes some tens of nanoseconds from any thread, without a lock, and an `Observed` holds
/// at most some 5.2 KiB, whatever the traffic.
pub struct Observed {
    degraded_above: f64,
    min_calls: u64,
    window: Duration,
    /// Nanoseconds in a part of the window.
    part_length: u64,
    fresh_for: Duration,
    /// The first call or check: what all times are counted from.
    epoch: OnceLock<Instant>,
    calls: Window,
    /// Nanoseconds from the epoch to the newest success, and one; 0 before the first.
    newest_success: AtomicU64,
    /// The same of the newest failure.
    newest_failure: AtomicU64,
    /// The part of the window in which a failure's text was kept. One a part is enough to name the
    /// cause, and bounds what texts cost while everything fails.
    kept: AtomicU64,
    failure: Mutex<String>,
}

impl Observed {
    /// No call yet, and the defaults: more than 0.1 of at least 20 calls within 60 s; a success is
    /// fresh for 10 s.
    pub const fn new() -> Self {
        const WINDOW: Duration = Duration::from_secs(60);
        Self {
            degraded_above: 0.1,
            min_calls: 20,
            window: WINDOW,
            part_length: Window::part_length(WINDOW),
            fresh_for: Duration::from_secs(10),
            epoch: OnceLock::new(),
            calls: Window::new(),
            newest_success: AtomicU64::new(0),
            newest_failure: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            failure: Mutex::new(String::new()),
        }
    }

    /// The share of failed calls, 0 to 1, above which the check is degraded; 0.1 unless set.
    ///
    /// With an objective of 99% that spends the error budget ten times too fast, about where the
    /// Site Reliability Workbook (*Alerting on SLOs*) wakes somebody: a burn rate of 14.4.
    #[must_use]
    pub const fn degraded_above(mut self, share: f64) -> Self {
        self.degraded_above = share;
        self
    }

    /// How many calls within the window say something; 20 unless set, as many as Hystrix wanted
    /// (`circuitBreaker.requestVolumeThreshold`). One failure of two calls is no rate.
    #[must_use]
    pub const fn min_calls(mut self, calls: u64) -> Self {
        self.min_calls = calls;
        self
    }

    /// How long a call counts, to a tenth of it; 60 s unless set. It is also how long the check stays
    /// degraded after the last failure, where the traffic stops.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self.part_length = Window::part_length(window);
        self
    }

    /// How long after a success [`check_or_else`](Self::check_or_else) asks nothing; 10 s unless set:
    /// between two probes of the kubelet, whose `periodSeconds` is 10 by default, a check's result is
    /// as old.
    #[must_use]
    pub const fn fresh_for(mut self, age: Duration) -> Self {
        self.fresh_for = age;
        self
    }

    /// Awaits a call and counts how it ends: `Err` is a failure.
    ///
    /// A call whose future is dropped counts as neither. Where a deadline ends calls, put it inside,
    /// so that it is an error of the call: a dependency that hangs fails all of them.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn watch<T, E: fmt::Display>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.watch_if(call, |_| true).await
    }

    /// The same, where not every error is a failure of the dependency: a row that does not exist, or
    /// that exists already, is an answer, and counts as a success.
    ///
    /// ```
    /// # use std::io::{Error, ErrorKind};
    /// # use servicekit_health::Observed;
    /// # static STORE: Observed = Observed::new();
    /// # async fn load(key: &str) -> Result<(), Error> { Ok(()) }
    /// # async fn handler() -> Result<(), Error> {
    /// let object = STORE.watch_if(load("key"), |error| error.kind() != ErrorKind::NotFound).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the call.
    pub async fn watch_if<T, E: fmt::Display>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        is_failure: impl FnOnce(&E) -> bool,
    ) -> Result<T, E> {
        let outcome = call.await;
        match &outcome {
            Err(error) if is_failure(error) => self.failure(error),
            _ => self.success(),
        }
        outcome
    }

    /// Counts a call that succeeded.
    pub fn success(&self) {
        let now = self.now();
        self.calls.count(self.part(now), Call::Succeeded);
        // Threads that succeed at once only read: a write for each would send the cache line round.
        let newest = now.saturating_add(1);
        if newest.saturating_sub(self.newest_success.load(Ordering::Relaxed)) >= RESOLUTION
            || newest == 1
        {
            self.newest_success.fetch_max(newest, Ordering::Relaxed);
        }
    }

    /// Counts a call that failed, and why. The text is part of the check's message, and scrubbed
    /// there; it is formatted about once in a tenth of the window.
    pub fn failure(&self, reason: impl fmt::Display) {
        let now = self.now();
        let part = self.part(now);
        self.calls.count(part, Call::Failed);
        self.newest_failure.fetch_max(now.saturating_add(1), Ordering::Relaxed);
        if self.kept.fetch_max(part, Ordering::Relaxed) < part {
            // `#` is the whole chain of causes where the error's type has one.
            let mut text = format!("{reason:#}");
            let end =
                (0..=TEXT_LIMIT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or_default());
            text.shrink_to_fit();
            *self.text() = text;
        }
    }

    /// How long ago the newest success was, to the millisecond; `None` before the first.
    pub fn last_success(&self) -> Option<Duration> {
        let newest = self.newest_success.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_nanos(self.now().saturating_sub(newest)))
    }

    /// The check: healthy, or degraded where too large a share of the calls failed. Without calls it
    /// is healthy: nothing is known.
    ///
    /// Details: `calls` and `failures` within the window, and `last_success_age_ms`.
    pub fn check(&self) -> CheckResult {
        let calls = self.counted();
        let result = if calls.all() >= self.min_calls && self.too_many(calls.failed, calls.all()) {
            let percent = (self.degraded_above * 1000.0).round() / 10.0;
            let window = self.window;
            CheckResult::degraded(format!(
                "more than {percent}% of the calls within {window:?} failed: {}",
                self.text()
            ))
        } else {
            CheckResult::healthy()
        };
        let result = result.with_detail("calls", calls.all()).with_detail("failures", calls.failed);
        match self.last_success() {
            Some(age) => {
                let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                result.with_detail("last_success_age_ms", age)
            }
            None => result,
        }
    }

    /// The check, which asks the dependency only while real traffic does not: where the newest
    /// success is older than [`fresh_for`](Self::fresh_for) or than the newest failure, or there is
    /// none, `synthetic` runs. A dependency with one successful call a second is never asked, and one
    /// that has just failed is.
    ///
    /// The result is the worse of what was asked and what was observed, and its detail `synthetic`
    /// says whether anything was asked. What is asked does not count as a call.
    ///
    /// # Errors
    /// That of `synthetic`, for the annotation's `on_error`.
    pub async fn check_or_else<R: IntoCheckResult>(
        &self,
        synthetic: impl AsyncFnOnce() -> R,
    ) -> Result<CheckResult, BoxError> {
        let newest = |times: &AtomicU64| times.load(Ordering::Relaxed);
        let succeeds = newest(&self.newest_success) >= newest(&self.newest_failure);
        if succeeds && self.last_success().is_some_and(|age| age <= self.fresh_for) {
            return Ok(self.check().with_detail("synthetic", false));
        }
        let asked = synthetic().await.into_check_result()?;
        let observed = self.check();
        let (worse, other) =
            if observed.state() > asked.state() { (observed, asked) } else { (asked, observed) };
        let details = other.details().clone();
        let result = details.into_iter().fold(worse, |result, (key, value)| {
            if result.details().contains_key(&key) {
                result
            } else {
                result.with_detail(key, value)
            }
        });
        Ok(result.with_detail("synthetic", true))
    }

    /// The calls within the window. The parts of a window are numbered modulo 2^20, so what is older
    /// than the window by far would be counted once more, after 29 hours for a window of a second.
    fn counted(&self) -> Calls {
        let now = self.now();
        let newest = [&self.newest_success, &self.newest_failure];
        let newest = newest.map(|times| times.load(Ordering::Relaxed)).into_iter().max();
        // One too many, and up to a millisecond too old.
        let idle = now.saturating_sub(newest.unwrap_or_default());
        if Duration::from_nanos(idle) > self.window.saturating_add(Duration::from_millis(1)) {
            return Calls::default();
        }
        self.calls.calls(self.part(now))
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is compared to a threshold")]
    fn too_many(&self, failed: u64, all: u64) -> bool {
        failed as f64 > self.degraded_above * all as f64
    }

    /// Nanoseconds from the epoch. 584 years fit.
    fn now(&self) -> u64 {
        let now = Instant::now();
        let since = now.saturating_duration_since(*self.epoch.get_or_init(|| now));
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    const fn part(&self, now: u64) -> u64 {
        Window::part(now, self.part_length)
    }

    fn text(&self) -> MutexGuard<'_, String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Observed {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.counted();
        f.debug_struct("Observed")
            .field("succeeded", &calls.succeeded)
            .field("failed", &calls.failed)
            .field("last_success", &self.last_success())
            .finish_non_exhaustive()
    }
}
