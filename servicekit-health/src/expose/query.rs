//! The query string, parsed and bounded.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::problem::{Problem, quoted};
use crate::evaluate::selection::Criteria;

/// How many `check`, `exclude` and `tag` keys one request may have.
pub(crate) const SELECTION_LIMIT: usize = 64;

pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);
pub(crate) const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
pub(crate) const MAX_POLL_INTERVAL: Duration = Duration::from_secs(3600);

/// How often one key may be repeated that is wanted once; further ones are not kept.
const MAX_REPEATED: usize = 2;

/// What a request asks for. Unknown keys are ignored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query<'a> {
    pub(crate) verbose: bool,
    pub(crate) criteria: Criteria<'a>,
    /// The texts as they came; only the stream looks at them.
    poll_interval: Vec<Cow<'a, str>>,
    on: Vec<Cow<'a, str>>,
    limit: Vec<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Problem> {
        let mut query = Self::default();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (key, value);
            (key, value, rest) = first_pair(text);
            // There may be thousands, so a value is decoded only where it is kept, and a key only
            // where it is none of ours as it was sent.
            match Key::of(key).or_else(|| Key::of(&decode(key)?)) {
                Some(Key::Check) => query.criteria.checks.push(decoded(value)),
                Some(Key::Exclude) => query.criteria.excluded.push(decoded(value)),
                Some(Key::Tag) => query.criteria.tags.push(decoded(value)),
                Some(Key::Verbose) => query.verbose = flag("verbose", &decoded(value))?,
                Some(Key::PollInterval) => keep(&mut query.poll_interval, value),
                Some(Key::On) => keep(&mut query.on, value),
                Some(Key::Limit) => keep(&mut query.limit, value),
                None => {}
            }
            if query.criteria.len() > SELECTION_LIMIT {
                return Err(Problem::bad_request(format!(
                    "too many selection keys; use at most {SELECTION_LIMIT} of `check`, \
                     `exclude` and `tag`"
                )));
            }
        }
        Ok(query)
    }

    /// After how many events a stream ends.
    pub(crate) fn limit(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = once("limit", &self.limit)? else { return Ok(None) };
        let limit = text.parse().ok().filter(|limit| *limit >= 1);
        limit.map(Some).ok_or_else(|| {
            Problem::bad_request(format!(
                "invalid `limit` value {}; expected an integer of at least 1",
                quoted(text)
            ))
        })
    }

    /// The period of a stream.
    pub(crate) fn poll_interval(&self) -> Result<Duration, Problem> {
        let Some(text) = once("poll_interval", &self.poll_interval)? else {
            return Ok(POLL_INTERVAL);
        };
        let seconds = text.parse().ok();
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|period| (MIN_POLL_INTERVAL..=MAX_POLL_INTERVAL).contains(period))
            .ok_or_else(|| {
                Problem::bad_request(format!(
                    "invalid `poll_interval` value {}; expected seconds from 0.1 to 3600",
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
                "invalid `on` value {}; expected `change`",
                quoted(other)
            ))),
        }
    }
}

/// The keys that are not ignored.
#[derive(Clone, Copy)]
enum Key {
    Check,
    Exclude,
    Tag,
    Verbose,
    PollInterval,
    On,
    Limit,
}

impl Key {
    fn of(key: &str) -> Option<Self> {
        Some(match key.as_bytes() {
            b"check" => Self::Check,
            b"exclude" => Self::Exclude,
            b"tag" => Self::Tag,
            b"verbose" => Self::Verbose,
            b"poll_interval" => Self::PollInterval,
            b"on" => Self::On,
            b"limit" => Self::Limit,
            _ => return None,
        })
    }
}

/// The first key with its value, and what stands behind the `&` after them. One pass over bytes: the
/// standard library's search for a `char` costs far more in pieces as short as these.
fn first_pair(text: &str) -> (&str, &str, Option<&str>) {
    let mut equals = None;
    let mut end = text.len();
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'&' {
            end = at;
            break;
        }
        if byte == b'=' && equals.is_none() {
            equals = Some(at);
        }
    }
    let rest = text.get(end + 1..);
    match equals {
        Some(equals) => (&text[..equals], &text[equals + 1..end], rest),
        None => (&text[..end], "", rest),
    }
}

/// A key or a value of `application/x-www-form-urlencoded`; `None` if it is what was sent.
fn decode(text: &str) -> Option<String> {
    text.bytes()
        .any(|byte| matches!(byte, b'+' | b'%'))
        .then(|| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
}

fn decoded(text: &str) -> Cow<'_, str> {
    decode(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn keep<'a>(values: &mut Vec<Cow<'a, str>>, value: &'a str) {
    if values.len() < MAX_REPEATED {
        values.push(decoded(value));
    }
}

fn flag(key: &str, value: &str) -> Result<bool, Problem> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        other => Err(Problem::bad_request(format!(
            "invalid `{key}` value {}; expected `true`, `false`, `1`, `0` or no value",
            quoted(other)
        ))),
    }
}

/// The only value of a key.
fn once<'a>(key: &str, values: &'a [Cow<'_, str>]) -> Result<Option<&'a str>, Problem> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(Problem::bad_request(format!("duplicate query key `{key}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_interval(text: &str) -> Result<Duration, String> {
        let text = format!("poll_interval={text}");
        let query = Query::parse(&text).map_err(|it| it.detail)?;
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
        assert_eq!(detail, "duplicate query key `poll_interval`");
    }

    #[test]
    fn a_query_is_decoded_as_forms_are() {
        let texts =
            ["", "&&", "=", "a", "a=", "=b", "a=b=c", "a+b=+c%2B", "%61=%c3%a4", "%=%ff%2", "ä=ö"];
        for text in texts {
            let (mut ours, mut rest) = (Vec::new(), Some(text));
            while let Some(text) = rest {
                let (key, value);
                (key, value, rest) = first_pair(text);
                if !text.is_empty() && !text.starts_with('&') {
                    ours.push((decoded(key), decoded(value)));
                }
            }
            let theirs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
            assert_eq!(ours, theirs, "{text}");
        }
        assert_eq!(Query::parse("&ch%65ck=a+b%2Bc&").unwrap().criteria.checks, ["a b+c"]);
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
    fn a_limit_is_an_integer_of_at_least_1() {
        assert_eq!(Query::parse("").unwrap().limit(), Ok(None));
        assert_eq!(Query::parse("limit=3").unwrap().limit(), Ok(Some(3)));
        for text in ["limit=", "limit=0", "limit=-1", "limit=1.5", "limit=x"] {
            let detail = Query::parse(text).unwrap().limit().unwrap_err().detail;
            assert!(detail.contains("`limit`") && detail.contains("at least 1"), "{detail}");
        }
    }

    #[test]
    fn on_is_change_or_nothing() {
        assert_eq!(Query::parse("on=change").unwrap().on_change(), Ok(true));
        assert_eq!(Query::parse("").unwrap().on_change(), Ok(false));
        assert!(Query::parse("on=tick").unwrap().on_change().is_err());
    }
}
