//! From declared checks and settings to a [`Health`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::declare::check::Check;
use crate::declare::descriptor::CheckDescriptor;
use crate::declare::error::BuildError;
use crate::declare::provided::Provided;
use crate::declare::{registry, validate};
use crate::evaluate::engine::{Config, Engine};
use crate::evaluate::model::{CheckResult, HealthState, Probe, Transition};
use crate::evaluate::state::{Mode, Policy};
use crate::evaluate::transitions::Callback;
use crate::expose::settings::{Details, Service, Settings};
use crate::handle::Health;

const TIMEOUT: Duration = Duration::from_millis(800);
const CACHE: Duration = Duration::from_millis(500);
/// Under the kubelet's default `timeoutSeconds: 1`.
const DEADLINE: Duration = Duration::from_millis(900);
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

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
    made: Vec<Check>,
    provided: Provided,
    skipped: Vec<String>,
    required: Vec<String>,
    drills: BTreeMap<String, CheckResult>,
    timeout: Duration,
    cache: Duration,
    drain_delay: Option<Duration>,
    config: Config,
    exposed: Settings,
    /// What was wrong with a call, kept until `build` can report it with the rest.
    problems: Vec<String>,
}

impl HealthBuilder {
    /// A builder with the linker's checks.
    pub(crate) fn new() -> Self {
        Self::of(registry::linked())
    }

    /// A builder with these checks, whatever is linked.
    pub(crate) fn of(linked: impl IntoIterator<Item = &'static CheckDescriptor>) -> Self {
        Self {
            linked: linked.into_iter().collect(),
            made: Vec::new(),
            provided: Provided::default(),
            skipped: Vec::new(),
            required: Vec::new(),
            drills: BTreeMap::new(),
            timeout: TIMEOUT,
            cache: CACHE,
            drain_delay: None,
            config: Config {
                deadline: DEADLINE,
                watch_interval: WATCH_INTERVAL,
                callbacks: Vec::new(),
            },
            exposed: Settings::default(),
            problems: Vec::new(),
        }
    }

