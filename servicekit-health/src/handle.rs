//! What a program holds: the checks at work, and the ways to ask.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use futures_util::Stream;

use crate::evaluate::engine::{Engine, subscribe};
use crate::evaluate::group::{Group, HEALTH};
use crate::expose::config::HttpConfig;
use crate::expose::drain_layer::DrainLayer;
#[cfg(feature = "grpc")]
use crate::expose::grpc::{GrpcHealth, Services};
use crate::expose::http::{self, HttpState};
use crate::model::{CheckReport, Probe, Report, Transition};

/// The checks of a program at work. Cloning gives another handle to the same.
///
/// When the last handle and the last router of it are dropped, all of its tasks end. Two values made
/// by two calls of [`build`](crate::HealthBuilder::build) do not disturb each other, and each runs
/// its checks: one, cloned, is what a program wants.
#[derive(Clone)]
pub struct Health {
    pub(crate) engine: Arc<Engine>,
    http: Arc<HttpState>,
    #[cfg(feature = "grpc")]
    grpc: Arc<Services>,
}

impl Health {
    pub(crate) fn new(
        engine: Arc<Engine>,
        #[cfg_attr(not(feature = "grpc"), expect(unused_mut, reason = "parts of it are optional"))]
        mut config: HttpConfig,
    ) -> Self {
        Self {
            #[cfg(feature = "grpc")]
            grpc: Arc::new(Services::new(&engine, std::mem::take(&mut config.grpc))),
            http: Arc::new(HttpState::new(Arc::clone(&engine), config)),
            engine,
        }
    }

