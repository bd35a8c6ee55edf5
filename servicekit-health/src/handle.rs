//! What a program holds: the checks at work, and the ways to ask.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use futures_util::Stream;

use crate::evaluate::engine::{Engine, Scope, subscribe};
use crate::evaluate::model::{CheckReport, Probe, Report, Transition};
use crate::expose::Surface;
use crate::expose::settings::Settings;

/// The checks of a program at work. Cloning gives another handle to the same.
///
/// When the last handle and the last router of it are dropped, all of its tasks end.
#[derive(Clone)]
pub struct Health {
    pub(crate) engine: Arc<Engine>,
    surface: Arc<Surface>,
}

impl Health {
    pub(crate) fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        let surface = Arc::new(Surface::new(Arc::clone(&engine), settings));
        Self { engine, surface }
    }

    /// The endpoints: `/health`, `/health/{name}`, `/health/$stream` and the probes.
    ///
    /// Merges or nests into any router, before or after its `with_state`.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        crate::expose::router(&self.surface)
    }

    /// Every check, as `GET /health` tells it.
    ///
    /// # Panics
    /// Outside a Tokio runtime, as everything that runs a check.
    pub async fn report(&self) -> Report {
        self.engine.report(Scope::All).await
    }

    /// The checks of one probe.
    pub async fn probe(&self, probe: Probe) -> Report {
        self.engine.report(Scope::Probe(probe)).await
    }

    /// One check; `None` if there is none of this name.
    pub async fn check(&self, name: &str) -> Option<CheckReport> {
        let index = self.engine.find(name)?;
        let mut report = self.engine.report_of(&[index], false).await;
        report.checks.remove(name)
    }

    /// Every change of a check's reported state from now on, in order and exactly once.
    ///
    /// As long as the stream is there, on-demand checks are evaluated every `watch_interval` once
    /// it has been polled. It ends with the last handle.
    pub fn subscribe(&self) -> impl Stream<Item = Transition> + Send + Unpin + use<> {
        subscribe(&self.engine)
    }

    /// Begins to drain: not ready from now on, still alive; streams send a last event and end.
    ///
    /// A program that waits for [`shutdown_signal`](Self::shutdown_signal) then ends after the
    /// drain delay.
    pub fn drain(&self) {
        self.engine.lifecycle.drain();
    }

    /// For `with_graceful_shutdown`: waits for SIGTERM, Ctrl-C or a call of [`drain`](Self::drain),
    /// drains, and ends after the drain delay.
    ///
    /// A second signal ends the delay at once. A signal after the delay ends the process with the
    /// status 128 + its number, whatever still holds it up.
    ///
    /// ```no_run
    /// # use axum::Router;
    /// use servicekit_health as health;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let health = health::builder().build()?;
    /// let app = Router::new().merge(health.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    /// axum::serve(listener, app).with_graceful_shutdown(health.shutdown_signal()).await?;
    /// # Ok(()) }
    /// ```
    pub fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let engine = Arc::clone(&self.engine);
        async move {
            engine.wake();
            engine.lifecycle.over().await;
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.engine.slots().iter().map(|slot| &slot.name);
        f.debug_struct("Health").field("checks", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
