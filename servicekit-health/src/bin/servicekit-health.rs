//! Asks any service how it is, and watches it in a terminal. `servicekit-health --help` tells how.

use std::process::ExitCode;

fn main() -> ExitCode {
    servicekit_health::probe::cli()
}