    /// The endpoints: `/health`, all below it, and the probes.
    ///
    /// Merges or nests into any router, before or after its `with_state`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        http::router(&self.http)
    }

    /// Every check, as `GET /health` reports it.
    ///
    /// `Display` of the result is the text form, so a program can print how it is without a server:
    ///
    /// ```
    /// use servicekit_health::{self as health, Check};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().check(Check::new("clock", || async {})).build()?;
    /// assert_eq!(health.report().await.to_string(), "[+]clock ok\nhealth check passed\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Outside a Tokio runtime, as everything that runs a check.
    pub async fn report(&self) -> Report {
        self.report_of(&HEALTH).await
    }

    /// The checks of one probe, as its endpoint reports them.
    ///
    /// ```
    /// use servicekit_health::{self as health, HealthState, Probe};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// health.drain();
    /// assert_eq!(health.probe(Probe::Readiness).await.status, HealthState::Unhealthy);
    /// assert_eq!(health.probe(Probe::Liveness).await.status, HealthState::Healthy);
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn probe(&self, probe: Probe) -> Report {
        self.report_of(Group::of(probe)).await
    }

    async fn report_of(&self, group: &'static Group) -> Report {
        #[cfg(all(unix, feature = "systemd"))]
        self.http.systemd.start(&self.engine);
        let view = self.engine.group(group);
        self.engine.snapshot(&view).await.report_of_now()
    }

    /// One check; `None` if there is none of this name.
    ///
    /// ```
    /// use servicekit_health::{self as health, Check, HealthState};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let redis = Check::new("redis", || async { HealthState::Degraded });
    /// let health = health::builder().check(redis).build()?;
    /// assert_eq!(health.check("redis").await.unwrap().state, HealthState::Degraded);
    /// assert!(health.check("rediss").await.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn check(&self, name: &str) -> Option<CheckReport> {
        #[cfg(all(unix, feature = "systemd"))]
        self.http.systemd.start(&self.engine);
        let view = self.engine.only(self.engine.find(name)?);
        self.engine.snapshot(&view).await.check_of_now(name)
    }

    /// Every transition from now on, in order and exactly once.
    ///
    /// As long as the stream is there, on-demand checks are evaluated every
    /// [`watch_interval`](crate::HealthBuilder::watch_interval) once it has been polled. It ends
    /// with the last handle.
    pub fn subscribe(&self) -> impl Stream<Item = Transition> + Send + Unpin + use<> {
        subscribe(&self.engine)
    }

    /// The metrics as a collector for a registry of the application's own. Feature `prometheus`.
    ///
    /// A registry does not wait: a scrape through it reads what is known, and starts runs of what is
    /// older than its cache, for the next one. So without other readers a scrape tells what the runs
    /// of the one before have found, and the first, before a check has any result, its `on_error`. An
    /// alert therefore waits for longer than the scrape interval, as with a `for:` of two of them.
    /// The [endpoint](crate::HealthBuilder::metrics_path) waits for the runs, and has none of this.
    /// Outside a runtime, no run is started before one is known, from a first request or report. The
    /// collector counts as a handle.
    ///
    /// ```
    /// use prometheus_client::encoding::text::encode;
    /// use prometheus_client::registry::Registry;
    /// use servicekit_health as health;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// let mut registry = Registry::default();
    /// registry.register_collector(Box::new(health.collector()));
    ///
    /// let mut text = String::new();
    /// encode(&mut text, &registry).map_err(std::io::Error::other)?;
    /// assert!(text.contains("servicekit_health_draining 0"));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "prometheus")]
    pub fn collector(&self) -> impl prometheus_client::collector::Collector + use<> {
        crate::expose::metrics::openmetrics::HealthCollector(Arc::clone(&self.http))
    }

    /// Begins to drain: readiness reports unhealthy from now on, liveness stays as it is, and
    /// streams send a last event and end.
    ///
    /// A program that waits for [`shutdown_signal`](Self::shutdown_signal) then ends after the
    /// drain delay.
    pub fn drain(&self) {
        self.engine.drain();
    }

    /// A layer for the application's own routes. While the program drains, its HTTP/1 responses
    /// carry `connection: close`, so that clients which keep connections open move on before the
    /// listener goes. It also counts the requests in flight, which
    /// [`drain_until_idle`](crate::HealthBuilder::drain_until_idle) waits for and the verbose
    /// `$drain` entry shows.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::routing::get;
    /// use servicekit_health as health;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// let app: Router = Router::new()
    ///     .route("/", get(async || "hello"))
    ///     .layer(health.drain_layer())
    ///     .merge(health.router());
    /// # Ok(()) }
    /// ```
    pub fn drain_layer(&self) -> DrainLayer {
        DrainLayer::new(Arc::clone(&self.engine))
    }

    /// Serves the same endpoints on a port of its own, on a thread and a runtime of its own: they
    /// answer within the deadline while every worker of the application is blocked. Gives back the
    /// address, which tells the port where that was 0. Feature `listener`.
    ///
    /// Call it inside the application's runtime: the checks' runs stay there. What is wedged there is
    /// reported by [`Check::runtime_stall`](crate::Check::runtime_stall). A runtime that is busy is
    /// not wedged, so a check on the liveness probe should allow for a long stall: a restart under
    /// load makes the load of the others worse.
    ///
    /// The listener ends with the drain, or with the last handle and router.
    ///
    /// ```no_run
    /// use servicekit_health as health;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// health.listen("0.0.0.0:9000")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Where the address cannot be bound, or no runtime is there.
    #[cfg(feature = "listener")]
    pub fn listen(
        &self,
        address: impl std::net::ToSocketAddrs,
    ) -> std::io::Result<std::net::SocketAddr> {
        crate::expose::listener::listen(&self.http, address)
    }

    /// The service `grpc.health.v1.Health`, the standard by which gRPC clients, balancers and
    /// Kubernetes ask, with its methods `Check`, `Watch` and `List`. Feature `grpc`.
    ///
    /// | service | is |
    /// |---|---|
    /// | the empty name | readiness |
    /// | `liveness`, `readiness`, `startup` | the checks of that probe |
    /// | the name of a check | that check by itself |
    /// | a name of [`grpc_service`](crate::HealthBuilder::grpc_service) | the checks it needs |
    ///
    /// Where a check is called like a probe, the name is the probe.
    ///
    /// * Healthy and degraded are `SERVING`, unhealthy is `NOT_SERVING`. While the program drains,
    ///   everything but `liveness` is `NOT_SERVING`.
    /// * `Check` and `List` answer within the builder's
    ///   [`deadline`](crate::HealthBuilder::deadline). `Check` of an unknown service is the error
    ///   `NOT_FOUND`.
    /// * `Watch` sends the status at once, and then each time it differs. Watchers of one service
    ///   share its evaluation, whatever their number. As long as there is one, on-demand checks are
    ///   evaluated every [`watch_interval`](crate::HealthBuilder::watch_interval). For an unknown
    ///   service it sends `SERVICE_UNKNOWN` and stays open.
    /// * When draining begins, watchers are sent `NOT_SERVING`, and their streams end. A stream that
    ///   is opened after that is sent the status and ends after a second, so that clients which
    ///   open a new one at once do not do so in a loop.
    ///
    /// A tonic server takes it like any other service:
    ///
    /// ```no_run
    /// use servicekit_health as health;
    /// use tonic::transport::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let health = health::builder().build()?;
    /// Server::builder()
    ///     .add_service(health.grpc())
    ///     .serve_with_shutdown("0.0.0.0:50051".parse()?, health.shutdown_signal())
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// On the port of the application, with the feature `http2` of axum (gRPC needs HTTP/2):
    ///
    /// ```
    /// use axum::Router;
    /// use servicekit_health as health;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// let app: Router = Router::new()
    ///     .merge(health.router())
    ///     .route_service("/grpc.health.v1.Health/{method}", health.grpc());
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "grpc")]
    pub fn grpc(&self) -> GrpcHealth {
        GrpcHealth::new(Arc::clone(&self.grpc))
    }

    /// For `with_graceful_shutdown`: waits for SIGTERM, Ctrl-C or a call of [`drain`](Self::drain),
    /// drains, and ends after the drain delay.
    ///
    /// A second signal ends the delay at once; the first signal after a call of `drain` is the
    /// first, so the delay goes on. One more ends the process with the status 128 + its number,
    /// whatever hangs, until the very end of the process.
    ///
    /// ```no_run
    /// # use axum::Router;
    /// use servicekit_health as health;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// let app = Router::new().layer(health.drain_layer()).merge(health.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    /// axum::serve(listener, app.into_make_service())
    ///     .with_graceful_shutdown(health.shutdown_signal())
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let engine = Arc::clone(&self.engine);
        #[cfg(all(unix, feature = "systemd"))]
        let systemd = Arc::clone(&self.http.systemd);
        async move {
            #[cfg(all(unix, feature = "systemd"))]
            systemd.start(&engine);
            engine.shutdown().await;
            #[cfg(all(unix, feature = "systemd"))]
            systemd.stopped().await;
        }
    }
}

