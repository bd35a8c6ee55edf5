//! Health checks for axum: annotate an async function, merge one router.
//!
//! ```standalone_crate
//! use axum::Router;
//! use servicekit_health::{self as health, health_check};
//!
//! /// Files can be written where this service keeps them.
//! #[health_check(name = "data-dir", on_error = "degraded", timeout = "300ms")]
//! async fn data_dir() -> std::io::Result<()> {
//!     std::fs::metadata(".").map(drop)
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let health = health::builder().require(["data-dir"]).build()?;
//! let app: Router = Router::new().merge(health.router());
//! # Ok(()) }
//! ```
//!
//! # What is where
//!
//! * Declare: [`macro@health_check`], [`Check`] for what is known only at run time,
//!   [`IntoCheckResult`] for what a check returns, [`registered`] for what is linked.
//! * Have it told: [`Heartbeat`] for loops, [`WatchedTask`] for tasks, [`Check::runtime_stall`] for
//!   the runtime itself.
//! * Set up: [`builder`], or [`router`] with no configuration.
//! * Ask: [`Health`], and the [`Report`] it gives.
//!
//! A crate of which nothing is used is not linked, and neither are its checks:
//! `use my_checks as _;` brings them in.
//!
//! # Features
//!
//! None is on by default.
//!
//! * `openapi`: `GET /health/$openapi`, the endpoints as an OpenAPI 3.1 document.
//! * `probe`: `probe::answer`, the program asks its own endpoints where an image has no curl;
//!   `probe-tls` for addresses that begin with `https`, `cli` for a program `servicekit-health`
//!   that does the same and watches a stream in a terminal.
//! * `test-util`: for the tests of a service, `Health::{force, release, run_check, wait_for,
//!   assert_states}`.

#![cfg_attr(docsrs, feature(doc_cfg))]

// The attribute names this crate by its path from outside, also inside it.
extern crate self as servicekit_health;

mod builder;
mod declare;
mod escaped;
mod evaluate;
mod expose;
mod handle;
#[cfg(feature = "probe")]
pub mod probe;
mod sources;
mod sync;
#[cfg(feature = "test-util")]
mod test_util;

use axum::Router;

pub use builder::HealthBuilder;
pub use declare::check::Check;
pub use declare::descriptor::CheckDescriptor;
pub use declare::error::BuildError;
pub use declare::registry::registered;
pub use declare::result::IntoCheckResult;
pub use declare::settings::{Probes, Settings};
pub use evaluate::model::{
    CheckReport, CheckResult, HealthState, ParseHealthStateError, Probe, Report, Transition,
};
pub use expose::settings::Details;
pub use handle::Health;
pub use servicekit_health_macros::health_check;
pub use sources::heartbeat::{Heartbeat, MissedBeat};
pub use sources::task::{TaskEnded, WatchedTask};

/// A builder with every linked check and the default settings.
pub fn builder() -> HealthBuilder {
    HealthBuilder::new()
}

/// The endpoints with the default settings: zero configuration.
///
/// # Panics
/// Where the linked checks contradict each other or need a dependency; [`builder`] gives both a
/// better place.
#[track_caller]
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    builder().router()
}

/// What the attribute's expansion names. Not for direct use: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use core::convert::identity;
    pub use core::{concat, file, line, module_path};

    pub use linkme;

    pub use crate::__register as register;
    pub use crate::declare::descriptor::{
        CheckDescriptor, Outcome, Run, RunFuture, future, outcome, run,
    };
    pub use crate::declare::provided::{Dependency, Parameter, Provided};
    pub use crate::declare::registry::SERVICEKIT_HEALTH_CHECKS_V0_1;
    pub use crate::declare::settings::Settings;
    pub use crate::evaluate::model::{HealthState, Probe};
}
