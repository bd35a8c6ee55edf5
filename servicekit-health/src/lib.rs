//! Health checks for axum: annotate an async function, merge one router.
//!
//! ```standalone_crate
//! use axum::Router;
//! use servicekit_health::{self as health, health_check};
//! use tokio::net::TcpStream;
//!
//! /// Session cache. Losing it slows us down but does not stop us.
//! #[health_check(on_error = "degraded", timeout = "300ms")]
//! async fn redis() -> std::io::Result<()> {
//!     TcpStream::connect("127.0.0.1:6379").await.map(drop)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let health = health::builder().build()?;
//! let app: Router = Router::new().merge(health.router());
//! # assert_ne!(health.report().await.status, health::HealthState::Unhealthy);
//! # Ok(()) }
//! ```
//!
//! Without Redis, `GET /health` answers 200 with
//!
//! ```json
//! {"status":"degraded","checks":{"redis":{"state":"degraded","message":"Connection refused (os error 111)"}}}
//! ```
//!
//! A check written anywhere in the program, in any crate that is linked, is on `/health`, on a stream
//! of server-sent events and on the Kubernetes probes. Checks run concurrently, share their results
//! among all requests, and are bounded in time.
//!
//! # Contents
//!
//! - [A first check](#a-first-check), [dependencies](#dependencies), [return types](#return-types)
//! - [Probes and which to choose](#probes-and-which-to-choose),
//!   [shared dependencies](#shared-dependencies)
//! - [When a check runs](#when-a-check-runs), [endpoints](#endpoints), [the stream](#the-stream)
//! - [Shutting down](#shutting-down)
//! - [Checks that are not functions](#checks-that-are-not-functions)
//! - [Testing](#testing), [linking](#linking), [panics](#panics), [features](#features)
//! - [How it is built](#how-it-is-built): the layers and one request
//!
//! The [guide] has a page on each topic of operation: Kubernetes, meshes, load balancers,
//! clients, dashboards, metrics, authentication, troubleshooting, an index of errors, and moving from
//! another library.
//!
//! # A first check
//!
//! Add the crate with `cargo add servicekit-health`, write [`macro@health_check`] above a free
//! `async fn`, and merge the router. Three states exist, and the worst of all checks is the overall
//! status:
//!
//! | state | status code | what happens |
//! |---|---|---|
//! | healthy | 200 | |
//! | degraded | 200 | it is visible, and traffic continues |
//! | unhealthy | 503 | on a probe: the probe fails |
//!
//! The function's name is the check's name unless `name` says otherwise, and its doc comment is its
//! description. The function is not changed, so it can be called and unit-tested like any other.
//! All keys of the attribute are in [its documentation](macro@health_check#keys).
//!
//! # Dependencies
//!
//! Parameters are dependencies: the builder is given values with [`provide`](HealthBuilder::provide),
//! and a check takes them by type. `&T` borrows, `T` clones, `Option<&T>` is `None` where no `T` was
//! provided. A missing dependency is an error of [`build`](HealthBuilder::build), with the check's
//! file and line.
//!
//! ```standalone_crate
//! use servicekit_health::{self as health, health_check};
//!
//! #[derive(Clone)]
//! struct Pool;
//! # impl Pool { async fn ping(&self) -> std::io::Result<()> { Ok(()) } }
//!
//! #[health_check]
//! async fn database(pool: &Pool) -> std::io::Result<()> {
//!     pool.ping().await
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let error = health::builder().build().unwrap_err();
//! assert!(error.to_string().contains("Pool`, which was not provided"));
//!
//! let health = health::builder().provide(Pool).build()?;
//! # Ok(()) }
//! ```
//!
//! A type can be provided once: wrap common ones in a newtype, `struct DatabaseUrl(String)`.
//!
//! # Return types
//!
//! `()` is healthy. [`HealthState`], `(HealthState, Option<String>)` and [`CheckResult`] are what they
//! say. `Result<R, E>` of any of these takes every error that converts into
//! `Box<dyn Error + Send + Sync>`: the standard library's, `anyhow`'s, `eyre`'s, a `String`. An `Err`
//! takes the state of `on_error`, and its whole chain of causes is the message. Other types implement
//! [`IntoCheckResult`].
//!
//! ```standalone_crate
//! use servicekit_health::{self as health, CheckResult, HealthState, health_check};
//!
//! #[health_check]
//! async fn replicas() -> Result<CheckResult, std::io::Error> {
//!     Ok(CheckResult::degraded("2 of 3 replicas answer").with_detail("answering", 2))
//! }
//!
//! #[health_check(on_error = "degraded")]
//! async fn search() -> Result<(), String> {
//!     Err("connection refused".to_owned())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let report = health::builder().build()?.report().await;
//! assert_eq!(report.status, HealthState::Degraded);
//! assert_eq!(
//!     report.to_string(),
//!     "[!]replicas degraded: 2 of 3 replicas answer\n\
//!      [!]search degraded: connection refused\n\
//!      health check passed\n"
//! );
//! # Ok(()) }
//! ```
//!
//! Credentials in messages and details are masked: `postgres://***@db/app`.
//!
//! # Probes and which to choose
//!
//! `/health` shows every check. A probe asks for those that belong to it. Choose by what a failure
//! should cause:
//!
//! | what the check is about | write | a failure |
//! |---|---|---|
//! | this replica needs it, others may still have it | the default, `probe = "readiness"` | takes this replica out of the load balancer |
//! | every replica needs the same one: a database | `shared` | is visible, and counts as degraded on readiness |
//! | the service can do without | `on_error = "degraded"` | is visible, and traffic continues |
//! | a restart fixes it: a deadlock, a dead worker | `probe = "liveness"` | restarts the container |
//! | it must have happened once: migrations, warm-up | `probe = "startup"` | holds back readiness until it has |
//! | it is for people and dashboards | `probe = "none"` | is visible on `/health` |
//!
//! A liveness probe must ask `/livez`, never `/health`: a failed dependency would restart every
//! replica. See [the guide](crate::guide::probes).
//!
//! # Shared dependencies
//!
//! If readiness fails on a database that all replicas use, all of them leave the load balancer at once,
//! and a service that could still answer some requests answers none. With `shared` the check counts as
//! degraded at worst on `/readyz`, while `/health` reports the whole truth.
//!
//! ```standalone_crate
//! use servicekit_health::{self as health, HealthState, Probe, health_check};
//!
//! #[health_check(shared)]
//! async fn database() -> Result<(), String> {
//!     Err("connection refused".to_owned())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let health = health::builder().build()?;
//! assert_eq!(health.report().await.status, HealthState::Unhealthy);
//! assert_eq!(health.probe(Probe::Readiness).await.status, HealthState::Degraded);
//! # Ok(()) }
//! ```
//!
//! # When a check runs
//!
//! On demand: a request that finds a result older than `cache` (500 ms by default) starts a run, and
//! all requests that arrive meanwhile wait for the same one. So a check runs at most once per `cache`,
//! whatever the traffic. With `interval` it runs in the background instead, and requests only read.
//!
//! | bound | default | what it limits |
//! |---|---|---|
//! | `timeout` | 800 ms | one run; then the result is `on_error`, `timed out after 800ms` |
//! | [`deadline`](HealthBuilder::deadline) | 900 ms | one response; an unfinished check reports its last result, marked stale |
//! | `failure_threshold`, `success_threshold` | 1, 1 | consecutive results until the reported state changes |
//! | `unhealthy_after` | never | how long a check may be degraded before it is unhealthy |
//! | [`max_concurrent`](HealthBuilder::max_concurrent) | unlimited | runs at the same time |
//!
//! A synchronous function takes `blocking`: each run has a thread of its own.
//!
//! # Endpoints
//!
//! | path | answers |
//! |---|---|
//! | `GET /health`, `/health/{name}` | every check, or one |
//! | `GET /health/$stream` | the same JSON as server-sent events |
//! | `GET /health/$history` | the last transitions, newest first |
//! | `GET /livez`, `/readyz`, `/startupz` | the checks of that probe |
//!
//! `HEAD` and `OPTIONS` answer with the status that `GET` has, without a body. The overall status is
//! also in the header `x-health-status`. `?verbose` adds times, counts, descriptions and details;
//! `?check=`, `?exclude=` and `?tag=` select; `Accept: text/plain` and
//! `Accept: application/health+json` choose another format. [Endpoints](crate::guide::endpoints) has
//! all of it.
//!
//! # The stream
//!
//! `GET /health/$stream` sends the JSON of `GET /health`, the first event at once and then one every
//! `poll_interval` seconds (0.1 to 3600, by default 1). `?on=change` sends only what differs, and
//! `?limit=3` ends after three events. In a shell, quote the `$`:
//! `curl -N 'http://127.0.0.1:8000/health/$stream'`. Inside the program, changes come through
//! [`HealthBuilder::on_transition`] and [`Health::subscribe`].
//!
//! # Shutting down
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use servicekit_health as health;
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let health = health::builder().build()?;
//!     let app = Router::new()
//!         .route("/", get(async || "hello"))
//!         .layer(health.drain_layer())
//!         .merge(health.router());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//!     axum::serve(listener, app.into_make_service())
//!         .with_graceful_shutdown(health.shutdown_signal())
//!         .await
//! }
//! ```
//!
//! - [`shutdown_signal`](Health::shutdown_signal) waits for SIGTERM, Ctrl-C or [`Health::drain`]. Then
//!   `/readyz` and `/health` report unhealthy with an entry `$drain`, open streams send a last event
//!   and end, and 5 s later (at once after Ctrl-C) the server stops.
//!   [`drain_delay`](HealthBuilder::drain_delay) changes that: it must be longer than a load balancer
//!   takes to notice, and shorter than the grace period.
//! - [`drain_layer`](Health::drain_layer) adds `connection: close` to the application's responses
//!   meanwhile, so that clients with pooled connections lose no request.
//!   [`drain_until_idle`](HealthBuilder::drain_until_idle) waits for the requests it counts.
//! - `into_make_service()` lets connections share one router: less memory for each open stream.
//!
//! # Checks that are not functions
//!
//! - [`Check`]: known only at run time, such as one for each shard of a configuration.
//! - [`checks`]: ready-made ones, to be awaited in a function of yours, and a page on which for what.
//! - [`Heartbeat`]: a loop that reports each round; [`WatchedTask`]: a task that should never end;
//!   [`Reported`]: set by the program; [`Observed`]: from the real calls to a dependency.
//! - [`Check::runtime_stall`]: tasks that keep the runtime's threads busy without awaiting.
//! - [`HealthBuilder::drill`]: a simulated result, to try out what load balancers and alerts do.
//!
//! # Testing
//!
//! A check is a function: call it. For a service that has to cope with a failed check, the feature
//! `test-util` forces results without sleeping:
//!
//! ```standalone_crate
//! use servicekit_health::{self as health, CheckResult, HealthState, health_check};
//!
//! #[health_check]
//! async fn redis() {}
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! redis().await;
//! let health = health::builder().build()?;
//! # #[cfg(feature = "test-util")] {
//! health.force("redis", CheckResult::unhealthy("connection refused")).await;
//! health.assert_states([("redis", HealthState::Unhealthy)]).await;
//! health.release("redis").await;
//! health.wait_for("redis", HealthState::Healthy).await;
//! # }
//! # Ok(()) }
//! ```
//!
//! Doctests of edition 2024 are merged into one binary, so they share their checks: mark each that
//! registers one `standalone_crate`.
//!
//! # Linking
//!
//! The linker collects the checks, and a crate of which nothing is used is not linked. Name it once:
//! `use my_checks as _;`. The log lists all checks at start, [`registered`] does so in code, and
//! [`require`](HealthBuilder::require) makes the build fail where one is missing. A program has one
//! version of this crate, which Cargo enforces. A `cdylib` or a Rust `dylib` has checks of its own and
//! does not see those of the program. Targets of WebAssembly are not supported.
//!
//! # Panics
//!
//! A panic in a check is a failed result with the panic's text. With `panic = "abort"` it ends the
//! process instead, which is a warning in the log at start.
//!
//! # Features
//!
//! All are off by default. The last column is how many crates a feature adds to a program at most; those that
//! axum's own features bring (`http1`, `tokio`) are in most programs already. `tests/tests/weight.rs` counts them.
//!
//! | feature | adds | crates |
//! |---|---|---|
//! | `listener` | `Health::listen`: the endpoints on a port, a thread and a runtime of their own | 7 |
//! | `prometheus` | metrics as OpenMetrics text, or as a collector | 9 |
//! | `metrics` | the same metrics through the `metrics` facade | 3 |
//! | `grpc` | the standard `grpc.health.v1.Health` service | 14 |
//! | `dashboard` | `GET /health/$ui`: a page on the stream and the history | 0 |
//! | `openapi` | `GET /health/$openapi`: the endpoints as an OpenAPI 3.1 document | 5 |
//! | `systemd` | readiness, status and watchdog of a systemd unit | 1 |
//! | `healthcheck` | `healthcheck::answer`: the program answers `app healthcheck` where the image has no curl | 7 |
//! | `healthcheck-tls` | the same for `https` URLs | 17 |
//! | `cli` | the program `servicekit-health`: `healthcheck`, and `watch` for a terminal | 20 |
//! | `check-disk` | [`checks`]: room on a file system | 3 |
//! | `check-http` | [`checks`]: readiness of another service | 6 |
//! | `check-http-tls` | the same for `https` URLs | 16 |
//! | `check-tls` | [`checks`]: expiry of a certificate | 15 |
//! | `test-util` | for the tests of a service: results forced, states waited for and asserted | 0 |
//!
//! # How it is built
//!
//! ```text
//!  model, text    states, results, reports; scrubbing, escaping        plain data
//!       |
//!  declare        attribute, registry, dependencies, validation        a list of checks
//!       |         sources, checks: heartbeat, task, runtime, ready-made
//!       |
//!  evaluate       engine: starts runs, shares them, bounds them        knows no HTTP
//!       v
//!  expose         endpoints and formats, a file each                   never runs a check
//! ```
//!
//! One request:
//!
//! ```text
//!  GET /readyz -> router -> group "readiness" -> engine: is the shared report still valid?
//!                                                 |- yes: its encoded bytes are the body
//!                                                 `- no:  start runs of what is older than `cache`,
//!                                                         join live runs, wait up to the deadline,
//!                                                         report, encode once for all readers
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// The attribute names this crate by its path from outside, also inside it.
extern crate self as servicekit_health;

mod builder;
pub mod checks;
mod declare;
mod evaluate;
mod expose;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handle;
#[cfg(feature = "healthcheck")]
pub mod healthcheck;
mod model;
mod private;
mod sources;
mod sync;
#[cfg(feature = "test-util")]
mod test_util;
mod text;

use axum::Router;

pub use builder::HealthBuilder;
pub use declare::check::Check;
pub use declare::descriptor::CheckDescriptor;
pub use declare::error::BuildError;
pub use declare::registry::registered;
pub use declare::settings::CheckSettings;
pub use expose::drain_layer::{DrainLayer, DrainService};
pub use expose::endpoints::HealthEndpoint;
#[cfg(feature = "grpc")]
pub use expose::grpc::GrpcHealth;
pub use handle::Health;
pub use model::{
    CheckError, CheckReport, CheckResult, Details, HealthState, IntoCheckResult, ParseDetailsError,
    ParseHealthStateError, ParseProbeError, Probe, Probes, Report, Transition,
};
pub use servicekit_health_macros::health_check;
pub use sources::heartbeat::{Heartbeat, MissedBeat};
pub use sources::observed::Observed;
pub use sources::reported::Reported;
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

include!(concat!(env!("OUT_DIR"), "/private.rs"));
