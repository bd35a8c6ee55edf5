//! Checks any service's health, and watches services in a terminal: `servicekit-health --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    servicekit_health::healthcheck::cli()
}
