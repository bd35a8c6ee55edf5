//! The top floor: the ways to ask.
//!
//! Each is thin and only reads: it parses the request, asks the engine and writes the answer.
//! Nothing here runs a check.

mod accept;
pub(crate) mod config;
#[cfg(feature = "dashboard")]
mod dashboard;
pub(crate) mod drain_layer;
pub(crate) mod endpoints;
mod formats;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
pub(crate) mod http;
#[cfg(feature = "listener")]
pub(crate) mod listener;
#[cfg(any(feature = "prometheus", feature = "metrics"))]
pub(crate) mod metrics;
pub(crate) mod origin;
mod problem;
mod queries;
mod query;
mod request;
#[cfg(all(unix, feature = "systemd"))]
pub(crate) mod systemd;
