//! Times and durations as they stand on the wire.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// RFC 3339 in UTC with milliseconds, `2026-11-24T20:15:02.123Z`.
///
/// `None` for a time before 1970 or after 9999, which that format cannot hold: a wall clock that is
/// far off costs a field, not the answer.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    // Formatting panics before 1970.
    time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut text = String::with_capacity(24);
    write!(text, "{}", humantime::format_rfc3339_millis(time)).ok()?;
    Some(text)
}

/// The time that [`rfc3339`] wrote.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

/// Milliseconds with microseconds as their fraction: a fast check takes only some of those.
pub(crate) fn millis(duration: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let micros = duration.as_micros() as f64;
    micros / 1000.0
}

/// The duration that [`millis`] wrote.
pub(crate) fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_the_format_cannot_hold_is_left_out() {
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - year), None);
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + year * 9000), None);
        let text = rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(1)).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.001Z");
        assert_eq!(parse_rfc3339(&text), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1)));
    }

    #[test]
    fn a_duration_keeps_its_microseconds() {
        let duration = Duration::from_micros(1234);
        assert!((millis(duration) - 1.234).abs() < f64::EPSILON);
        assert_eq!(from_millis(millis(duration)), Some(duration));
        assert_eq!(from_millis(-1.0), None);
    }
}
