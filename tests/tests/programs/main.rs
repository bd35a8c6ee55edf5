//! With the programs that its users run: balancers, proxies, browsers and clients.
//!
//! `tests/programs/install` installs them; what is not installed is skipped, but for where `CI` is
//! set.
#![cfg(unix)]

mod balancing;
mod caddy;
mod chromium;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod curl;
mod dashboard;
mod deploy;
mod dockerfile;
mod envoy;
mod grafana;
mod grpc;
mod haproxy;
mod httpx;
mod kubelet;
mod kubernetes;
mod load;
mod nginx;
mod openapi;
mod pages;
mod prometheus;
mod scrape;
mod scripts;
mod systemd;
