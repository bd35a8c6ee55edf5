//! What the log says of a check: one line for a change, and at most one a second.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{HealthState, Transition};

/// A check that flaps faster than this does not fill the log.
const PACE: Duration = Duration::from_secs(1);

/// Which lines of one check are written.
#[derive(Debug, Default)]
pub(crate) struct LogPace {
    last: Option<Instant>,
    left_out: u64,
    /// The newest change, while it has no line.
    pending: Option<Transition>,
}

/// A line of the log: a change, and how many others were left out before it.
pub(crate) type Line = (Transition, u64);

impl LogPace {
    /// The line for a change at `now`, if it may be written.
    pub(crate) fn change(&mut self, transition: Transition, now: Instant) -> Option<Line> {
        self.left_out += u64::from(self.pending.replace(transition).is_some());
        self.due(now)
    }

    /// The line of a change that had to wait until `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Line> {
        if self.last.is_some_and(|last| now < last + PACE) {
            return None;
        }
        let transition = self.pending.take()?;
        self.last = Some(now);
        Some((transition, std::mem::take(&mut self.left_out)))
    }
}

/// One line for a change of state, at the level that the new state deserves.
pub(crate) fn transition(transition: &Transition, left_out: u64) {
    macro_rules! log {
        ($($fields:tt)*) => {
            match transition.to {
                HealthState::Healthy => tracing::info!(target: "servicekit_health", $($fields)*),
                HealthState::Degraded => tracing::warn!(target: "servicekit_health", $($fields)*),
                HealthState::Unhealthy => tracing::error!(target: "servicekit_health", $($fields)*),
            }
        };
    }
    let Transition { check, from, to, failures, .. } = transition;
    // An empty field is not written. Not `message`: that is what tracing calls the line's own text.
    let reason = transition.message.as_deref();
    let lasted_ms = transition.lasted.map(|lasted| lasted.as_millis());
    let left_out = (left_out > 0).then_some(left_out);
    match from {
        Some(from) => log!(
            check, %from, %to, lasted_ms, failures, reason, left_out, "health check changed"
        ),
        None => log!(check, state = %to, reason, left_out, "health check starts out failing"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn change(failures: u32) -> Transition {
        Transition {
            check: "redis".to_owned(),
            from: None,
            to: HealthState::Degraded,
            message: None,
            at: SystemTime::UNIX_EPOCH,
            lasted: None,
            failures,
            missed: 0,
        }
    }

    #[test]
    fn a_check_that_flaps_writes_a_line_a_second_and_its_last_change_is_never_lost() {
        let (mut pace, begin) = (LogPace::default(), Instant::now());
        assert_eq!(pace.change(change(1), begin), Some((change(1), 0)));
        for failures in 2..5 {
            assert_eq!(pace.change(change(failures), begin + PACE / 2), None);
        }
        assert_eq!(pace.due(begin + PACE / 2), None);
        assert_eq!(pace.due(begin + PACE), Some((change(4), 2)));
        assert_eq!(pace.due(begin + 2 * PACE), None);
    }
}
