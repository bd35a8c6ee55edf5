//! What monitoring reads: the states of the checks, and counts of what happened. Features
//! `prometheus` and `metrics`.
//!
//! States are the engine's and are read when they are wanted; only counters and histograms are kept
//! here. No label holds anything that comes from a request.

#[cfg(feature = "prometheus")]
mod counts;
#[cfg(feature = "metrics")]
mod facade;
mod names;
#[cfg(feature = "prometheus")]
pub(crate) mod openmetrics;

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::StatusCode;

#[cfg(feature = "prometheus")]
use self::counts::Counts;
#[cfg(feature = "metrics")]
use self::facade::Facade;
use super::config::HttpConfig;
use super::endpoints::{Endpoint, HealthEndpoint, endpoints};
use super::http::HttpState;
use crate::evaluate::events::{Observers, RunEnd};
use crate::model::{HealthState, Transition};

/// What is counted, in each of the ways that are turned on.
#[derive(Default)]
pub(crate) struct Metrics {
    #[cfg(feature = "prometheus")]
    counts: Counts,
    #[cfg(feature = "metrics")]
    facade: Facade,
}

impl Metrics {
    /// For checks of these names.
    pub(crate) fn new(mut checks: Vec<String>, config: &HttpConfig) -> Arc<Self> {
        checks.sort_unstable();
        let answers = possible_answers(config);
        Arc::new(Self {
            #[cfg(feature = "metrics")]
            facade: Facade::new(&checks, &answers),
            #[cfg(feature = "prometheus")]
            counts: Counts::new(checks, &answers),
        })
    }

    /// Counts what happens from now on.
    pub(crate) fn observe(self: &Arc<Self>, observers: &mut Observers) {
        let metrics = Arc::clone(self);
        observers.runs.push(Arc::new(move |run| metrics.run(run)));
        let metrics = Arc::clone(self);
        observers.transitions.push(Arc::new(move |transition| metrics.transition(transition)));
    }

    /// States are read from this engine.
    #[cfg(feature = "metrics")]
    pub(crate) fn read(&self, engine: &Arc<crate::evaluate::engine::Engine>) {
        self.facade.read(engine);
    }

    fn run(&self, run: &RunEnd<'_>) {
        #[cfg(feature = "prometheus")]
        self.counts.run(run);
        #[cfg(feature = "metrics")]
        self.facade.run(run);
    }

    fn transition(&self, transition: &Transition) {
        #[cfg(feature = "prometheus")]
        self.counts.transition(transition);
        #[cfg(feature = "metrics")]
        self.facade.transition(transition);
    }
}

/// A request was answered with this status.
pub(crate) fn count_request(state: &HttpState, endpoint: HealthEndpoint, status: StatusCode) {
    let metrics = &state.config.metrics;
    #[cfg(feature = "prometheus")]
    metrics.counts.request(endpoint, status);
    #[cfg(feature = "metrics")]
    metrics.facade.request(endpoint, status, state.open_streams());
}

/// A stream was closed.
#[cfg(feature = "metrics")]
pub(crate) fn tell_streams(state: &HttpState) {
    state.config.metrics.facade.streams(state.open_streams());
}

/// Seconds since 1970; 0 for a time that is not there.
fn timestamp(at: Option<SystemTime>) -> f64 {
    let since = at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs_f64()
}

/// With what each endpoint can answer: a series of each is there from the start.
fn possible_answers(config: &HttpConfig) -> Vec<(HealthEndpoint, StatusCode)> {
    let of_states = HealthState::ALL.map(|state| config.status_code(state)).to_vec();
    let mut answers = Vec::new();
    for (_, endpoint) in endpoints(config) {
        let mut statuses = vec![StatusCode::METHOD_NOT_ALLOWED];
        statuses.extend(match endpoint {
            Endpoint::Group(_) => [&*of_states, &[StatusCode::BAD_REQUEST]].concat(),
            Endpoint::Check => {
                [&*of_states, &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND]].concat()
            }
            Endpoint::Stream => {
                vec![StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE]
            }
            Endpoint::History => vec![StatusCode::OK, StatusCode::BAD_REQUEST],
            #[cfg(feature = "openapi")]
            Endpoint::OpenApi => vec![StatusCode::OK],
            #[cfg(feature = "dashboard")]
            Endpoint::Ui => vec![StatusCode::OK],
            #[cfg(feature = "prometheus")]
            Endpoint::Metrics => vec![StatusCode::OK],
        });
        answers.extend(statuses.into_iter().map(|status| (endpoint.name(), status)));
    }
    answers
}
