//! Requests are traced and failures logged, and probes are neither.
//!
//! `TraceLayer` takes every 5xx for a failure of the service and logs it at ERROR. The 503 of a
//! probe is an answer: the change of the check was logged once, by `servicekit_health`, and a
//! kubelet that asks every second would repeat it every second.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::env;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::{Response, StatusCode};
use axum::routing::get;
use servicekit_health::{self as health, HealthEndpoint, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;
use tower_http::classify::{
    ClassifiedResponse, ClassifyResponse, NeverClassifyEos, ServerErrorsAsFailures,
    ServerErrorsFailureClass, SharedClassifier,
};
use tower_http::trace::TraceLayer;
use tracing::Span;

/// Where the database listens.
struct Database(String);

#[health_check]
async fn database(database: &Database) -> io::Result<()> {
    TcpStream::connect(&database.0).await.map(drop)
}

fn is_health<B>(response: &Response<B>) -> bool {
    response.extensions().get::<HealthEndpoint>().is_some()
}

/// A 5xx is a failure, unless a health endpoint says it.
#[derive(Clone)]
struct FailuresOfTheService;

impl ClassifyResponse for FailuresOfTheService {
    type FailureClass = ServerErrorsFailureClass;
    type ClassifyEos = NeverClassifyEos<ServerErrorsFailureClass>;

    fn classify_response<B>(
        self,
        response: &Response<B>,
    ) -> ClassifiedResponse<Self::FailureClass, Self::ClassifyEos> {
        if is_health(response) {
            ClassifiedResponse::Ready(Ok(()))
        } else {
            ServerErrorsAsFailures::new().classify_response(response)
        }
    }

    fn classify_error<E: Display + 'static>(self, error: &E) -> Self::FailureClass {
        ServerErrorsAsFailures::new().classify_error(error)
    }
}

/// The access log: a line for each request but those for health.
fn log<B>(response: &Response<B>, latency: Duration, span: &Span) {
    if !is_health(response) {
        let (status, latency_ms) = (response.status().as_u16(), latency.as_millis());
        tracing::info!(parent: span, status, latency_ms, "request");
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).init();
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let socket = listen("127.0.0.1").await;
    let database = Database(or("DATABASE", "127.0.0.1:5432"));

    let health = health::builder().provide(database).build()?;
    let trace = TraceLayer::new(SharedClassifier::new(FailuresOfTheService))
        .make_span_with(|request: &axum::extract::Request| {
            tracing::info_span!("http", method = %request.method(), path = request.uri().path())
        })
        .on_response(log::<axum::body::Body>);
    let app = Router::new()
        .route("/orders", get(async || "3 orders\n"))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(health.drain_layer())
        .merge(health.router())
        .layer(trace);

    let address = socket.local_addr()?;
    for path in ["orders", "broken", "health", "readyz"] {
        println!("http://{address}/{path}");
    }
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
