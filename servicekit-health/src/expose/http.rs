//! The router: every endpoint at its paths, and what all of their answers have in common.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use tokio::sync::Semaphore;

use super::config::HttpConfig;
use super::endpoints::{Endpoint, endpoints, named, report};
use super::problem::Problem;
use super::queries::Queries;
use super::request::HealthRequest;
use crate::evaluate::engine::Engine;

/// The methods of every endpoint.
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// On every answer while a drill is on, also where details are left out.
const DRILL: HeaderName = HeaderName::from_static("x-health-drill");

/// What all endpoints of one `Health` share.
pub(crate) struct HttpState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) config: Arc<HttpConfig>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) queries: Queries,
    #[cfg(all(unix, feature = "systemd"))]
    pub(crate) systemd: Arc<super::systemd::Notifier>,
    #[cfg(feature = "listener")]
    gone: tokio::sync::watch::Sender<()>,
}

impl HttpState {
    pub(crate) fn new(engine: Arc<Engine>, config: HttpConfig) -> Self {
        Self {
            engine,
            streams: Arc::new(Semaphore::new(config.max_streams)),
            config: Arc::new(config),
            queries: Queries::default(),
            #[cfg(all(unix, feature = "systemd"))]
            systemd: Arc::new(super::systemd::Notifier::new()),
            #[cfg(feature = "listener")]
            gone: tokio::sync::watch::Sender::new(()),
        }
    }

    /// How many event streams are open.
    #[cfg(any(feature = "prometheus", feature = "metrics"))]
    pub(crate) fn open_streams(&self) -> u64 {
        let open = self.config.max_streams.saturating_sub(self.streams.available_permits());
        u64::try_from(open).unwrap_or(u64::MAX)
    }

    /// An error as soon as this is dropped: with the last `Health` and the last router.
    #[cfg(feature = "listener")]
    pub(crate) fn gone(&self) -> tokio::sync::watch::Receiver<()> {
        self.gone.subscribe()
    }

    /// The same for another router, which does not count as one of these.
    #[cfg(feature = "listener")]
    pub(crate) fn beside(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            config: Arc::clone(&self.config),
            streams: Arc::clone(&self.streams),
            queries: Queries::default(),
            #[cfg(all(unix, feature = "systemd"))]
            systemd: Arc::clone(&self.systemd),
            gone: tokio::sync::watch::Sender::new(()),
        }
    }
}

/// Every endpoint, each also with a slash at its end.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(state: &Arc<HttpState>) -> Router<S> {
    let mut router = Router::new();
    for (path, endpoint) in endpoints(&state.config) {
        let route = route(endpoint);
        if !endpoint.is_named() {
            router = router.route(&format!("{path}/"), route.clone());
        }
        router = router.route(path, route);
    }
    router.with_state(Arc::clone(state))
}

/// Each kind by itself: a future of all of them would be as large as the largest.
///
/// What is below `/health/` is told apart by its name, decoded: a path is matched as it was sent,
/// and many clients send the `$` encoded.
fn route(endpoint: Endpoint) -> MethodRouter<Arc<HttpState>> {
    match endpoint {
        Endpoint::Group(group) => methods(endpoint, move |state, request| async move {
            report::of_group(&state, group, &request).await
        }),
        #[cfg(feature = "prometheus")]
        Endpoint::Metrics => {
            methods(endpoint, async |state: Arc<HttpState>, request: HealthRequest| {
                Ok(super::metrics::openmetrics::respond(&state, &request).await)
            })
        }
        _ => methods(endpoint, async |state: Arc<HttpState>, request: HealthRequest| {
            named(&state, &request).await
        }),
    }
}

/// `GET` by itself, so that axum refuses a route of the application's on the same path.
fn methods<G, F>(endpoint: Endpoint, get: G) -> MethodRouter<Arc<HttpState>>
where
    G: Fn(Arc<HttpState>, HealthRequest) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let handler = move |State(state): State<Arc<HttpState>>, request: HealthRequest| {
        answer(endpoint, state, request, get)
    };
    routing::get(handler.clone()).fallback(handler)
}

/// What every endpoint does alike: methods, errors, and the headers of all answers.
async fn answer<F>(
    endpoint: Endpoint,
    state: Arc<HttpState>,
    request: HealthRequest,
    get: impl FnOnce(Arc<HttpState>, HealthRequest) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Problem>>,
{
    #[cfg(all(unix, feature = "systemd"))]
    state.systemd.start(&state.engine);
    let method = request.method.clone();
    let is_drill = state.config.is_drill;
    let endpoint = endpoint.asked(&request).name();
    #[cfg(any(feature = "prometheus", feature = "metrics"))]
    let counted = Arc::clone(&state);
    let result = match method {
        Method::GET | Method::HEAD | Method::OPTIONS => get(state, request).await,
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method not allowed; use GET, HEAD or OPTIONS",
        )),
    };
    let mut response = result.unwrap_or_else(Problem::into_response);
    if method == Method::OPTIONS {
        *response.body_mut() = Body::empty();
    }
    response.extensions_mut().insert(endpoint);
    #[cfg(any(feature = "prometheus", feature = "metrics"))]
    super::metrics::count_request(&counted, endpoint, response.status());
    let headers = response.headers_mut();
    if method != Method::GET {
        headers.insert(header::ALLOW, ALLOWED);
    }
    if is_drill {
        headers.insert(DRILL, HeaderValue::from_static("true"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
