//! One check, ready to be evaluated, wherever it was declared.

use std::fmt;
use std::future::{Future, ready};
use std::num::NonZeroU32;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::dependencies::Provided;
use super::descriptor::{CheckDescriptor, Outcome, Run, RunFuture};
use super::settings::CheckSettings;
use crate::model::{CheckResult, HealthState, IntoCheckResult, Probes};

/// A check that is known only at run time, for [`HealthBuilder::check`](crate::HealthBuilder::check).
///
/// Its settings are those of the attribute, with the same defaults; the builder refuses the same
/// mistakes.
///
/// ```
/// use std::time::Duration;
/// use servicekit_health::{self as health, Check, HealthState};
///
/// # fn main() -> std::io::Result<()> {
/// let shards = ["shard-1", "shard-2"].map(|shard| {
///     Check::new(shard, move || async move { Ok::<_, String>(()) })
///         .on_error(HealthState::Degraded)
///         .timeout(Duration::from_millis(300))
///         .tags(["storage"])
/// });
/// let health = shards.into_iter().fold(health::builder(), |builder, shard| builder.check(shard)).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a check does nothing until it is given to `HealthBuilder::check`"]
pub struct Check {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) settings: CheckSettings,
    /// The thresholds as given: `CheckSettings` cannot hold the zero that `build` has to refuse.
    pub(crate) zero_threshold: bool,
    pub(crate) origin: Origin,
    pub(crate) runner: Runner,
}

/// Where a check was declared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Linked(&'static CheckDescriptor),
    Dynamic(&'static Location<'static>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linked(check) => write!(f, "{}:{}", check.file, check.line),
            Self::Dynamic(place) => write!(f, "{}:{}", place.file(), place.line()),
        }
    }
}

/// How a check is run.
#[derive(Clone)]
pub(crate) enum Runner {
    Async(Arc<dyn Fn() -> RunFuture<'static> + Send + Sync>),
    Blocking(Arc<dyn Fn() -> Outcome + Send + Sync>),
}

impl Runner {
    /// Always returns this result at once.
    pub(crate) fn always(result: CheckResult) -> Self {
        Self::Async(Arc::new(move || Box::pin(ready(Ok(result.clone())))))
    }
}

impl Check {
    /// An async check of this name.
    #[track_caller]
    pub fn new<F, R>(name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output: IntoCheckResult> + Send + 'static,
    {
        let runner = Runner::Async(Arc::new(move || {
            let run = check();
            Box::pin(async move { run.await.into_check_result() })
        }));
        Self::dynamic(name.into(), runner)
    }

    /// A check that blocks: every run has a thread of its own, which cannot be cancelled and which
    /// the end of the process does not wait for.
    #[track_caller]
    pub fn blocking<F, R>(name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: IntoCheckResult,
    {
        let runner = Runner::Blocking(Arc::new(move || check().into_check_result()));
        Self::dynamic(name.into(), runner)
    }

    #[track_caller]
    pub(crate) fn dynamic(name: String, runner: Runner) -> Self {
        Self {
            name,
            description: None,
            tags: Vec::new(),
            settings: CheckSettings::DEFAULT,
            zero_threshold: false,
            origin: Origin::Dynamic(Location::caller()),
            runner,
        }
    }

    /// The same check, except that it always returns `result`, which says that this is a drill.
    pub(crate) fn drilled(self, result: CheckResult) -> Self {
        let message = match result.message() {
            Some(message) => format!("drill: {message}"),
            None => "drill".to_owned(),
        };
        Self { runner: Runner::always(result.with_message(message)), ..self }
    }

    pub(crate) fn linked(descriptor: &'static CheckDescriptor, provided: Provided) -> Self {
        let runner = match descriptor.run {
            Run::Async(run) => Runner::Async(Arc::new(move || {
                let provided = provided.clone();
                Box::pin(async move { run(&provided).await })
            })),
            Run::Blocking(run) => Runner::Blocking(Arc::new(move || run(&provided))),
        };
        Self {
            name: descriptor.name.to_owned(),
            description: descriptor.description.map(str::to_owned),
            tags: descriptor.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            settings: descriptor.settings,
            zero_threshold: false,
            origin: Origin::Linked(descriptor),
            runner,
        }
    }

    pub(crate) fn is_blocking(&self) -> bool {
        matches!(self.runner, Runner::Blocking(_))
    }

    /// What the check is for, shown in the verbose form.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// The state when the check returns `Err`, panics or times out. Unhealthy by default.
    pub fn on_error(mut self, state: HealthState) -> Self {
        self.settings.on_error = state;
        self
    }

    /// How long a run may take: above zero, at most an hour. The builder's by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// How long a result serves further requests: at most an hour, zero turns it off. The builder's
    /// by default. Not together with [`interval`](Self::interval).
    pub fn cache(mut self, cache: Duration) -> Self {
        self.settings.cache = Some(cache);
        self
    }

    /// Runs the check in the background this often; requests then only read. From 10 ms to an hour.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = Some(interval);
        self
    }

    /// The probe, or the array of probes, that the check belongs to. Readiness by default;
    /// [`Probes::NONE`] is seen on `/health` and gates nothing.
    pub fn probe(mut self, probes: impl Into<Probes>) -> Self {
        self.settings.probes = probes.into();
        self
    }

    /// Every replica depends on the same thing: on the readiness probe the check counts as degraded
    /// at worst, so that its failure does not take all replicas out at once. `/health` reports the
    /// whole truth.
    pub fn shared(mut self) -> Self {
        self.settings.shared = true;
        self
    }

    /// Once the check has been reported degraded for this long, it is reported unhealthy. Above zero,
    /// at most an hour; never by default.
    pub fn unhealthy_after(mut self, duration: Duration) -> Self {
        self.settings.unhealthy_after = Some(duration);
        self
    }

    /// How many worse results in a row worsen the reported state. From 1, the default.
    pub fn failure_threshold(mut self, results: u32) -> Self {
        self.zero_threshold |= results == 0;
        self.settings.failure_threshold = NonZeroU32::new(results).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// How many better results in a row improve the reported state. From 1, the default.
    pub fn success_threshold(mut self, results: u32) -> Self {
        self.zero_threshold |= results == 0;
        self.settings.success_threshold = NonZeroU32::new(results).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// What the check can be selected by, with `?tag=`.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("origin", &format_args!("{}", self.origin))
            .field("settings", &self.settings)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}
