//! What the attribute's expansion names.
//!
//! It changes without notice, so the public path to it, which the build script writes, carries the
//! version: `__private0`.

pub use core::convert::identity;
pub use core::{concat, file, line, module_path};

pub use linkme;

pub use crate::__register as register;
pub use crate::declare::declaration::{Declaration, Returns, future, outcome, run, run_forever};
pub use crate::declare::dependencies::{Parameter, Provided};
pub use crate::declare::descriptor::{CheckDescriptor, Outcome, Run, RunFuture};
pub use crate::declare::registry::SERVICEKIT_HEALTH_CHECKS_V0_1;
pub use crate::model::{HealthState, Probe};
