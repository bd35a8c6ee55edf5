//! The metrics as Prometheus scrapes them.
#![cfg(feature = "prometheus")]

mod collector;
#[path = "../common/mod.rs"]
mod common;
mod endpoint;
mod samples;
mod series;
