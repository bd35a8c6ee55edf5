//! What a check says and what a reader gets: plain data, with no I/O, no runtime and no HTTP.
//!
//! Nothing here depends on another part of the crate, except for the escaping of texts.

mod details;
pub(crate) mod json;
mod probe;
mod report;
mod result;
mod returned;
mod state;
mod text;
pub(crate) mod time;
mod transition;

pub use self::details::{Details, ParseDetailsError};
pub use self::probe::{ParseProbeError, Probe, Probes};
pub use self::report::{CheckReport, Report};
pub use self::result::CheckResult;
pub(crate) use self::returned::{BoxError, error_chain};
pub use self::returned::{CheckError, IntoCheckResult};
#[cfg(feature = "openapi")]
pub(crate) use self::state::StateSchema;
pub use self::state::{HealthState, ParseHealthStateError};
pub use self::transition::Transition;

/// The name of the entry that says that the program is draining. No check can have it.
pub(crate) const DRAIN_ENTRY: &str = "$drain";

/// What that entry says.
pub(crate) const DRAIN_MESSAGE: &str = "draining";
