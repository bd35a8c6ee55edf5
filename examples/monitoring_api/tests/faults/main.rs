//! The running service while its real PostgreSQL or Redis fails: what `/health` and `/readyz` say, how
//! soon, what callers get, and that nothing is used up afterwards.
//!
//! ```sh
//! cargo test --test faults -- --nocapture      # prints a line for each fault
//! ```
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "the lines are the point")]

mod postgres;
#[allow(dead_code, reason = "the recipes use more of it")]
#[path = "../../../recipes/tests/faults/process.rs"]
mod process;
mod redis;
mod service;
