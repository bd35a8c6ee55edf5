//! The command line of `healthcheck`. Nothing here prints, connects or ends the process.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::time::Duration;

use humantime::format_duration;
use lexopt::{Arg, Parser};

use super::base_url::endpoint;
use crate::text::scrub::scrub;

/// The first argument, which makes a program check itself.
pub(super) const HEALTHCHECK: &str = "healthcheck";

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
const TIMEOUT_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);
const WAIT_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

const OPTIONS: &str = "URL, --ready, --live, --url, --wait, --timeout, --help";

#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Check(CheckOptions),
}

/// What to check, and for how long.
#[derive(Debug, PartialEq)]
pub(super) struct CheckOptions {
    pub(super) url: String,
    /// The limit of one attempt.
    pub(super) timeout: Duration,
    /// How long to retry; zero is one attempt.
    pub(super) wait: Duration,
}

/// The arguments after `healthcheck`. The last of repeated options counts, so that a caller can
/// append to a given command.
pub(super) fn parse(
    arguments: impl Iterator<Item = OsString>,
    default_url: &str,
) -> Result<Command, String> {
    let mut parser = Parser::from_args(arguments);
    let (mut ready, mut live) = (false, false);
    let mut url = default_url.to_owned();
    let mut has_positional = false;
    let (mut timeout, mut wait) = (DEFAULT_TIMEOUT, Duration::ZERO);
    let invalid = |error| describe(error, OPTIONS);
    while let Some(argument) = parser.next().map_err(invalid)? {
        match argument {
            Arg::Long("ready") => ready = true,
            Arg::Long("live") => live = true,
            Arg::Long("url") => url = value(&mut parser).map_err(invalid)?,
            Arg::Value(text) if !has_positional => {
                url = unicode(text).map_err(invalid)?;
                has_positional = true;
            }
            Arg::Long("wait") => {
                wait = duration("--wait", &value(&mut parser).map_err(invalid)?, WAIT_RANGE)?;
            }
            Arg::Long("timeout") => {
                let text = value(&mut parser).map_err(invalid)?;
                timeout = duration("--timeout", &text, TIMEOUT_RANGE)?;
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(invalid(other.unexpected())),
        }
    }
    let path = match (ready, live) {
        (false, false) => "/health",
        (true, false) => "/readyz",
        (false, true) => "/livez",
        (true, true) => return Err("`--ready` cannot be used with `--live`".to_owned()),
    };
    Ok(Command::Check(CheckOptions { url: endpoint(&url, path)?, timeout, wait }))
}

pub(super) fn help(program: &str, default_url: &str) -> String {
    let default_url = scrub(default_url);
    format!(
        "Checks a service's health; exits 0 if healthy or degraded, 1 otherwise

Usage: {program} {HEALTHCHECK} [OPTIONS] [URL]

Arguments:
  [URL]  Base URL of the service, including a path prefix if it has one
         [default: {default_url}]

Options:
      --ready               Check /readyz instead of /health
      --live                Check /livez instead of /health
      --url <URL>           Same as the argument
      --wait <DURATION>     Retry every 500ms until healthy, at most this long [default: 0s]
      --timeout <DURATION>  Limit of one attempt [default: 1s]
  -h, --help                Print help

A duration is a number with a unit, e.g. 500ms, 2s, 1m or 1h."
    )
}

/// The value of an option.
pub(super) fn value(parser: &mut Parser) -> Result<String, lexopt::Error> {
    unicode(parser.value()?)
}

pub(super) fn unicode(text: OsString) -> Result<String, lexopt::Error> {
    text.into_string().map_err(lexopt::Error::NonUnicodeValue)
}

/// What is wrong with an argument, and what is `expected`.
pub(super) fn describe(error: lexopt::Error, expected: &str) -> String {
    match error {
        lexopt::Error::UnexpectedOption(option) => {
            format!("unknown option `{option}`; expected one of: {expected}")
        }
        lexopt::Error::UnexpectedArgument(argument) => {
            let argument = argument.to_string_lossy();
            format!("unexpected argument `{argument}`; expected one of: {expected}")
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            format!("`{option}` takes no value, but `{}` was given", value.to_string_lossy())
        }
        lexopt::Error::MissingValue { option: Some(option) } => {
            format!("`{option}` requires a value")
        }
        lexopt::Error::NonUnicodeValue(value) => {
            format!("`{}` is not valid Unicode", value.to_string_lossy())
        }
        other => format!("{other}; expected one of: {expected}"),
    }
}

fn duration(option: &str, text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    humantime::parse_duration(text).ok().filter(|time| range.contains(time)).ok_or_else(|| {
        let (min, max) = (format_duration(*range.start()), format_duration(*range.end()));
        format!(
            "invalid value `{text}` for `{option}`: expected a duration from {min} to {max}, \
             e.g. 500ms, 2s, 1m or 1h"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:8000";

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from), URL)
    }

    fn options(line: &str) -> CheckOptions {
        match parsed(line) {
            Ok(Command::Check(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn without_arguments_health_is_checked_once() {
        assert_eq!(
            options(""),
            CheckOptions {
                url: "http://127.0.0.1:8000/health".to_owned(),
                timeout: Duration::from_secs(1),
                wait: Duration::ZERO,
            }
        );
    }

    #[test]
    fn the_options_choose_the_endpoint() {
        for (line, url) in [
            ("--ready", "http://127.0.0.1:8000/readyz"),
            ("--live", "http://127.0.0.1:8000/livez"),
            ("--url http://host", "http://host/health"),
            ("--url=http://host/", "http://host/health"),
            ("--url http://host:80/internal --ready", "http://host:80/internal/readyz"),
            ("--url http://one --url http://two", "http://two/health"),
            ("localhost:8000", "http://localhost:8000/health"),
            ("--live host", "http://host/livez"),
            ("host --live", "http://host/livez"),
            ("-- host", "http://host/health"),
        ] {
            assert_eq!(options(line).url, url, "{line}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("2s", 2000),
            ("1m", 60_000),
            ("1h", 3_600_000),
            ("1m 5s", 65_000),
            ("1.5s", 1500),
        ] {
            let arguments = ["--wait", text, "--timeout", text].map(OsString::from);
            let Ok(Command::Check(options)) = parse(arguments.into_iter(), URL) else {
                panic!("{text}");
            };
            let time = Duration::from_millis(millis);
            assert_eq!((options.wait, options.timeout), (time, time), "{text}");
        }
        assert_eq!(options("--wait 0s").wait, Duration::ZERO);
    }

    #[test]
    fn an_invalid_duration_is_refused_with_the_bounds() {
        for text in ["", "5", "-1s", "abc", "0s", "1us", "2h", "99999999999999999999h"] {
            let error = parsed(&format!("--timeout={text}")).unwrap_err();
            assert!(error.starts_with(&format!("invalid value `{text}` for `--timeout`")));
            assert!(error.contains("from 1ms to 1h, e.g. 500ms, 2s, 1m or 1h"), "{error}");
        }
        let error = parsed("--wait 25h").unwrap_err();
        assert!(error.contains("from 0s to 1day"), "{error}");
    }

    #[test]
    fn an_invalid_argument_is_named_with_what_is_expected() {
        for (line, expected) in [
            ("--redy", "unknown option `--redy`; expected one of: URL, --ready, --live"),
            ("-r", "unknown option `-r`; expected one of: URL, --ready, --live"),
            ("one two", "unexpected argument `two`; expected one of: URL, --ready"),
            ("--url", "`--url` requires a value"),
            ("--ready=yes", "`--ready` takes no value, but `yes` was given"),
            ("--live --ready", "`--ready` cannot be used with `--live`"),
            ("ftp://host", "unsupported scheme"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn help_names_every_option_and_the_default_url() {
        assert_eq!(parsed("--ready --help"), Ok(Command::Help));
        assert_eq!(parsed("-h"), Ok(Command::Help));
        let help = help("shop", URL);
        for part in ["shop healthcheck", URL].into_iter().chain(OPTIONS.split(", ")) {
            assert!(help.contains(part), "{part}");
        }
    }

    #[test]
    fn help_masks_the_password_of_the_default_url() {
        let help = help("shop", "http://me:hunter2@host");
        assert!(help.contains("[default: http://***@host]"), "{help}");
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_unicode_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let arguments = [OsString::from("--url"), OsString::from_vec(vec![0xff])];
        let error = parse(arguments.into_iter(), URL).unwrap_err();
        assert!(error.contains("is not valid Unicode"), "{error}");
    }
}
