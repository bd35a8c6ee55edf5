//! The router: every endpoint at its paths, and what all of their answers have in common.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use tokio::sync::Semaphore;

use super::config::HttpConfig;
use super::endpoints::{Answer, Endpoint, endpoints};
use super::origin::OtherOrigin;
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

/// `GET` by itself, so that axum refuses a route of the application's on the same path.
fn route(endpoint: Endpoint) -> MethodRouter<Arc<HttpState>> {
    let handler = EndpointHandler(endpoint);
    routing::get(handler).fallback(handler)
}

/// An endpoint as axum calls it. Not an async function: axum would move the whole request into its
/// future, and most answers are there at once.
#[derive(Clone, Copy)]
struct EndpointHandler(Endpoint);

impl Handler<(), Arc<HttpState>> for EndpointHandler {
    type Future = Either<Ready<Response>, BoxFuture<'static, Response>>;

    fn call(self, request: Request, state: Arc<HttpState>) -> Self::Future {
        #[cfg(all(unix, feature = "systemd"))]
        state.systemd.start(&state.engine);
        let request = HealthRequest::new(request, &state.config);
        let endpoint = self.0.asked(&request);
        let method = request.method().clone();
        let answer = match method {
            Method::GET | Method::HEAD | Method::OPTIONS => endpoint.answer(&state, &request),
            _ => Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed; use GET, HEAD or OPTIONS",
            )),
        };
        let other_origin = if endpoint.is_for_pages() {
            OtherOrigin::of(&request, &state.config)
        } else {
            OtherOrigin::default()
        };
        let mut extensions = request.into_empty_extensions();
        extensions.insert(endpoint.name());
        let complete = move |mut response: Response| {
            *response.extensions_mut() = extensions;
            #[cfg(any(feature = "prometheus", feature = "metrics"))]
            super::metrics::count_request(&state, endpoint.name(), response.status());
            other_origin.tell(&mut response);
            complete(response, &method, state.config.is_drill)
        };
        match answer.unwrap_or_else(|problem| Answer::Now(problem.into_response())) {
            Answer::Now(response) => Either::Left(ready(complete(response))),
            Answer::Later(response) => Either::Right(response.map(complete).boxed()),
        }
    }
}

/// Adds what all answers have in common.
fn complete(mut response: Response, method: &Method, is_drill: bool) -> Response {
    if method == Method::OPTIONS {
        *response.body_mut() = Body::empty();
    }
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
