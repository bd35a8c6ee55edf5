//! The command line of the stand-alone program. Feature `cli`.

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use super::arguments::{HEALTHCHECK, describe, unicode, value};
use super::base_url::endpoint;
use super::line::line;
use super::watch::{self, Target};
use super::{healthcheck, print, program_name};

const WATCH: &str = "watch";
const DEFAULT_URL: &str = "http://127.0.0.1:8000";

const OPTIONS: &str = "URL..., --check, --url, --help";

/// Runs the program `servicekit-health` with the arguments of the process.
#[doc(hidden)]
pub fn cli() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = program_name(arguments.next().as_deref());
    let command = arguments.next();
    let code = match command.as_ref().map(|command| command.to_string_lossy()).as_deref() {
        Some(HEALTHCHECK) => healthcheck(&program, arguments, DEFAULT_URL),
        Some(WATCH) => watch(&program, arguments),
        Some("--help" | "-h" | "help") => print(Ok(help(&program))),
        Some("--version" | "-V") => print(Ok(format!("{program} {}", env!("CARGO_PKG_VERSION")))),
        Some(other) => print(Err(line(format!(
            "{program}: unknown command `{other}`; expected one of: {HEALTHCHECK}, {WATCH}, \
             --help, --version"
        )))),
        None => print(Err(help(&program))),
    };
    ExitCode::from(code)
}

fn watch(program: &str, arguments: impl Iterator<Item = OsString>) -> u8 {
    let targets = match parse(arguments) {
        Ok(Some(targets)) => targets,
        Ok(None) => return print(Ok(watch_help(program))),
        Err(error) => return print(Err(line(format!("{program} {WATCH}: {error}")))),
    };
    watch::watch(&targets).map_or(0, |refusals| print(Err(refusals.join("\n"))))
}

/// The services that the arguments of `watch` name, each once; `None` is for help.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Vec<Target>>, String> {
    let invalid = |error| describe(error, OPTIONS);
    let mut parser = Parser::from_args(arguments);
    let (mut urls, mut checks) = (Vec::new(), Vec::new());
    while let Some(argument) = parser.next().map_err(invalid)? {
        match argument {
            Arg::Long("url") => urls.push(value(&mut parser).map_err(invalid)?),
            Arg::Value(text) => urls.push(unicode(text).map_err(invalid)?),
            Arg::Long("check") => checks.push(value(&mut parser).map_err(invalid)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(invalid(other.unexpected())),
        }
    }
    if urls.is_empty() {
        urls.push(DEFAULT_URL.to_owned());
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(checks.iter().map(|check| ("check", check)));
    let selection = query.finish();

    let mut targets = Vec::<Target>::new();
    for url in &urls {
        let target = Target { base: endpoint(url, "")?, selection: selection.clone() };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(Some(targets))
}

fn help(program: &str) -> String {
    format!(
        "Checks the health of services that use servicekit-health

Usage: {program} <COMMAND>

Commands:
  {HEALTHCHECK}  Check a service once, or until it is healthy
  {WATCH}        Show the state of services and their checks until interrupted

Options:
  -h, --help     Print help
  -V, --version  Print version

Run `{program} <COMMAND> --help` for the options of a command."
    )
}

fn watch_help(program: &str) -> String {
    format!(
        "Shows the state of services and their checks until interrupted

Usage: {program} {WATCH} [OPTIONS] [URL]...

Arguments:
  [URL]...  Base URLs of the services, including a path prefix if they have one
            [default: {DEFAULT_URL}]

Options:
      --check <NAME>  Show only this check; may be repeated
      --url <URL>     Same as the argument
  -h, --help          Print help

Shows a live table in a terminal. If stdout is not a terminal, prints the state of every check,
then a line for each change. Set NO_COLOR to turn colors off.

Waits for services that are not running yet, and reconnects. Exits with 1 if no URL is a health
stream, and with 0 on Ctrl-C."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(line: &str) -> Result<Vec<String>, String> {
        let targets = parse(line.split_whitespace().map(OsString::from))?.expect("not help");
        Ok(targets.iter().map(|target| target.stream_url("on=change")).collect())
    }

    #[test]
    fn the_arguments_choose_the_services_and_the_checks() {
        for (line, urls) in [
            ("", &["http://127.0.0.1:8000/health/$stream?on=change"][..]),
            ("--url http://host/a", &["http://host/a/health/$stream?on=change"]),
            (
                "one:1 http://two one:1/",
                &["http://one:1/health/$stream?on=change", "http://two/health/$stream?on=change"],
            ),
            (
                "--check redis --check a&b host",
                &["http://host/health/$stream?on=change&check=redis&check=a%26b"],
            ),
        ] {
            assert_eq!(streams(line).unwrap(), urls, "{line}");
        }
        assert_eq!(parse(["--help".into()].into_iter()), Ok(None));
    }

    #[test]
    fn an_invalid_argument_is_named_with_what_is_expected() {
        let error = streams("--chek redis").unwrap_err();
        assert_eq!(
            error,
            "unknown option `--chek`; expected one of: URL..., --check, --url, --help"
        );
        assert_eq!(streams("--check").unwrap_err(), "`--check` requires a value");
        assert!(streams("ftp://host").unwrap_err().contains("unsupported scheme"));
    }
}
