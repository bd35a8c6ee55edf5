//! Soak and chaos: real services whose checks fail, hang, panic and block by a random schedule, under
//! clients of every kind, one of them drained, killed and restarted all the time. What has to hold
//! always is checked always; what was found is told with the seed.
//!
//! A minute by default. `SOAK_MINUTES=60` makes it an hour, `SOAK_SEED` repeats a schedule. The
//! program is both: it starts itself as the service.

#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod drive;
#[cfg(target_os = "linux")]
mod growth;
#[cfg(target_os = "linux")]
mod judge;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod restarts;
#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod soak;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    drive::main()
}

/// What a process holds is read from `/proc`.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::print_stdout, reason = "what is skipped is for a person")]
fn main() {
    println!("skipped soak: it reads what a process holds from Linux's /proc");
}
