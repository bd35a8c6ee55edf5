//! The query string, parsed and bounded.

use std::time::Duration;

use super::problem::{Problem, quoted};

/// How many `check`, `exclude` and `tag` keys one request may have.
pub(crate) const SELECTION_LIMIT: usize = 64;

pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);
pub(crate) const SHORTEST_POLL_INTERVAL: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_POLL_INTERVAL: Duration = Duration::from_secs(3600);

/// What a request asks for. Unknown keys are ignored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) verbose: bool,
    pub(crate) criteria: Criteria,
    /// The texts as they came; only the stream looks at them.
    poll_interval: Vec<String>,
    on: Vec<String>,
}

/// Which checks a request is about: values of one key unite, different keys intersect.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Criteria {
    pub(crate) checks: Vec<String>,
    pub(crate) excluded: Vec<String>,
    pub(crate) tags: Vec<String>,
}

impl Criteria {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.checks.len() + self.excluded.len() + self.tags.len()
    }
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            let criteria = &mut query.criteria;
            match &*key {
                "check" => criteria.checks.push(value.into_owned()),
                "exclude" => criteria.excluded.push(value.into_owned()),
                "tag" => criteria.tags.push(value.into_owned()),
                "verbose" => query.verbose = flag("verbose", &value)?,
                "poll_interval" => query.poll_interval.push(value.into_owned()),
                "on" => query.on.push(value.into_owned()),
                _ => {}
            }
            if query.criteria.len() > SELECTION_LIMIT {
                return Err(Problem::bad_request(format!(
                    "more than {SELECTION_LIMIT} of `check`, `exclude` and `tag` in one request"
                )));
            }
        }
        Ok(query)
    }

    /// The period of a stream.
    pub(crate) fn poll_interval(&self) -> Result<Duration, Problem> {
        let Some(text) = once("poll_interval", &self.poll_interval)? else {
            return Ok(POLL_INTERVAL);
        };
        let seconds = text.parse().ok();
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|period| (SHORTEST_POLL_INTERVAL..=LONGEST_POLL_INTERVAL).contains(period))
            .ok_or_else(|| {
                Problem::bad_request(format!(
                    "`poll_interval` is a number of seconds from 0.1 to 3600, not {}",
                    quoted(text)
                ))
            })
    }

    /// Whether a stream sends only what differs.
    pub(crate) fn on_change(&self) -> Result<bool, Problem> {
        match once("on", &self.on)? {
            None => Ok(false),
            Some("change") => Ok(true),
            Some(other) => Err(Problem::bad_request(format!(
                "`on` is `change`, or absent for an event every interval, not {}",
                quoted(other)
            ))),
        }
    }
}

fn flag(key: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        other => Err(Problem::bad_request(format!(
            "`{key}` is `true`, `false`, `1`, `0` or without a value, not {}",
            quoted(other)
        ))),
    }
}

/// The only value of a key.
fn once<'a>(key: &str, values: &'a [String]) -> Result<Option<&'a str>, Problem> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(Problem::bad_request(format!("`{key}` is there more than once"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_interval(text: &str) -> Result<Duration, String> {
        let query = Query::parse(&format!("poll_interval={text}")).map_err(|it| it.detail)?;
        query.poll_interval().map_err(|problem| problem.detail)
    }

    #[test]
    fn a_poll_interval_is_a_float_of_seconds_within_bounds() {
        assert_eq!(Query::default().poll_interval(), Ok(Duration::from_secs(1)));
        for (text, millis) in [("0.1", 100), ("2.5", 2500), ("3600", 3_600_000), ("1e1", 10_000)] {
            assert_eq!(poll_interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn an_impossible_poll_interval_is_refused_with_the_bounds() {
        let impossible = [
            "", "0", "-1", "0.099", "3600.1", "1e400", "-1e400", "NaN", "inf", "1e-9", "abc", "1s",
            "%2B2x", "+2", "0x10", "1,5",
        ];
        for text in impossible {
            let detail = poll_interval(text).expect_err(text);
            assert!(detail.contains("`poll_interval`"), "{detail}");
            assert!(detail.contains("0.1 to 3600"), "{detail}");
        }
        let twice = Query::parse("poll_interval=1&poll_interval=2").unwrap();
        let detail = twice.poll_interval().unwrap_err().detail;
        assert_eq!(detail, "`poll_interval` is there more than once");
    }

    #[test]
    fn selection_keys_are_gathered_and_bounded() {
        let query = Query::parse("check=a&tag=t&check=b%20c&exclude=d&other=x").unwrap();
        assert_eq!(query.criteria.checks, ["a", "b c"]);
        assert_eq!(query.criteria.tags, ["t"]);
        assert_eq!(query.criteria.excluded, ["d"]);
        assert!(Query::parse(&"check=a&".repeat(64)).is_ok());
        assert!(Query::parse(&"check=a&".repeat(65)).is_err());
    }

    #[test]
    fn verbose_is_a_flag() {
        for (text, verbose) in [
            ("", false),
            ("verbose", true),
            ("verbose=", true),
            ("verbose=true", true),
            ("verbose=1", true),
            ("verbose=false", false),
            ("verbose=0", false),
        ] {
            assert_eq!(Query::parse(text).unwrap().verbose, verbose, "{text}");
        }
        assert!(Query::parse("verbose=maybe").unwrap_err().detail.contains("`maybe`"));
    }

    #[test]
    fn on_is_change_or_nothing() {
        assert_eq!(Query::parse("on=change").unwrap().on_change(), Ok(true));
        assert_eq!(Query::parse("").unwrap().on_change(), Ok(false));
        assert!(Query::parse("on=tick").unwrap().on_change().is_err());
    }
}
