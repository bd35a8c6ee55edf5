//! The settings of one check, with the builder's defaults filled in.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::declare::check::Check;
use crate::model::{CheckResult, HealthState, Probes};

/// How a check is judged and how often it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResolvedSettings {
    pub(crate) on_error: HealthState,
    pub(crate) timeout: Duration,
    pub(crate) mode: Mode,
    pub(crate) failure_threshold: NonZeroU32,
    pub(crate) success_threshold: NonZeroU32,
    pub(crate) unhealthy_after: Option<Duration>,
    /// The run cannot be cancelled.
    pub(crate) blocking: bool,
}

/// When a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// When a reader finds the newest result older than `cache`.
    OnDemand { cache: Duration },
    /// By itself; readers only read.
    Background { interval: Duration },
}

impl ResolvedSettings {
    /// What the check says, and where it says nothing, the defaults.
    pub(crate) fn new(check: &Check, timeout: Duration, cache: Duration) -> Self {
        let settings = &check.settings;
        Self {
            on_error: settings.on_error,
            timeout: settings.timeout.unwrap_or(timeout),
            mode: match settings.interval {
                Some(interval) => Mode::Background { interval },
                None => Mode::OnDemand { cache: settings.cache.unwrap_or(cache) },
            },
            failure_threshold: settings.failure_threshold,
            success_threshold: settings.success_threshold,
            unhealthy_after: settings.unhealthy_after,
            blocking: check.is_blocking(),
        }
    }

    pub(crate) fn is_background(&self) -> bool {
        matches!(self.mode, Mode::Background { .. })
    }

    /// A result or an answer that takes the check's `on_error`: the one place where that becomes a
    /// state.
    pub(crate) fn failure(&self, message: impl Into<String>) -> CheckResult {
        CheckResult::new(self.on_error).with_message(message)
    }
}

/// What never changes about a check, for its readers.
#[derive(Debug)]
pub(crate) struct CheckInfo {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) probes: Probes,
    /// Every replica depends on the same thing.
    pub(crate) shared: bool,
}
