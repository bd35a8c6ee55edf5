//! A sign of life from where no check can look: a worker, a consumer, a loop.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::CheckResult;

/// A beat this many nanoseconds after another adds nothing to it: a millisecond.
const RESOLUTION: u64 = 1_000_000;

/// A sign of life that a worker, a consumer or a loop gives, and that a check reads.
///
/// [`beat`](Self::beat) takes some tens of nanoseconds, from any thread. A heartbeat that has not
/// beaten for longer than its `max_age` fails its check, which takes `on_error`. Before the first
/// beat that time counts from the first [`check`](Self::check), so that a worker which starts slowly
/// is not restarted for it.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use servicekit_health::{CheckResult, Heartbeat, MissedBeat, health_check};
///
/// static CONSUMER: Heartbeat = Heartbeat::new(Duration::from_secs(30));
///
/// #[health_check(name = "consumer", probe = "liveness")]
/// async fn consumer() -> Result<CheckResult, MissedBeat> {
///     CONSUMER.check()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // In the consumer's loop, once for every round:
/// CONSUMER.beat();
/// # let health = servicekit_health::builder().build()?;
/// # assert_eq!(health.report().await.status, servicekit_health::HealthState::Healthy);
/// # Ok(()) }
/// ```
///
/// For one that is known only at run time, share it: `Check::new("shard-3", move || { let beat =
/// Arc::clone(&beat); async move { beat.check() } })`.
#[derive(Debug)]
pub struct Heartbeat {
    max_age: Duration,
    /// The first beat: what the later ones are counted from.
    epoch: OnceLock<Instant>,
    /// Nanoseconds from the epoch to the newest beat.
    newest: AtomicU64,
    /// When the check was first asked without a beat.
    asked: OnceLock<Instant>,
}

impl Heartbeat {
    /// A heartbeat that has not beaten yet, and that has to beat once in `max_age`.
    pub const fn new(max_age: Duration) -> Self {
        Self { max_age, epoch: OnceLock::new(), newest: AtomicU64::new(0), asked: OnceLock::new() }
    }

    /// Gives a sign of life, noted to the millisecond. From any thread, at any rate.
    pub fn beat(&self) {
        let now = Instant::now();
        let epoch = *self.epoch.get_or_init(|| now);
        // 584 years fit.
        let since = now.saturating_duration_since(epoch).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        // Threads that beat at once only read: a write for each would send the cache line round.
        if since.saturating_sub(self.newest.load(Ordering::Relaxed)) >= RESOLUTION {
            self.newest.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// How long ago the newest beat was; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        let epoch = *self.epoch.get()?;
        let newest = Duration::from_nanos(self.newest.load(Ordering::Relaxed));
        Some(Instant::now().saturating_duration_since(epoch + newest))
    }

    /// The check: healthy with the age as a detail (`age_ms`).
    ///
    /// # Errors
    /// Where the newest beat is older than `max_age`, or the first has not come within that time.
    pub fn check(&self) -> Result<CheckResult, MissedBeat> {
        let Self { max_age, .. } = *self;
        match self.age() {
            Some(age) if age <= max_age => {
                let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                Ok(CheckResult::healthy().with_detail("age_ms", age))
            }
            None => {
                let now = Instant::now();
                let waits = now.saturating_duration_since(*self.asked.get_or_init(|| now));
                if waits > max_age {
                    return Err(MissedBeat { has_beaten: false, max_age });
                }
                Ok(CheckResult::healthy().with_message("waits for its first beat"))
            }
            Some(_) => Err(MissedBeat { has_beaten: true, max_age }),
        }
    }
}

/// A [`Heartbeat`] that did not beat in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedBeat {
    has_beaten: bool,
    max_age: Duration,
}

impl fmt::Display for MissedBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not for how long: a message that is another one each time would be sent at every tick to
        // who waits for a change.
        let what = if self.has_beaten { "no beat for more than" } else { "no first beat within" };
        write!(f, "{what} {:?}", self.max_age)
    }
}

impl Error for MissedBeat {}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_believed_for_its_maximal_age() {
        let heart = Heartbeat::new(SECOND);
        let first = heart.check().unwrap();
        assert_eq!(first.message(), Some("waits for its first beat"));
        advance(SECOND).await;
        assert!(heart.check().is_ok());
        advance(Duration::from_millis(1)).await;
        let error = heart.check().unwrap_err().to_string();
        assert_eq!(error, "no first beat within 1s");
        heart.beat();
        assert_eq!(heart.check(), Ok(CheckResult::healthy().with_detail("age_ms", 0)));
        advance(SECOND).await;
        assert_eq!(heart.check(), Ok(CheckResult::healthy().with_detail("age_ms", 1000)));
        advance(Duration::from_millis(500)).await;
        let error = heart.check().unwrap_err().to_string();
        assert_eq!(error, "no beat for more than 1s");
        advance(SECOND).await;
        assert_eq!(heart.check().unwrap_err().to_string(), error, "it does not run on");
        heart.beat();
        assert_eq!(heart.age(), Some(Duration::ZERO));
    }

    #[test]
    fn any_thread_may_beat_and_the_newest_beat_counts() {
        let heart = Heartbeat::new(SECOND);
        let begin = Instant::now();
        let beat = || (0..50).for_each(|_| heart.beat());
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(beat))));
        assert!(heart.age().unwrap() <= begin.elapsed());

        let newest = heart.newest.load(Ordering::Relaxed);
        heart.newest.store(u64::MAX / 2, Ordering::Relaxed);
        heart.beat();
        assert_eq!(heart.newest.load(Ordering::Relaxed), u64::MAX / 2, "not set back to {newest}");
    }
}
