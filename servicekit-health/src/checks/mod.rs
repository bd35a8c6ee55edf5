//! Ready-made checks, and which of them is for what.
//!
//! Each is awaited in an annotated function and gives a [`CheckResult`](crate::CheckResult) with
//! details, so that name, probe and thresholds stay where they are declared:
//!
//! ```standalone_crate
//! use servicekit_health::{CheckResult, checks, health_check};
//!
//! #[health_check(name = "uploads", probe = "none", interval = "30s")]
//! async fn uploads() -> CheckResult {
//!     checks::writable("/var/lib/shop/uploads").await
//! }
//! ```
//!
//! # Which check for what
//!
//! | question | check | worst state |
//! |---|---|---|
//! | does something accept connections? | [`tcp`] | `on_error`, unhealthy by default |
//! | does a name resolve? | [`dns`] | `on_error`, unhealthy by default |
//! | can files be written here? | [`writable`](writable()) | `on_error`, unhealthy by default |
//! | is the limit of open files near? | [`open_files`](open_files()) | degraded |
//! | is the memory limit near? | [`memory`](memory()) | degraded |
//! | is a queue too long, a lag too large? | [`at_most`](at_most()) | unhealthy, above a limit of its own |
//! | does a pool get its connections back? | [`pool`](pool()) | degraded |
//! | has a file system room left? | `disk`, feature `check-disk` | unhealthy |
//! | is another service ready? | `http`, feature `check-http` | `on_error`, unhealthy by default |
//! | does a certificate expire? | `tls`, `tls_file`, feature `check-tls` | unhealthy, once it is not valid |
//! | do the real calls to a dependency succeed? | [`Observed`](crate::Observed) | degraded, or as the ping |
//! | does a loop, a task, the runtime still run? | [`Heartbeat`](crate::Heartbeat), [`WatchedTask`](crate::WatchedTask), [`Check::runtime_stall`](crate::Check::runtime_stall) | `on_error` |
//! | does a database or broker work? | its driver: the recipes in the repository's `examples/recipes/` | as the recipe says |
//!
//! Where each belongs:
//!
//! * A check of what every replica depends on (a database, another service) is `shared` or has
//!   `probe = "none"`: otherwise one failure takes all replicas away at once.
//! * A check of what only this replica has (its disk, its memory, its certificate) has
//!   `probe = "none"` unless another replica could serve the same request.
//! * None of them is for liveness: a restart repairs neither another machine nor a full disk nor a
//!   certificate.
//! * A check that costs something (a sync, a handshake, a request) has an `interval`.
//!
//! # Common behaviour
//!
//! * Every wait is bounded, by 700 ms unless set, under the engine's default timeout of 800 ms, so
//!   the message names the cause, and not only that the check timed out. Where a longer limit is
//!   set, the annotation's `timeout` must be longer still.
//! * Blocking work (the resolver, a file system) has a thread of its own, one at a time for each
//!   target, however often the check runs; later runs join the attempt under way. The end of the
//!   process does not wait for such a thread.
//! * Messages hold no number that changes at every run, so a state that lasts is one message;
//!   numbers are details. No message repeats an address that may hold a password, or the content of a file.
//! * A mistake in a setting is unhealthy with a message that says what is expected.
//!
//! # Dependencies
//!
//! | feature | crates added at most |
//! |---|---|
//! | none of them | 0 |
//! | `check-disk` | 3 |
//! | `check-http` | 6 |
//! | `check-http-tls` | 16 |
//! | `check-tls` | 15 |
//!
//! # Common mistakes
//!
//! * *A deep check of another service's deep check.* Three services in a circle are all unhealthy
//!   ([dotnet-architecture/HealthChecks 87], [Xabaril 931]), and one that is down takes down all
//!   before it. `http` is for `/readyz`.
//! * *A connection of the request pool for the ping.* Under load the pool is lent out, the ping waits,
//!   and replicas leave because they are busy ([PostHog 46457]): more load for the others. A single
//!   look cannot tell a busy pool from a stuck one ([otari 1247]); [`pool`](pool()) looks at time.
//! * *Free blocks for free space.* What is kept for root is not free for a service: Spring Boot had to
//!   change to the usable space ([spring-boot 9540]), and its threshold is 10 MiB on any disk.
//! * *A full disk that stops the service.* A default of 90% used made a server stop at terabytes free
//!   ([cvat 7180]): here that is degraded, and bytes can be the limit.
//! * *The machine's memory for the container's.* `/proc/meminfo` is the host's ([quackosm 319]), and
//!   the group's count with all page cache in it is high in every program that reads files
//!   ([activepieces 13939]).
//! * *A TCP check as a readiness probe.* The kernel accepts for a process that answers nothing
//!   ([mcp-data-server 157]).
//! * *A certificate limit in days.* 30 days are a third of a lifetime of 90 days, and two thirds of
//!   one of 47.
//!
//! [dotnet-architecture/HealthChecks 87]: https://github.com/dotnet-architecture/HealthChecks/issues/87
//! [Xabaril 931]: https://github.com/Xabaril/AspNetCore.Diagnostics.HealthChecks/issues/931
//! [PostHog 46457]: https://github.com/PostHog/posthog/issues/46457
//! [otari 1247]: https://github.com/mozilla-ai/otari/issues/1247
//! [spring-boot 9540]: https://github.com/spring-projects/spring-boot/issues/9540
//! [cvat 7180]: https://github.com/cvat-ai/cvat/pull/7180
//! [quackosm 319]: https://github.com/kraina-ai/quackosm/issues/319
//! [activepieces 13939]: https://github.com/activepieces/activepieces/pull/13939
//! [mcp-data-server 157]: https://github.com/boettiger-lab/mcp-data-server/issues/157
//!
//! # Writing your own
//!
//! Ask the dependency for what the service needs of it, on a connection of the check's own; return
//! the error for `on_error`, or a state where the answer itself is one; put numbers into details:
//!
//! ```standalone_crate
//! use servicekit_health::{CheckResult, health_check};
//! # use std::io::Error;
//! # #[derive(Clone)] struct Search;
//! # struct Status { indices: u64, read_only: bool }
//! # impl Search { async fn status(&self) -> Result<Status, Error> { Err(Error::other("")) } }
//!
//! /// Full-text search. Without it the catalogue is still there.
//! #[health_check(name = "search", on_error = "degraded", timeout = "300ms", shared)]
//! async fn search(client: &Search) -> Result<CheckResult, Error> {
//!     let status = client.status().await?;
//!     let result = match status.read_only {
//!         true => CheckResult::degraded("the index is read-only"),
//!         false => CheckResult::healthy(),
//!     };
//!     Ok(result.with_detail("indices", status.indices))
//! }
//! ```

mod at_most;
#[cfg(feature = "check-disk")]
mod disk;
mod dns;
#[cfg(feature = "check-http")]
mod http;
mod memory;
mod open_files;
mod pool;
mod setting;
mod tcp;
mod thread;
#[cfg(feature = "check-tls")]
mod tls;
mod writable;

pub use self::at_most::{AtMost, Measure, at_most};
#[cfg(feature = "check-disk")]
pub use self::disk::{Disk, disk};
pub use self::dns::{Dns, dns};
#[cfg(feature = "check-http")]
pub use self::http::{Http, http};
pub use self::memory::{Memory, memory};
pub use self::open_files::{OpenFiles, open_files};
pub use self::pool::{Pool, PoolUse, pool};
pub use self::tcp::{Tcp, tcp};
#[cfg(feature = "check-tls")]
pub use self::tls::{Tls, tls, tls_file};
pub use self::writable::{Writable, writable};
