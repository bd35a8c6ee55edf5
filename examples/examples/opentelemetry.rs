//! Each run of a check as a span of OpenTelemetry, with what the check does inside it.
//!
//! The exporter here prints; a service has one for OTLP in its place. Spans of runs are at DEBUG, so
//! the filter has to let them through.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::env;
use std::io;

use axum::Router;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_stdout::SpanExporter;
use servicekit_health::{self as health, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;
use tracing::{Instrument, Level};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where the database listens.
struct Database(String);

#[health_check]
async fn database(database: &Database) -> io::Result<()> {
    // A span of its own, a child of the run's.
    let connect = tracing::info_span!("connect", address = database.0);
    TcpStream::connect(&database.0).instrument(connect).await.map(drop)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(SpanExporter::default()).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    let filter =
        Targets::new().with_default(Level::INFO).with_target("servicekit_health", Level::DEBUG);
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry()
        .with(spans.with_filter(filter))
        .with(log.with_filter(Targets::new().with_default(Level::INFO)))
        .init();

    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let socket = listen("127.0.0.1").await;
    let database = Database(or("DATABASE", "127.0.0.1:5432"));

    let health = health::builder().provide(database).build()?;
    println!("http://{}/health", socket.local_addr()?);
    let app = Router::new().layer(health.drain_layer()).merge(health.router());
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await?;
    provider.shutdown().map_err(io::Error::other)
}
