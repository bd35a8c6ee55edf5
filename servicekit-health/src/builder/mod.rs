//! From declared checks and settings to a [`Health`].

mod announce;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;

use self::announce::announce;
use crate::declare::check::Check;
use crate::declare::dependencies::Provided;
use crate::declare::descriptor::CheckDescriptor;
use crate::declare::error::BuildError;
use crate::declare::{registry, suggest, validate};
use crate::evaluate::engine::{Engine, EngineConfig};
use crate::evaluate::events::Observers;
use crate::evaluate::lifecycle::DrainConfig;
use crate::evaluate::settings::ResolvedSettings;
use crate::expose::config::HttpConfig;
#[cfg(any(feature = "prometheus", feature = "metrics"))]
use crate::expose::metrics::Metrics;
use crate::handle::Health;
use crate::model::CheckResult;

const TIMEOUT: Duration = Duration::from_millis(800);
const CACHE: Duration = Duration::from_millis(500);
/// Under the kubelet's default `timeoutSeconds: 1`.
const DEADLINE: Duration = Duration::from_millis(900);
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// How many transitions are kept.
const HISTORY: usize = 128;

/// Settings, dependencies and run-time checks, on the way to a [`Health`].
///
/// Made by [`builder`](crate::builder). Nothing runs before the first request, report or poll of
/// the shutdown signal, so this works outside a runtime.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use servicekit_health::{self as health, HealthState, health_check};
///
/// struct Db;
///
/// #[health_check(name = "database")]
/// async fn ping(db: &Db) -> HealthState {
///     HealthState::Healthy
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let health = health::builder()
///     .provide(Db)
///     .require(["database"])
///     .timeout(Duration::from_millis(300))
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until `build` or `router`"]
pub struct HealthBuilder {
    linked: Vec<&'static CheckDescriptor>,
    dynamic: Vec<Check>,
    provided: Provided,
    skipped: Vec<String>,
    required: Vec<String>,
    drills: BTreeMap<String, CheckResult>,
    timeout: Duration,
    cache: Duration,
    engine: EngineConfig,
    http: HttpConfig,
    /// What was wrong with a call, kept until `build` can report it with the rest.
    problems: Vec<String>,
}

impl HealthBuilder {
    /// A builder with the linker's checks.
    pub(crate) fn new() -> Self {
        Self::with_linked(registry::linked())
    }

    /// A builder with these checks, whatever is linked.
    pub(crate) fn with_linked(linked: impl IntoIterator<Item = &'static CheckDescriptor>) -> Self {
        Self {
            linked: linked.into_iter().collect(),
            dynamic: Vec::new(),
            provided: Provided::default(),
            skipped: Vec::new(),
            required: Vec::new(),
            drills: BTreeMap::new(),
            timeout: TIMEOUT,
            cache: CACHE,
            engine: EngineConfig {
                deadline: DEADLINE,
                watch_interval: WATCH_INTERVAL,
                drain: DrainConfig::default(),
                max_concurrent: None,
                history: HISTORY,
                termination_log: None,
                callbacks: Vec::new(),
                observers: Observers::default(),
                scrub_rules: Vec::new(),
            },
            http: HttpConfig::default(),
            problems: Vec::new(),
        }
    }

