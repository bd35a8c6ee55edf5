//! The command line, understood or refused. Nothing here prints, asks or ends the process.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::Uri;
use humantime::format_duration;
use lexopt::{Arg, Parser};

/// The first argument that makes a program answer for itself.
pub(super) const HEALTHCHECK: &str = "healthcheck";

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(1);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const WAITS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

const ALLOWED: &str = "--ready, --live, --url URL, --wait TIME, --timeout TIME and --help";

#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Ask(Question),
}

/// What to ask, and with how much patience.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub(super) url: String,
    pub(super) timeout: Duration,
    /// For how long to ask again; none is to ask once.
    pub(super) wait: Duration,
}

/// The arguments behind `healthcheck`. An option that is there twice counts as it came last, so
/// that a caller can add to a command that is given.
pub(super) fn parse(
    arguments: impl Iterator<Item = OsString>,
    url: &str,
) -> Result<Command, String> {
    let mut parser = Parser::from_args(arguments);
    let (mut ready, mut live) = (false, false);
    let mut url = url.to_owned();
    let (mut timeout, mut wait) = (TIMEOUT, Duration::ZERO);
    let refused = |error| refused(error, ALLOWED);
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Long("ready") => ready = true,
            Arg::Long("live") => live = true,
            Arg::Long("url") => url = text(&mut parser).map_err(refused)?,
            Arg::Long("wait") => {
                wait = duration("--wait", &text(&mut parser).map_err(refused)?, WAITS)?;
            }
            Arg::Long("timeout") => {
                timeout = duration("--timeout", &text(&mut parser).map_err(refused)?, TIMEOUTS)?;
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(refused(other.unexpected())),
        }
    }
    let path = match (ready, live) {
        (false, false) => "/health",
        (true, false) => "/readyz",
        (false, true) => "/livez",
        (true, true) => return Err("`--ready` or `--live`, not both".to_owned()),
    };
    Ok(Command::Ask(Question { url: under(&url, path)?, timeout, wait }))
}

pub(super) fn usage(program: &str, url: &str) -> String {
    format!(
        "Asks a service how it is: exit status 0 when it is well, 1 when it is not.

Usage: {program} {HEALTHCHECK} [--ready | --live] [--url URL] [--wait TIME] [--timeout TIME]

  --ready         ask /readyz: should it get requests?
  --live          ask /livez: does it run?
                  With neither, ask /health: how is every check?
  --url URL       where the endpoints are, with their prefix if they have one
                  [default: {url}]
  --wait TIME     until it is well, ask again every 500ms for so long [default: 0s]
  --timeout TIME  how long one answer may take [default: 1s]

A TIME is a number with a unit: 500ms, 2s, 1m or 1h.
A degraded service is well, as long as it answers with 2xx."
    )
}

/// The value of an option.
pub(super) fn text(parser: &mut Parser) -> Result<String, lexopt::Error> {
    parser.value()?.into_string().map_err(lexopt::Error::NonUnicodeValue)
}

/// What is wrong with an argument, and what is `allowed`.
pub(super) fn refused(error: lexopt::Error, allowed: &str) -> String {
    match error {
        lexopt::Error::UnexpectedOption(option) => {
            format!("there is no option `{option}`: allowed are {allowed}")
        }
        lexopt::Error::UnexpectedArgument(argument) => {
            format!("`{}` is no option: allowed are {allowed}", argument.to_string_lossy())
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            format!("`{option}` takes no value, and has `{}`", value.to_string_lossy())
        }
        lexopt::Error::MissingValue { option: Some(option) } => {
            format!("`{option}` needs a value: allowed are {allowed}")
        }
        lexopt::Error::NonUnicodeValue(value) => {
            format!("`{}` is no valid Unicode", value.to_string_lossy())
        }
        other => format!("{other}: allowed are {allowed}"),
    }
}

fn duration(
    option: &str,
    text: &str,
    bounds: RangeInclusive<Duration>,
) -> Result<Duration, String> {
    humantime::parse_duration(text).ok().filter(|time| bounds.contains(time)).ok_or_else(|| {
        let (least, most) = (format_duration(*bounds.start()), format_duration(*bounds.end()));
        format!(
            "`{option}` is a time such as 500ms, 2s, 1m or 1h, from {least} to {most}, not `{text}`"
        )
    })
}

