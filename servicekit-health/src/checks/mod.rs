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
//! The guide's page [which check](crate::guide::which_check) has the reason for each state and each
//! default, what each recipe asks, what such checks got wrong elsewhere, and how to write your own.
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
//! The number of crates that each feature adds stands in the table of [features](crate#features).

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