    /// Provides the checks that take a `&T`, a `T` or an `Option<&T>` with this value. Found by
    /// exact type: what is provided as an `Arc<Db>` is taken as one.
    ///
    /// Providing one type twice is an error of [`build`](Self::build).
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        if let Err(name) = self.provided.insert(value) {
            self.problems
                .push(format!("a `{name}` was provided twice; wrap one in a type of its own"));
        }
        self
    }

    /// Adds a check that is known only at run time.
    pub fn check(mut self, check: Check) -> Self {
        self.made.push(check);
        self
    }

    /// Leaves out linked checks, by name or by `module::function`. An unknown one is an error of
    /// [`build`](Self::build).
    pub fn skip<N: Into<String>>(mut self, checks: impl IntoIterator<Item = N>) -> Self {
        self.skipped.extend(checks.into_iter().map(Into::into));
        self
    }

    /// Makes [`build`](Self::build) fail unless these checks are there: the way to notice that a
    /// crate with checks is not linked.
    pub fn require<N: Into<String>>(mut self, checks: impl IntoIterator<Item = N>) -> Self {
        self.required.extend(checks.into_iter().map(Into::into));
        self
    }

    /// A fire drill: the check comes to this result, and its function is not called. For trying out
    /// in the real deployment what balancers, alerts and people do.
    ///
    /// The message begins with `drill`, every answer of every endpoint carries the header
    /// `x-health-drill: true`, and the log has a warning, so that nobody takes it for the truth.
    /// Nothing that comes over HTTP can start a drill.
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

    /// How long a run may take where the check does not say. 800 ms by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a result serves further requests where the check does not say, from the end of its
    /// run. 500 ms by default; zero turns it off.
    pub fn cache(mut self, cache: Duration) -> Self {
        self.cache = cache;
        self
    }

    /// Within which time every request is answered, with what is known by then. 900 ms by default,
    /// under the kubelet's default of a second.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = deadline;
        self
    }

    /// How often on-demand checks are evaluated while somebody listens for transitions. 5 s by
    /// default.
    pub fn watch_interval(mut self, interval: Duration) -> Self {
        self.config.watch_interval = interval;
        self
    }

    /// The status code of an answer of this state: 200, 200 and 503 by default. Setting one keeps
    /// the others.
    pub fn status_code(mut self, state: HealthState, code: StatusCode) -> Self {
        self.exposed.status_codes[state as usize] = code;
        self
    }

    /// How much every answer tells. [`Details::Full`] by default.
    pub fn details(mut self, details: Details) -> Self {
        self.exposed.details = details;
        self
    }

    /// How much an answer tells, decided for each request.
    ///
    /// Decide by what the request cannot forge: the address of the connection, or what a layer of
    /// yours put into the extensions. A client writes any `X-Forwarded-For` it likes.
    ///
    /// ```
    /// use servicekit_health::{self as health, Details};
    ///
    /// #[derive(Clone)]
    /// struct Operator; // put there by the application's authentication layer
    ///
    /// let builder = health::builder().details_for(|request| {
    ///     match request.extensions.get::<Operator>() {
    ///         Some(_) => Details::Full,
    ///         None => Details::Status,
    ///     }
    /// });
    /// ```
    pub fn details_for<F>(mut self, details: F) -> Self
    where
        F: Fn(&Parts) -> Details + Send + Sync + 'static,
    {
        self.exposed.details_for = Some(Box::new(details));
        self
    }

    /// The name and version of the service, for the formats and pages that show them.
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.exposed.service = Some(Service { name: name.into(), version: version.into() });
        self
    }

    /// How many event streams are served at a time. 256 by default.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.exposed.max_streams = streams;
        self
    }

    /// How long the program stays and says that it is draining before the shutdown signal ends.
    /// By default 5 s after SIGTERM or `drain`, and none after Ctrl-C; when set, for all of them.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = Some(delay);
        self
    }

    /// Moves the endpoint of a probe; `None` leaves it out.
    ///
    /// ```
    /// use servicekit_health::{self as health, Probe};
    ///
    /// let builder = health::builder()
    ///     .probe_path(Probe::Liveness, "/healthz")
    ///     .probe_path(Probe::Startup, None);
    /// ```
    pub fn probe_path<'a>(mut self, probe: Probe, path: impl Into<Option<&'a str>>) -> Self {
        self.exposed.probe_paths[probe as usize] = path.into().map(str::to_owned);
        self
    }

    /// Calls this with every change of a check's reported state, in order and exactly once.
    ///
    /// Callbacks run on the blocking pool, one at a time. One that panics is logged; one that is
    /// too slow loses transitions, and is told how many by [`Transition::missed`].
    pub fn on_transition<F>(mut self, callback: F) -> Self
    where
        F: Fn(&Transition) + Send + Sync + 'static,
    {
        self.config.callbacks.push(Callback::from(Box::new(callback) as Box<_>));
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Names every problem at once: two checks of one name, a dependency nobody provided or a type
    /// provided twice, a required check that is not there, an unknown name in `skip`, settings out
    /// of their bounds.
    pub fn build(self) -> Result<Health, BuildError> {
        let Self { mut problems, provided, mut exposed, .. } = self;
        for wanted in &self.skipped {
            let known = self.linked.iter().any(|check| is_called(check, wanted));
            if !known {
                let known = validate::listed(self.linked.iter().map(|check| check.name));
                problems
                    .push(format!("`skip` names `{wanted}`, which is no linked check; {known}"));
            }
        }
        let is_kept = |check: &&&'static CheckDescriptor| {
            !self.skipped.iter().any(|wanted| is_called(check, wanted))
        };
        let mut checks = self.made;
        for check in &checks {
            validate::check(check, &mut problems);
        }
        for function in self.linked.iter().filter(is_kept) {
            validate::dependencies(function, &provided, &mut problems);
            checks.push(Check::linked(function, provided.clone()));
        }
        validate::unique_names(&checks, &mut problems);
        validate::required(&self.required, &checks, &mut problems);
        exposed.is_drill = !self.drills.is_empty();
        let checks = drill(checks, self.drills, &mut problems);
        let durations = [
            ("default timeout", self.timeout),
            ("deadline", self.config.deadline),
            ("watch interval", self.config.watch_interval),
            // Zero is allowed for these two.
            ("default cache", self.cache.max(Duration::from_nanos(1))),
            ("drain delay", self.drain_delay.unwrap_or_default().max(Duration::from_nanos(1))),
        ];
        let too_long = |(what, duration)| validate::duration_problem(what, duration);
        problems.extend(durations.into_iter().filter_map(too_long));
        exposed.validate(&mut problems);
        BuildError::of(problems)?;

        let resolve = |check: Check| {
            let policy = resolve(&check, self.timeout, self.cache);
            (check, policy)
        };
        let checks: Vec<_> = checks.into_iter().map(resolve).collect();
        announce(&checks, self.config.deadline);
        let engine = Engine::new(checks, self.config, self.drain_delay);
        Ok(Health::new(Arc::new(engine), exposed))
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
            .field("checks", &self.made)
            .field("provided", &self.provided)
            .finish_non_exhaustive()
    }
}

