//! The builder's settings, one method each.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;

use super::HealthBuilder;
use crate::evaluate::callbacks::Callback;
use crate::expose::config::Service;
use crate::expose::origin;
use crate::model::{Details, HealthState, Probe, Transition};

impl HealthBuilder {
    /// How long a run may take where the check does not say. 800 ms by default, at most an hour.
    ///
    /// ```
    /// use std::time::Duration;
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder()
    ///     .timeout(Duration::from_millis(400)) // of a run
    ///     .cache(Duration::from_secs(1)) // of its result
    ///     .deadline(Duration::from_millis(500)); // of a response
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a result serves further requests where the check does not say, from the end of its
    /// run. 500 ms by default, at most an hour; zero turns it off.
    pub fn cache(mut self, cache: Duration) -> Self {
        self.cache = cache;
        self
    }

    /// Maximum time to answer a request; unfinished checks report their last result. 900 ms by
    /// default, under the kubelet's default timeout of a second; at most an hour.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.engine.deadline = deadline;
        self
    }

    /// How often on-demand checks are evaluated while something listens for transitions: a
    /// callback, a subscriber or a gRPC watcher. From 10 ms; 5 s by default.
    pub fn watch_interval(mut self, interval: Duration) -> Self {
        self.engine.watch_interval = interval;
        self
    }

    /// The status code of an answer of this state: 200, 200 and 503 by default. Setting one keeps
    /// the others.
    ///
    /// ```
    /// use axum::http::StatusCode;
    /// use servicekit_health::{self as health, HealthState};
    ///
    /// // 429 is a warning for Consul.
    /// let builder = health::builder()
    ///     .status_code(HealthState::Degraded, StatusCode::TOO_MANY_REQUESTS);
    /// ```
    pub fn status_code(mut self, state: HealthState, code: StatusCode) -> Self {
        self.http.status_codes[state as usize] = code;
        self
    }

    /// How much detail responses include. [`Details::Full`] by default.
    pub fn details(mut self, details: Details) -> Self {
        self.http.details = details;
        self
    }

    /// How much detail a response includes, decided for each request. Where the function panics, the
    /// response has the least.
    ///
    /// Decide by what the request cannot forge: what a layer of yours put into the extensions, or the
    /// address of the connection, which is there as `ConnectInfo<SocketAddr>` on the
    /// listener, and where the application serves with
    /// `into_make_service_with_connect_info`. Do not trust `X-Forwarded-For`: clients can set it to
    /// anything.
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
        self.http.details_for = Some(Box::new(details));
        self
    }

    /// The name and version of the service, for the formats and pages that show them.
    ///
    /// ```
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder().service("shop", env!("CARGO_PKG_VERSION"));
    /// ```
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.http.service = Some(Service { name: name.into(), version: version.into() });
        self
    }

    /// How many event streams are served at a time. 256 by default; beyond it, 503 with
    /// `retry-after`.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.http.max_streams = streams;
        self
    }

    /// How long the program goes on serving, and reports that it is draining, before the shutdown
    /// signal ends. By default 5 s after SIGTERM or `drain`, and none after Ctrl-C; when set, for all
    /// of them. At most an hour.
    ///
    /// It has to be longer than a balancer takes to notice (its interval times its failure threshold,
    /// and a second) and shorter than the grace period of the pod.
    ///
    /// ```
    /// use std::time::Duration;
    /// use servicekit_health as health;
    ///
    /// // A load balancer that takes a server out after 3 checks, one every 5 s.
    /// let builder = health::builder().drain_delay(Duration::from_secs(20));
    /// ```
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.engine.drain.delay = Some(delay);
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
        self.http.probe_paths[probe as usize] = path.into().map(str::to_owned);
        self
    }

    /// Serves the metrics at this path as OpenMetrics text, always with 200. Feature `prometheus`.
    ///
    /// A scrape renews what is older than its cache, like any reader, within the deadline. The
    /// metrics name the checks and their states, whatever [`details`](Self::details) says; they hold
    /// no message.
    ///
    /// ```
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder().metrics_path("/metrics");
    /// ```
    #[cfg(feature = "prometheus")]
    pub fn metrics_path(mut self, path: impl Into<String>) -> Self {
        self.http.metrics_path = Some(path.into());
        self
    }

    /// Calls this with every transition, in order and exactly once.
    ///
    /// Each callback has a queue and a thread of its own, which the end of the process does not wait
    /// for. One that panics or hangs is logged; one that is too slow loses transitions, and sees how
    /// many by [`Transition::missed`].
    ///
    /// ```
    /// use servicekit_health::{self as health, HealthState};
    ///
    /// let builder = health::builder().on_transition(|transition| {
    ///     if transition.to == HealthState::Unhealthy && transition.check != "$drain" {
    ///         eprintln!("{}: {:?}", transition.check, transition.message);
    ///     }
    /// });
    /// ```
    pub fn on_transition<F>(mut self, callback: F) -> Self
    where
        F: Fn(&Transition) + Send + Sync + 'static,
    {
        self.engine.callbacks.push(Box::new(callback) as Callback);
        self
    }

    /// A rule of one's own for texts that leave the process, before those of the crate: messages,
    /// and the texts among the details. Called within the run, once for each text.
    ///
    /// ```
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder().scrub_with(|text| text.replace("customer-4711", "***").into());
    /// ```
    pub fn scrub_with<F>(mut self, rule: F) -> Self
    where
        F: Fn(&str) -> Cow<'_, str> + Send + Sync + 'static,
    {
        self.engine.scrub_rules.push(Arc::new(rule));
        self
    }

    /// How many runs may be under way at a time; a run that has to wait begins its timeout when it
    /// begins. Unlimited by default.
    pub fn max_concurrent(mut self, runs: usize) -> Self {
        self.engine.max_concurrent = Some(runs);
        self
    }

    /// How long an event stream may last, from its opening: then it ends, and its client opens a new
    /// one. Unlimited by default.
    pub fn max_stream_age(mut self, age: Duration) -> Self {
        self.http.max_stream_age = Some(age);
        self
    }

    /// Makes the shutdown signal wait beyond the drain delay for requests in flight, at most until
    /// `max` from the begin of draining, which is an hour at most. Requests are counted by
    /// [`Health::drain_layer`](crate::Health::drain_layer).
    pub fn drain_until_idle(mut self, max: Duration) -> Self {
        self.engine.drain.until_idle = Some(max);
        self
    }

    /// How many transitions are kept for `/health/$history`. 128 by default; 0 keeps none.
    pub fn history(mut self, transitions: usize) -> Self {
        self.engine.history = transitions;
        self
    }

    /// Writes the worst checks and the last transitions to this file on the way out: when draining
    /// begins and ends, and when a panic ends `main`. For the kubelet's `terminationMessagePath`,
    /// `/dev/termination-log` by default, so that `kubectl describe pod` shows them. At most 4 KiB,
    /// which is what the kubelet keeps.
    ///
    /// ```
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder().termination_log("/dev/termination-log");
    /// ```
    pub fn termination_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.engine.termination_log = Some(path.into());
        self
    }

    /// A gRPC service of the application, for [`Health::grpc`](crate::Health::grpc): it is `SERVING`
    /// unless one of these checks is unhealthy, or the program drains. Feature `grpc`.
    ///
    /// Name the checks without which the service cannot work; none is a service that depends on
    /// nothing. A check that is `shared` counts in full here.
    ///
    /// A check that is not registered is an error of [`build`](Self::build), and so is a service that
    /// is named twice or like a probe or a check.
    ///
    /// ```
    /// use servicekit_health::{self as health, Check};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder()
    ///     .check(Check::new("database", || async {}))
    ///     .check(Check::new("search", || async {}))
    ///     .grpc_service("shop.v1.Orders", ["database"])
    ///     .grpc_service("shop.v1.Catalog", ["database", "search"])
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "grpc")]
    pub fn grpc_service<N: Into<String>>(
        mut self,
        service: impl Into<String>,
        checks: impl IntoIterator<Item = N>,
    ) -> Self {
        let checks = checks.into_iter().map(Into::into).collect();
        self.http.grpc.services.push((service.into(), checks));
        self
    }

    /// Lets pages of another origin read `/health`, the stream and the history by GET; never the
    /// probes. `"*"` is every origin. May be called more than once.
    ///
    /// ```
    /// use servicekit_health as health;
    ///
    /// let builder = health::builder().allow_origin("https://ops.example");
    /// ```
    pub fn allow_origin(mut self, origin: impl AsRef<str>) -> Self {
        let origin = origin.as_ref();
        match origin::parse(origin) {
            Some(origin) => self.http.origins.push(origin),
            None => self.problems.push(format!(
                "invalid origin `{origin}` in `allow_origin`; expected `*`, or a scheme and a host \
                 in lower case such as `https://ops.example`"
            )),
        }
        self
    }
}
