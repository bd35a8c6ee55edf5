//! What users run around a service, for real: balancers, proxies, browsers and clients on loopback.
//!
//! `tests/programs/install` brings them. A missing one skips its tests with a line, and fails them
//! where `CI` is set.

mod common;

mod balancer;
mod browser;
mod openapi;
mod proxy;
mod python;
