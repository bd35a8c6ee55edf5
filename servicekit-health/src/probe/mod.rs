//! A probe without curl: the program asks its own endpoints. Feature `probe`.
//!
//! A distroless image, or one made from scratch, has neither a shell nor curl. With one call at the
//! top of `main` the program that is in there anyway answers for itself:
//!
//! ```dockerfile
//! HEALTHCHECK CMD ["/app", "healthcheck", "--ready"]
//! ```
//!
//! ```yaml
//! readinessProbe:
//!   exec: { command: ["/app", "healthcheck", "--ready"] }
//!   timeoutSeconds: 2  # one more than `--timeout`
//! ```
//!
//! In a pipeline, `app healthcheck --wait 60s --url http://staging:8000` holds the next step back
//! until the service is well. `app healthcheck --help` tells the rest.

mod arguments;
mod ask;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod events;
mod report;
mod text;
#[cfg(feature = "cli")]
mod watch;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process;

use self::arguments::{Command, HEALTHCHECK};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use self::cli::cli;

/// Answers `app healthcheck` and ends the process; returns at once when the program was called in
/// any other way.
///
/// It belongs at the top of `main`, before anything that a second process of the same program must
/// not do. `url` is where the endpoints are, with their prefix if they have one, for when the
/// caller does not say `--url`.
///
/// ```no_run
/// #[tokio::main]
/// async fn main() {
///     servicekit_health::probe::answer("http://127.0.0.1:8000");
///     // Here the service begins.
/// }
/// ```
///
/// It asks `/health`, or `/readyz` with `--ready`, or `/livez` with `--live`. Any 2xx is good, so
/// degraded is, and the line says it. The process ends with 0 and one line on stdout, or with 1 and
/// one line on stderr, also for arguments that it does not understand. Only the first argument
/// decides: `app --verbose healthcheck` is the program's own business.
///
/// It blocks its thread, speaks HTTP/1.1, reads no proxy from the environment and follows no
/// redirect. An address that begins with `https` needs the feature `probe-tls`.
pub fn answer(url: &str) {
    let mut arguments = std::env::args_os();
    let program = name_of(arguments.next().as_deref());
    if arguments.next().is_some_and(|command| command == HEALTHCHECK) {
        process::exit(healthcheck(&program, arguments, url).into());
    }
}

/// The exit status of `healthcheck` with these arguments, once the line is printed.
fn healthcheck(program: &str, arguments: impl Iterator<Item = OsString>, url: &str) -> u8 {
    tell(match arguments::parse(arguments, url) {
        Ok(Command::Help) => Ok(arguments::usage(program, url)),
        Ok(Command::Ask(question)) => {
            ask::until_well(&question).map(text::line).map_err(text::line)
        }
        Err(error) => Err(text::line(format!("{program} {HEALTHCHECK}: {error}"))),
    })
}

/// Prints what is good to stdout and what is not to stderr, and gives the exit status.
fn tell(outcome: Result<String, String>) -> u8 {
    // Somebody who closed the stream still gets the exit status.
    match outcome {
        Ok(text) => {
            let _ = writeln!(io::stdout(), "{text}");
            0
        }
        Err(text) => {
            let _ = writeln!(io::stderr(), "{text}");
            1
        }
    }
}

fn name_of(program: Option<&OsStr>) -> String {
    let name = program.and_then(|program| Path::new(program).file_name());
    name.map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}