    /// Provides the checks that take a `&T`, a `T` or an `Option<&T>` with this value. Found by
    /// exact type: what is provided as an `Arc<Db>` is taken as one.
    ///
    /// Providing one type twice is an error of [`build`](Self::build).
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        if let Err(name) = self.provided.insert(value) {
            self.problems.push(format!("duplicate dependency `{name}`; wrap one in a newtype"));
        }
        self
    }

    /// Adds a check that is known only at run time.
    pub fn check(mut self, check: Check) -> Self {
        self.dynamic.push(check);
        self
    }

    /// Leaves out linked checks, by name or by `module::function`. An unknown one is an error of
    /// [`build`](Self::build).
    ///
    /// ```standalone_crate
    /// use servicekit_health::{self as health, health_check};
    ///
    /// #[health_check]
    /// async fn redis() {}
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder().skip(["redis"]).build()?;
    ///
    /// let error = health::builder().skip(["rediss"]).build().unwrap_err();
    /// assert!(error.to_string().ends_with("did you mean `redis`?"));
    /// # Ok(()) }
    /// ```
    pub fn skip<N: Into<String>>(mut self, checks: impl IntoIterator<Item = N>) -> Self {
        self.skipped.extend(checks.into_iter().map(Into::into));
        self
    }

    /// Makes [`build`](Self::build) fail unless these checks are there: the way to notice that a
    /// crate with checks is not linked.
    ///
    /// ```
    /// use servicekit_health::{self as health, Check};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder()
    ///     .check(Check::new("database", || async {}))
    ///     .require(["database"])
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn require<N: Into<String>>(mut self, checks: impl IntoIterator<Item = N>) -> Self {
        self.required.extend(checks.into_iter().map(Into::into));
        self
    }

    /// A fire drill: the check always returns this result, and its function is not called. For trying
    /// out in the real deployment what balancers, alerts and people do.
    ///
    /// The message begins with `drill`, every response of every endpoint carries the header
    /// `x-health-drill: true`, and the log has a warning, so that it cannot be mistaken for a real
    /// result. Nothing that comes over HTTP can start a drill.
    ///
    /// ```standalone_crate
    /// use servicekit_health::{self as health, CheckResult, HealthState, health_check};
    ///
    /// #[health_check]
    /// async fn redis() {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().drill("redis", CheckResult::degraded("no replica")).build()?;
    ///
    /// let redis = health.check("redis").await.unwrap();
    /// assert_eq!(redis.state, HealthState::Degraded);
    /// assert_eq!(redis.message.as_deref(), Some("drill: no replica"));
    /// # Ok(()) }
    /// ```
    pub fn drill(mut self, check: impl Into<String>, result: impl Into<CheckResult>) -> Self {
        self.drills.insert(check.into(), result.into());
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Names every problem at once: two checks of one name, a dependency not provided or a type
    /// provided twice, a required check that is not there, an unknown name in `skip`, settings out
    /// of their bounds.
    pub fn build(self) -> Result<Health, BuildError> {
        let Self { mut problems, provided, mut http, engine, .. } = self;
        validate::skipped(&self.skipped, &self.linked, &mut problems);
        let is_kept = |check: &&&'static CheckDescriptor| {
            !self.skipped.iter().any(|wanted| validate::is_called(check, wanted))
        };
        let mut checks = self.dynamic;
        for check in &checks {
            validate::check(check, &mut problems);
        }
        for function in self.linked.iter().filter(is_kept) {
            validate::dependencies(function, &provided, &mut problems);
            checks.push(Check::linked(function, provided.clone()));
        }
        validate::unique_names(&checks, &mut problems);
        validate::required(&self.required, &checks, &self.skipped, &mut problems);
        #[cfg(feature = "grpc")]
        {
            let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
            http.grpc.validate(&names, &mut problems);
        }
        http.is_drill = !self.drills.is_empty();
        let checks = drill(checks, self.drills, &mut problems);
        let least = Duration::from_nanos(1);
        let durations = [
            ("default timeout", self.timeout),
            ("deadline", engine.deadline),
            // Zero is allowed for these.
            ("default cache", self.cache.max(least)),
            ("drain delay", engine.drain.delay.unwrap_or(least).max(least)),
            ("`drain_until_idle`", engine.drain.until_idle.unwrap_or(least).max(least)),
            // There is no upper bound of this one.
            ("`max_stream_age`", http.max_stream_age.unwrap_or(least).min(least)),
        ];
        let out_of_bounds = |(what, duration)| validate::duration_problem(what, duration);
        problems.extend(durations.into_iter().filter_map(out_of_bounds));
        problems.extend(validate::interval_problem("watch interval", engine.watch_interval));
        if let Some(runs @ (0 | Semaphore::MAX_PERMITS..)) = engine.max_concurrent {
            problems.push(format!("`max_concurrent` is {runs}; expected at least 1"));
        }
        http.validate(&mut problems);
        BuildError::if_any(problems)?;

        let resolve = |check: Check| {
            let settings = ResolvedSettings::new(&check, self.timeout, self.cache);
            (check, settings)
        };
        let checks: Vec<_> = checks.into_iter().map(resolve).collect();
        announce(&checks, engine.deadline);
        #[cfg(any(feature = "prometheus", feature = "metrics"))]
        let engine = measured(engine, &checks, &mut http);
        let engine = Arc::new(Engine::new(checks, engine));
        #[cfg(feature = "metrics")]
        http.metrics.read(&engine);
        Ok(Health::new(engine, http))
    }

    /// The router of [`build`](Self::build)'s result.
    ///
    /// # Panics
    /// Where `build` returns an error, with its text.
    #[track_caller]
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        match self.build() {
            Ok(health) => health.router(),
            Err(error) => panic!("{error}"),
        }
    }
}

impl fmt::Debug for HealthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthBuilder")
            .field("linked", &self.linked.len())
            .field("checks", &self.dynamic)
            .field("provided", &self.provided)
            .finish_non_exhaustive()
    }
}

/// The settings, with what counts runs, transitions and requests.
#[cfg(any(feature = "prometheus", feature = "metrics"))]
fn measured(
    mut engine: EngineConfig,
    checks: &[(Check, ResolvedSettings)],
    http: &mut HttpConfig,
) -> EngineConfig {
    let names = checks.iter().map(|(check, _)| check.name.clone()).collect();
    http.metrics = Metrics::new(names, http);
    http.metrics.observe(&mut engine.observers);
    engine
}

/// The checks, with those in a drill always returning the drill's result.
fn drill(
    checks: Vec<Check>,
    mut drills: BTreeMap<String, CheckResult>,
    problems: &mut Vec<String>,
) -> Vec<Check> {
    let drilled = |check: Check| match drills.remove(&check.name) {
        Some(result) => {
            let (name, state) = (&check.name, result.state());
            tracing::warn!(
                target: "servicekit_health",
                check = name,
                %state,
                "health check is in a drill: its result is simulated"
            );
            check.drilled(result)
        }
        None => check,
    };
    let checks: Vec<_> = checks.into_iter().map(drilled).collect();
    let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
    for unknown in drills.keys() {
        let hint = suggest::known(unknown, &names);
        problems.push(format!("`drill` refers to unknown check `{unknown}`; {hint}"));
    }
    checks
}