impl Drop for Health {
    /// A panic that ends the program leaves the termination log behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.engine.write_termination_log();
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.engine.runners().iter().map(|runner| &runner.info.name).collect();
        f.debug_struct("Health").field("checks", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use axum::body::{Body, BodyDataStream};
    use axum::http::Request;
    use futures_util::StreamExt;
    use tower::ServiceExt;

    use super::*;
    use crate::evaluate::group::HEALTH;
    use crate::evaluate::selection::Criteria;
    use crate::{Check, HealthBuilder};

    async fn open(router: &Router, name: &str) -> BodyDataStream {
        let request = Request::get(format!("/health/$stream?check={name}"));
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().into_body().into_data_stream()
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_holds_no_report_of_its_selection() {
        let names: Vec<_> = (0..40).map(|number| format!("check-{number}")).collect();
        let check = |name: &String| Check::new(name, || async {});
        let builder = HealthBuilder::with_linked([]);
        let health = names.iter().map(check).fold(builder, HealthBuilder::check).build().unwrap();
        let router = health.router();
        let checks = vec![Cow::Borrowed(&*names[0])];
        let criteria = Criteria { checks, ..Criteria::default() };
        let view = Arc::downgrade(&health.engine.select(&HEALTH, &criteria).unwrap());
        let mut streams = Vec::new();
        for name in &names {
            let mut stream = open(&router, name).await;
            stream.next().await.unwrap().unwrap();
            streams.push(stream);
        }
        assert!(view.upgrade().is_none(), "a report for each stream");
        let event = streams[0].next().await.unwrap().unwrap();
        let json = r#"{"status":"healthy","checks":{"check-0":{"state":"healthy"}}}"#;
        assert_eq!(event, format!("data: {json}\n\n"), "and each goes on");
    }
}
