//! The third floor: the ways to ask.
//!
//! Each is thin and only reads: it parses the request, asks the engine and writes the answer.
//! Nothing here runs a check.

mod accept;
mod encode;
#[cfg(feature = "openapi")]
mod openapi;
mod problem;
mod query;
mod report;
mod select;
pub(crate) mod settings;
mod stream;

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::{self, MethodRouter};
use tokio::sync::Semaphore;

use self::encode::Frame;
use self::problem::Problem;
use self::settings::{Details, Settings};
use crate::evaluate::engine::{Engine, Scope, Shared};
use crate::evaluate::model::Probe;

/// The methods of every endpoint.
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// On every answer while a drill is on, also where details are left out.
const DRILL: HeaderName = HeaderName::from_static("x-health-drill");

/// What all endpoints of one `Health` share.
pub(crate) struct Surface {
    engine: Arc<Engine>,
    settings: Settings,
    streams: Arc<Semaphore>,
    frames: [[Mutex<Option<Encoded>>; Details::ALL.len()]; Scope::ALL.len()],
}

/// A frame, and the report that it was encoded from.
type Encoded = (Arc<Shared>, Frame);

impl Surface {
    pub(crate) fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self {
            engine,
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            settings,
            frames: Default::default(),
        }
    }

    /// The plain report, encoded by the first who reads it and shared by all others.
    fn frame(&self, scope: Scope, shared: &Arc<Shared>, details: Details) -> Frame {
        let cell = &self.frames[scope.index()][details as usize];
        let mut cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cell {
            Some((encoded, frame)) if Arc::ptr_eq(encoded, shared) => frame.clone(),
            _ => {
                let frame = Frame::of(&shared.report, details, false);
                *cell = Some((Arc::clone(shared), frame.clone()));
                frame
            }
        }
    }
}

/// Something that can be asked.
#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Report(Scope),
    Check,
    Stream,
    #[cfg(feature = "openapi")]
    OpenApi,
}

/// Every endpoint with its path: what is routed, and what is documented.
fn endpoints(settings: &Settings) -> Vec<(&str, Endpoint)> {
    let mut endpoints = vec![
        ("/health", Endpoint::Report(Scope::All)),
        ("/health/{name}", Endpoint::Check),
        ("/health/$stream", Endpoint::Stream),
        #[cfg(feature = "openapi")]
        ("/health/$openapi", Endpoint::OpenApi),
    ];
    for (probe, path) in Probe::ALL.into_iter().zip(&settings.probe_paths) {
        endpoints.extend(path.as_deref().map(|path| (path, Endpoint::Report(Scope::Probe(probe)))));
    }
    endpoints
}

/// The endpoints of `surface`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(surface: &Arc<Surface>) -> Router<S> {
    let mut router = Router::new();
    for (path, endpoint) in endpoints(&surface.settings) {
        let handler = handler(surface, endpoint);
        if path.contains('$') {
            // A path is matched as it was sent, and many clients send the `$` encoded.
            router = router.route(&path.replace('$', "%24"), handler.clone());
        }
        if path == "/health" {
            router = router.route("/health/", handler.clone());
        }
        router = router.route(path, handler);
    }
    router
}

/// Each kind by itself: a future of all of them would be as large as the largest.
fn handler<S: Clone + Send + Sync + 'static>(
    surface: &Arc<Surface>,
    endpoint: Endpoint,
) -> MethodRouter<S> {
    match endpoint {
        Endpoint::Report(scope) => methods(surface, move |surface, parts| async move {
            report::of_scope(&surface, scope, &parts).await
        }),
        Endpoint::Check => {
            methods(surface, async |surface, parts| report::of_check(&surface, parts).await)
        }
        Endpoint::Stream => {
            methods(surface, |surface, parts| ready(stream::open(&surface, &parts)))
        }
        #[cfg(feature = "openapi")]
        Endpoint::OpenApi => {
            methods(surface, |surface, parts| ready(Ok(openapi::respond(&surface, &parts))))
        }
    }
}

/// `GET` by itself, so that axum refuses a route of the application's on the same path.
fn methods<S, G, F>(surface: &Arc<Surface>, get: G) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    G: Fn(Arc<Surface>, Parts) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<Body>, Problem>> + Send + 'static,
{
    let surface = Arc::clone(surface);
    let handler = move |request| answer(surface, request, get);
    routing::get(handler.clone()).fallback(handler)
}

/// What every endpoint does alike: methods, errors, and the headers of all answers.
async fn answer<F>(
    surface: Arc<Surface>,
    request: Request,
    get: impl FnOnce(Arc<Surface>, Parts) -> F,
) -> Response<Body>
where
    F: Future<Output = Result<Response<Body>, Problem>>,
{
    let (parts, _) = request.into_parts();
    let method = parts.method.clone();
    let is_drill = surface.settings.is_drill;
    let result = match method {
        Method::GET | Method::HEAD | Method::OPTIONS => get(surface, parts).await,
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "health is read with GET, HEAD or OPTIONS",
        )),
    };
    let mut response = result.unwrap_or_else(Problem::into_response);
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
