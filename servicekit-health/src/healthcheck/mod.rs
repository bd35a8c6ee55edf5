//! A health check without curl: the program checks its own endpoints. Feature `healthcheck`.
//!
//! A distroless image, or one made from scratch, has neither a shell nor curl. With one call at the
//! top of `main`, the program in the image checks itself:
//!
//! ```dockerfile
//! HEALTHCHECK CMD ["/app", "healthcheck", "--ready"]
//! ```
//!
//! ```yaml
//! readinessProbe:
//!   exec: { command: ["/app", "healthcheck", "--ready"] }
//!   timeoutSeconds: 2  # longer than `--timeout`
//! ```
//!
//! In a pipeline, `app healthcheck --wait 60s staging:8000` blocks until the service is healthy, for
//! at most a minute. `app healthcheck --help` lists the options.

mod arguments;
mod base_url;
mod check;
#[cfg(feature = "cli")]
mod cli;
mod client;
mod line;
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
use self::line::line;

/// Runs `app healthcheck` and ends the process; returns at once if the program was called in any
/// other way.
///
/// Call it first in `main`, before anything that a second process of the same program must not do.
/// `url` is the base URL of the endpoints, including a path prefix if they have one; it is used
/// unless the command line has another.
///
/// ```no_run
/// #[tokio::main]
/// async fn main() {
///     servicekit_health::healthcheck::answer("http://127.0.0.1:8000");
///     // The service starts here.
/// }
/// ```
///
/// The request is `GET /health`, `/readyz` with `--ready`, or `/livez` with `--live`. Any 2xx status
/// passes, so a degraded service does, and the printed line says so. The exit status is 0 with one
/// line on stdout, or 1 with one line on stderr, also for invalid arguments. Only the first argument
/// is compared with `healthcheck`: `app --verbose healthcheck` is left to the program.
///
/// It blocks its thread, speaks HTTP/1.1, ignores the environment's proxy settings and does not
/// follow redirects. An `https` URL requires the feature `healthcheck-tls`.
pub fn answer(url: &str) {
    let mut arguments = std::env::args_os();
    let program = program_name(arguments.next().as_deref());
    if arguments.next().is_some_and(|command| command == HEALTHCHECK) {
        process::exit(healthcheck(&program, arguments, url).into());
    }
}

/// Runs `healthcheck` with these arguments, prints its line and returns the exit status.
fn healthcheck(program: &str, arguments: impl Iterator<Item = OsString>, url: &str) -> u8 {
    print(match arguments::parse(arguments, url) {
        Ok(Command::Help) => Ok(arguments::help(program, url)),
        Ok(Command::Check(options)) => check::wait_until_healthy(&options).map(line).map_err(line),
        Err(error) => Err(line(format!("{program} {HEALTHCHECK}: {error}"))),
    })
}

/// Prints a success to stdout and a failure to stderr, and returns the exit status.
fn print(outcome: Result<String, String>) -> u8 {
    // The exit status counts also where the stream is closed.
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

fn program_name(program: Option<&OsStr>) -> String {
    let name = program.and_then(|program| Path::new(program).file_name());
    name.map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}