/// By name or by path.
fn is_called(check: &CheckDescriptor, wanted: &str) -> bool {
    check.name == wanted || validate::path(check) == wanted
}

/// The check's settings, with the builder's defaults where it says nothing.
fn resolve(check: &Check, timeout: Duration, cache: Duration) -> Policy {
    let settings = &check.settings;
    Policy {
        on_error: settings.on_error,
        timeout: settings.timeout.unwrap_or(timeout),
        mode: match settings.interval {
            Some(interval) => Mode::Background { interval },
            None => Mode::OnDemand { cache: settings.cache.unwrap_or(cache) },
        },
        failure_threshold: settings.failure_threshold,
        success_threshold: settings.success_threshold,
        blocking: check.is_blocking(),
    }
}

/// The checks, with those in a drill coming to the drill's result.
fn drill(
    checks: Vec<Check>,
    mut drills: BTreeMap<String, CheckResult>,
    problems: &mut Vec<String>,
) -> Vec<Check> {
    let drilled = |check: Check| match drills.remove(&check.name) {
        Some(result) => {
            let (name, state) = (&check.name, result.state());
            tracing::warn!(check = name, %state, "health check is in a drill: its result is made up");
            check.drilled(result)
        }
        None => check,
    };
    let checks: Vec<_> = checks.into_iter().map(drilled).collect();
    for unknown in drills.keys() {
        let known = validate::listed(checks.iter().map(|check| check.name.as_str()));
        problems.push(format!("`drill` names `{unknown}`, which is no check; {known}"));
    }
    checks
}

/// Says in the log what there is, so that a check that is not linked is missed early.
fn announce(checks: &[(Check, Policy)], deadline: Duration) {
    let list = |checks: &mut dyn Iterator<Item = &Check>| {
        let mut names: Vec<_> =
            checks.map(|check| format!("{} ({})", check.name, check.origin)).collect();
        names.sort();
        names.join(", ")
    };
    let count = checks.len();
    let all = list(&mut checks.iter().map(|(check, _)| check));
    tracing::info!(count, checks = all, "health checks");
    let is_late =
        |policy: &Policy| policy.timeout > deadline && matches!(policy.mode, Mode::OnDemand { .. });
    let mut late =
        checks.iter().filter(|(_, policy)| is_late(policy)).map(|(check, _)| check).peekable();
    if late.peek().is_some() {
        let checks = list(&mut late);
        tracing::warn!(
            checks,
            ?deadline,
            "health checks with a timeout above the deadline: a request does not wait for them \
             that long; give them an interval, or a shorter timeout"
        );
    }
}
