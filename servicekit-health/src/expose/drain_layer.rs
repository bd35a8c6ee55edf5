//! The layer for an application's own routes: it lets pooled clients go while the program drains.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use tower_layer::Layer;
use tower_service::Service;

use crate::evaluate::engine::Engine;
use crate::evaluate::lifecycle::RequestGuard;

/// A tower layer for an application's own routes, made by
/// [`Health::drain_layer`](crate::Health::drain_layer).
///
/// While the program drains, HTTP/1 responses carry `connection: close`, so that clients which keep
/// connections open move to another replica before the listener goes: one that sends its next
/// request on a connection that is just being closed loses it. HTTP/2 has a signal of its own for
/// this (GOAWAY), which axum sends. It also counts the requests that are in flight, from the
/// request's arrival to the end of the response's body.
#[derive(Clone)]
pub struct DrainLayer {
    engine: Arc<Engine>,
}

impl DrainLayer {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        engine.lifecycle.in_flight.start_counting();
        Self { engine }
    }
}

impl std::fmt::Debug for DrainLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrainLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = DrainService<S>;

    fn layer(&self, inner: S) -> DrainService<S> {
        DrainService { inner, engine: Arc::clone(&self.engine) }
    }
}

/// The service of a [`DrainLayer`].
#[derive(Clone)]
pub struct DrainService<S> {
    inner: S,
    engine: Arc<Engine>,
}

impl<S: std::fmt::Debug> std::fmt::Debug for DrainService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrainService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, R, B> Service<Request<R>> for DrainService<S>
where
    S: Service<Request<R>, Response = Response<B>, Future: Send + 'static>,
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let guard = self.engine.lifecycle.in_flight.begin();
        let closes = request.version() <= Version::HTTP_11;
        let engine = Arc::clone(&self.engine);
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await?;
            let is_draining = engine.lifecycle.is_draining();
            let mut response = response
                .map(|body| Body::new(CountedBody { body: Body::new(body), _guard: guard }));
            // A connection that becomes another protocol's sends no further request, and its
            // `connection: upgrade` is what the client goes by.
            let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if closes && is_draining && !is_upgrade {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        })
    }
}

/// A body whose end is the end of the request.
struct CountedBody {
    body: Body,
    _guard: RequestGuard,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