/// The address of `path` under the base `url`.
pub(super) fn under(url: &str, path: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("the URL `{url}` {why}"));
    let example = "is none like http://127.0.0.1:8000 or http://127.0.0.1:8000/prefix";
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong(example);
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return wrong(example);
    };
    match scheme {
        "https" if !cfg!(feature = "probe-tls") => {
            return wrong("needs TLS, which the feature `probe-tls` of servicekit-health turns on");
        }
        "http" | "https" => {}
        _ => return wrong("begins with neither http:// nor https://"),
    }
    if authority.as_str().contains('@') {
        return wrong("has a user: the list of processes would show the password to everybody");
    }
    if authority.host().is_empty() {
        return wrong("has no host");
    }
    if authority.as_str() != authority.host() && authority.port_u16().is_none() {
        return wrong("has a port that is no number from 0 to 65535");
    }
    if uri.query().is_some() || url.contains('#') {
        return wrong("is more than a base: leave out the `?` or `#` and what follows");
    }
    Ok(format!("{}{path}", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:8000";

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from), URL)
    }

    fn question(line: &str) -> Question {
        match parsed(line) {
            Ok(Command::Ask(question)) => question,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn without_arguments_every_check_is_asked_once() {
        assert_eq!(
            question(""),
            Question {
                url: "http://127.0.0.1:8000/health".to_owned(),
                timeout: Duration::from_secs(1),
                wait: Duration::ZERO,
            }
        );
    }

    #[test]
    fn the_options_choose_the_probe_and_the_place() {
        for (line, url) in [
            ("--ready", "http://127.0.0.1:8000/readyz"),
            ("--live", "http://127.0.0.1:8000/livez"),
            ("--url http://host", "http://host/health"),
            ("--url=http://host/", "http://host/health"),
            ("--url http://host:80/internal --ready", "http://host:80/internal/readyz"),
            ("--live --url http://[::1]:8000/a/b/", "http://[::1]:8000/a/b/livez"),
            ("--url http://one --url http://two", "http://two/health"),
        ] {
            assert_eq!(question(line).url, url, "{line}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("2s", 2000),
            ("1m", 60_000),
            ("1h", 3_600_000),
            ("1m 5s", 65_000),
            ("1.5s", 1500),
        ] {
            let arguments = ["--wait", text, "--timeout", text].map(OsString::from);
            let Ok(Command::Ask(question)) = parse(arguments.into_iter(), URL) else {
                panic!("{text}");
            };
            let time = Duration::from_millis(millis);
            assert_eq!((question.wait, question.timeout), (time, time), "{text}");
        }
        assert_eq!(question("--wait 0s").wait, Duration::ZERO);
    }

    #[test]
    fn an_impossible_time_is_refused_with_the_bounds() {
        for text in ["", "5", "-1s", "abc", "0s", "1us", "2h", "99999999999999999999h"] {
            let error = parsed(&format!("--timeout={text}")).unwrap_err();
            assert!(error.contains("`--timeout` is a time such as 500ms, 2s, 1m or 1h"), "{error}");
            assert!(error.contains("from 1ms to 1h"), "{error}");
        }
        let error = parsed("--wait 25h").unwrap_err();
        assert!(error.ends_with("from 0s to 1day, not `25h`"), "{error}");
    }

    #[test]
    fn an_argument_that_is_not_understood_is_named_with_what_is_allowed() {
        for (line, said) in [
            ("--redy", "no option `--redy`"),
            ("-r", "no option `-r`"),
            ("now", "`now` is no option"),
            ("-- --ready", "`--ready` is no option"),
            ("--url", "`--url` needs a value"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(error.ends_with(ALLOWED), "{error}");
        }
        assert_eq!(parsed("--ready=yes").unwrap_err(), "`--ready` takes no value, and has `yes`");
        assert_eq!(parsed("--live --ready").unwrap_err(), "`--ready` or `--live`, not both");
    }

    #[test]
    fn a_url_that_is_no_base_is_refused() {
        for (url, said) in [
            ("", "is none like"),
            ("127.0.0.1:8000", "is none like"),
            ("localhost", "is none like"),
            ("/health", "is none like"),
            ("--ready", "is none like"),
            ("http://", "is none like"),
            ("http://a b", "is none like"),
            ("http://host:99999", "port"),
            ("http://host:", "port"),
            ("ftp://host", "neither http:// nor https://"),
            ("http://me:secret@host", "has a user"),
            ("http://host/health?verbose", "more than a base"),
            ("http://host/#top", "more than a base"),
        ] {
            let error = under(url, "/health").expect_err(url);
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn https_is_for_those_who_turned_it_on() {
        let url = under("https://host", "/livez");
        if cfg!(feature = "probe-tls") {
            assert_eq!(url.as_deref(), Ok("https://host/livez"));
        } else {
            assert!(url.unwrap_err().contains("the feature `probe-tls`"));
        }
    }

    #[test]
    fn help_names_every_option_and_the_default_address() {
        assert_eq!(parsed("--ready --help"), Ok(Command::Help));
        assert_eq!(parsed("-h"), Ok(Command::Help));
        let usage = usage("shop", URL);
        for part in ["shop healthcheck", "--ready", "--live", "--url", "--wait", "--timeout", URL] {
            assert!(usage.contains(part), "{part}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_unicode_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let arguments = [OsString::from("--url"), OsString::from_vec(vec![0xff])];
        let error = parse(arguments.into_iter(), URL).unwrap_err();
        assert!(error.contains("no valid Unicode"), "{error}");
    }
}
