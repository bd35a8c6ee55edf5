//! What can be asked, a file each, and the one list that names them.

mod history;
#[cfg(feature = "openapi")]
pub(crate) mod openapi;
pub(crate) mod report;
mod stream;
#[cfg(feature = "dashboard")]
mod ui;

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::BoxFuture;

use super::config::HttpConfig;
use super::http::HttpState;
#[cfg(feature = "prometheus")]
use super::metrics::openmetrics;
use super::problem::{Problem, quoted};
use super::request::HealthRequest;
use crate::evaluate::group::{GROUPS, Group};
use crate::evaluate::selection::SelectError;
use crate::model::Details;

/// Something that can be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint {
    Group(&'static Group),
    Check,
    Stream,
    History,
    #[cfg(feature = "openapi")]
    OpenApi,
    #[cfg(feature = "dashboard")]
    Ui,
    #[cfg(feature = "prometheus")]
    Metrics,
}

impl Endpoint {
    /// Whether it has a name below `/health/`. It is routed by itself all the same, so that axum
    /// refuses an application's route on that path.
    pub(crate) fn is_named(self) -> bool {
        match self {
            Self::Group(_) | Self::Check => false,
            #[cfg(feature = "prometheus")]
            Self::Metrics => false,
            _ => true,
        }
    }

    /// What is below `/health/`: a `$` begins no check's name.
    fn named(name: &str) -> Self {
        match name {
            "$stream" => Self::Stream,
            "$history" => Self::History,
            #[cfg(feature = "openapi")]
            "$openapi" => Self::OpenApi,
            #[cfg(feature = "dashboard")]
            "$ui" => Self::Ui,
            _ => Self::Check,
        }
    }

    /// Whether pages of other origins may read it, where the builder allows some.
    pub(crate) fn is_for_pages(self) -> bool {
        match self {
            Self::Group(group) => group.probe.is_none(),
            _ => matches!(self, Self::Stream | Self::History),
        }
    }

    /// What this request asks for, of those that share a route with this one.
    pub(crate) fn asked(self, request: &HealthRequest) -> Self {
        match self {
            Self::Check => Self::named(&request.name()),
            _ => self,
        }
    }

    pub(crate) fn answer(
        self,
        state: &Arc<HttpState>,
        request: &HealthRequest,
    ) -> Result<Answer, Problem> {
        match self {
            Self::Group(group) => report::of_group(state, group, request),
            Self::Check => report::of_check(state, request),
            Self::Stream => stream::open(state, request).map(Answer::Now),
            Self::History => history::of(state, request).map(Answer::Now),
            #[cfg(feature = "openapi")]
            Self::OpenApi => Ok(Answer::Now(openapi::respond(state, request))),
            #[cfg(feature = "dashboard")]
            Self::Ui => Ok(Answer::Now(ui::page())),
            #[cfg(feature = "prometheus")]
            Self::Metrics => Ok(Answer::Later(openmetrics::respond(state, request))),
        }
    }

    pub(crate) fn name(self) -> HealthEndpoint {
        HealthEndpoint(match self {
            Self::Group(group) => group.name,
            Self::Check => "check",
            Self::Stream => "stream",
            Self::History => "history",
            #[cfg(feature = "openapi")]
            Self::OpenApi => "openapi",
            #[cfg(feature = "dashboard")]
            Self::Ui => "ui",
            #[cfg(feature = "prometheus")]
            Self::Metrics => "metrics",
        })
    }
}

/// What an endpoint answers.
pub(crate) enum Answer {
    /// What is known at once: no task has to wait for it.
    Now(Response),
    /// What has to be waited for, at most for the deadline.
    Later(BoxFuture<'static, Response>),
}

/// Which endpoint answered. In the extensions of every response of the health router, so that access
/// logs, traces and request metrics around it can leave probes out.
///
/// ```
/// use axum::middleware::map_response;
/// use axum::response::Response;
/// use servicekit_health::{self as health, HealthEndpoint};
///
/// async fn access_log(response: Response) -> Response {
///     if response.extensions().get::<HealthEndpoint>().is_none() {
///         println!("{}", response.status());
///     }
///     response
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let app: axum::Router = health::builder().build()?.router().layer(map_response(access_log));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HealthEndpoint(&'static str);

impl HealthEndpoint {
    /// `health`, `check`, `liveness`, `readiness`, `startup`, `stream`, `history`, `openapi`, `ui` or
    /// `metrics`, wherever that is mounted: never anything that comes from the request.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for HealthEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Every endpoint with its path: what is routed, and what is documented.
pub(crate) fn endpoints(config: &HttpConfig) -> Vec<(&str, Endpoint)> {
    let path = |group: &'static Group| match group.probe {
        Some(probe) => config.probe_paths[probe as usize].as_deref(),
        None => Some(group.path),
    };
    let groups = GROUPS.iter().filter_map(|group| Some((path(group)?, Endpoint::Group(group))));
    let mut endpoints: Vec<_> = groups.collect();
    endpoints.extend([
        ("/health/{name}", Endpoint::Check),
        ("/health/$stream", Endpoint::Stream),
        ("/health/$history", Endpoint::History),
        #[cfg(feature = "openapi")]
        ("/health/$openapi", Endpoint::OpenApi),
        #[cfg(feature = "dashboard")]
        ("/health/$ui", Endpoint::Ui),
    ]);
    #[cfg(feature = "prometheus")]
    endpoints.extend(config.metrics_path.as_deref().map(|path| (path, Endpoint::Metrics)));
    endpoints
}

/// What is wrong with a selection.
pub(crate) fn refused(state: &HttpState, error: SelectError, details: Details) -> Problem {
    match error {
        SelectError::UnknownCheck(name) => {
            unknown_check(state, &name, StatusCode::BAD_REQUEST, details)
        }
        SelectError::UnknownTag(tag) => {
            let tags = state.engine.runners().iter().flat_map(|runner| &runner.info.tags);
            unknown(("tag", "tags"), &tag, tags, StatusCode::BAD_REQUEST, details)
        }
        SelectError::Empty => Problem::bad_request("no check matches the selection"),
    }
}

/// A check that is not there.
pub(crate) fn unknown_check(
    state: &HttpState,
    name: &str,
    status: StatusCode,
    details: Details,
) -> Problem {
    let names = state.engine.runners().iter().map(|runner| &runner.info.name);
    unknown(("check", "checks"), name, names, status, details)
}

fn unknown<'a>(
    (kind, kinds): (&str, &str),
    asked: &str,
    valid: impl Iterator<Item = &'a String>,
    status: StatusCode,
    details: Details,
) -> Problem {
    /// A hint, not a catalogue.
    const LISTED: usize = 100;

    let mut detail = format!("unknown {kind} {}", quoted(asked));
    if details != Details::Status {
        let mut valid: Vec<_> = valid.map(String::as_str).collect();
        valid.sort_unstable();
        valid.dedup();
        let more = if valid.len() > LISTED { ", …" } else { "" };
        valid.truncate(LISTED);
        let listed = if valid.is_empty() { "none".to_owned() } else { valid.join(", ") };
        detail = format!("{detail}; {kinds}: {listed}{more}");
    }
    Problem::new(status, detail)
}
