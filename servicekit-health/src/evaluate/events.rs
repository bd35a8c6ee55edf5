//! What happens when a result lands: reports made before are out of date, transitions go out, and
//! the observers of runs are called.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::callbacks::{Callback, Callbacks};
use super::revision::Revision;
use super::transitions::Transitions;
use crate::model::{HealthState, Transition};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    /// With a result of this state.
    State(HealthState),
    /// With an `Err`.
    Error,
    /// Not within its timeout.
    Timeout,
    /// With a panic.
    Panic,
}

impl RunOutcome {
    /// Every outcome.
    #[cfg(any(feature = "prometheus", feature = "metrics"))]
    pub(crate) const ALL: [Self; 6] = [
        Self::State(HealthState::Healthy),
        Self::State(HealthState::Degraded),
        Self::State(HealthState::Unhealthy),
        Self::Error,
        Self::Timeout,
        Self::Panic,
    ];

    /// `healthy`, `degraded`, `unhealthy`, `error`, `timeout` or `panic`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
        }
    }
}

/// A finished run, for observers.
#[allow(dead_code, reason = "read by the features that observe runs")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunEnd<'a> {
    pub(crate) check: &'a str,
    pub(crate) outcome: RunOutcome,
    pub(crate) duration: Duration,
}

/// Called with every finished run, outside any lock. It must not block.
pub(crate) type RunObserver = Arc<dyn Fn(&RunEnd<'_>) + Send + Sync>;

/// Called with every transition, outside any lock. It must not block.
pub(crate) type TransitionObserver = Arc<dyn Fn(&Transition) + Send + Sync>;

/// Whoever counts what happens. They see everything, whether or not anything listens.
#[derive(Default)]
pub(crate) struct Observers {
    pub(crate) runs: Vec<RunObserver>,
    pub(crate) transitions: Vec<TransitionObserver>,
}

pub(crate) struct Events {
    pub(crate) revision: Revision,
    pub(crate) transitions: Transitions,
    pub(crate) callbacks: Callbacks,
    /// Changes when a reported state or message differs from before, or draining begins.
    differences: watch::Sender<()>,
    observers: Observers,
}

impl Events {
    pub(crate) fn new(
        transitions: Transitions,
        callbacks: Vec<Callback>,
        observers: Observers,
    ) -> Self {
        Self {
            revision: Revision::new(),
            callbacks: Callbacks::new(callbacks, &transitions),
            transitions,
            differences: watch::Sender::new(()),
            observers,
        }
    }

    /// There is something new to tell; `differs` if readers of states and messages see it.
    pub(crate) fn changed(&self, differs: bool) {
        self.revision.changed();
        if differs && self.differences.receiver_count() > 0 {
            self.differences.send_replace(());
        }
    }

    /// Wakes whenever a reported state or message differs from before.
    pub(crate) fn differences(&self) -> watch::Receiver<()> {
        self.differences.subscribe()
    }

    pub(crate) fn run_ended(&self, run: &RunEnd<'_>) {
        for observer in &self.observers.runs {
            observer(run);
        }
    }

    /// This transition was sent.
    pub(crate) fn transitioned(&self, transition: &Transition) {
        for observer in &self.observers.transitions {
            observer(transition);
        }
    }
}
