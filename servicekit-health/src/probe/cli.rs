//! The stand-alone program. Feature `cli`.

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use super::arguments::{HEALTHCHECK, refused, text, under};
use super::watch::{self, Stop};
use super::{healthcheck, name_of, tell, text as shown};

const WATCH: &str = "watch";
const URL: &str = "http://127.0.0.1:8000";

const ALLOWED: &str = "--url URL, --check NAME... and --help";

/// What the program `servicekit-health` does with the arguments of the process.
#[doc(hidden)]
pub fn cli() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = name_of(arguments.next().as_deref());
    let command = arguments.next();
    let code = match command.as_ref().map(|command| command.to_string_lossy()).as_deref() {
        Some(HEALTHCHECK) => healthcheck(&program, arguments, URL),
        Some(WATCH) => watch(&program, arguments),
        Some("--help" | "-h" | "help") => tell(Ok(usage(&program))),
        Some("--version" | "-V") => tell(Ok(format!("{program} {}", env!("CARGO_PKG_VERSION")))),
        Some(other) => tell(Err(shown::line(format!(
            "{program}: there is no command `{other}`: allowed are {HEALTHCHECK}, {WATCH}, --help \
             and --version"
        )))),
        None => tell(Err(usage(&program))),
    };
    ExitCode::from(code)
}

fn watch(program: &str, arguments: impl Iterator<Item = OsString>) -> u8 {
    let url = match stream(arguments) {
        Ok(Some(url)) => url,
        Ok(None) => return tell(Ok(watch_usage(program))),
        Err(error) => return tell(Err(shown::line(format!("{program} {WATCH}: {error}")))),
    };
    match watch::watch(&url, &mut anstream::stdout()) {
        Stop::Refused(why) => tell(Err(shown::line(format!("failed: {url}: {why}")))),
        Stop::NobodyReads => 0,
    }
}

/// The address of the stream that the arguments of `watch` ask for; `None` is for help.
fn stream(arguments: impl Iterator<Item = OsString>) -> Result<Option<String>, String> {
    let refused = |error| refused(error, ALLOWED);
    let mut parser = Parser::from_args(arguments);
    let mut url = URL.to_owned();
    let mut query = form_urlencoded::Serializer::new("on=change".to_owned());
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Long("url") => url = text(&mut parser).map_err(refused)?,
            Arg::Long("check") => {
                for name in parser.values().map_err(refused)? {
                    let name = name.into_string().map_err(lexopt::Error::NonUnicodeValue);
                    query.append_pair("check", &name.map_err(refused)?);
                }
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(refused(other.unexpected())),
        }
    }
    let stream = under(&url, "/health/$stream")?;
    Ok(Some(format!("{stream}?{}", query.finish())))
}

fn usage(program: &str) -> String {
    format!(
        "Usage: {program} {HEALTHCHECK} ...   ask a service how it is, exit with 0 or 1
       {program} {WATCH} ...         print every change, until it is stopped
       {program} --version

`--help` behind a command tells its options."
    )
}

fn watch_usage(program: &str) -> String {
    format!(
        "Prints the state of every check, then a line for each change, until it is stopped.

Usage: {program} {WATCH} [--url URL] [--check NAME...]

  --url URL        where the endpoints are, with their prefix if they have one
                   [default: {URL}]
  --check NAME...  only these checks

Without colours when NO_COLOR is set or nobody looks at a terminal. When the stream breaks it is
opened again. What is no health stream ends it with 1."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(line: &str) -> Result<Option<String>, String> {
        super::stream(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_arguments_choose_the_stream_and_the_checks() {
        for (line, url) in [
            ("", "http://127.0.0.1:8000/health/$stream?on=change"),
            ("--url http://host/a", "http://host/a/health/$stream?on=change"),
            (
                "--check redis queue --url http://host --check a&b",
                "http://host/health/$stream?on=change&check=redis&check=queue&check=a%26b",
            ),
        ] {
            assert_eq!(stream(line).unwrap().as_deref(), Some(url), "{line}");
        }
        assert_eq!(stream("--help"), Ok(None));
    }

    #[test]
    fn what_is_not_understood_is_named_with_what_is_allowed() {
        for line in ["--chek redis", "redis", "--check", "--url"] {
            let error = stream(line).unwrap_err();
            assert!(error.ends_with("--url URL, --check NAME... and --help"), "{error}");
        }
        assert!(stream("--url nonsense").unwrap_err().contains("`nonsense`"));
    }
}
