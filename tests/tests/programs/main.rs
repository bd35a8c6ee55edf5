//! With the programs that its users run: balancers, proxies, browsers and clients.
//!
//! `tests/programs/install` installs them; what is not installed is skipped, but for where `CI` is
//! set.
#![cfg(unix)]

mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod curl;
mod haproxy;
mod httpx;
mod nginx;
mod openapi;
