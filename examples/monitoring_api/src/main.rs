//! A service as people build them, with its health endpoints: incidents kept in PostgreSQL or
//! SQLite, a cache in Redis, another service it depends on, an API that asks for a token.
//!
//! ```sh
//! cd examples/monitoring_api
//! API_TOKEN=swordfish cargo run
//! ```

mod api;
mod cache;
mod config;
mod escalation;
mod upstream;

use std::io;

use axum::Router;
use servicekit_health as health;
use storage::Storage;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::cache::Cache;
use crate::config::Config;
use crate::upstream::Upstream;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the addresses are for who starts it")]
async fn main() -> io::Result<()> {
    // `monitoring_api healthcheck --ready` asks the running service, and ends here.
    health::healthcheck::answer(&config::healthcheck_url());

    let config = Config::from_env().unwrap_or_else(|error| fail(&error));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    let Config { socket, health_address, storage, cache, upstream, token } = config;
    let health = build_health(&storage, cache.as_ref(), upstream)?;

    let listener = TcpListener::from_std(socket)?;
    println!("api http://{}", listener.local_addr()?);
    if let Some(address) = health_address {
        let listening = health.listen(address).unwrap_or_else(|error| {
            fail(&config::cannot_listen("HEALTH_PORT", address, &error));
        });
        println!("health http://{listening}");
    }
    tokio::spawn({
        let storage = storage.clone();
        async move { storage.create_schema().await }
    });
    tokio::spawn(escalation::run(storage.clone()));

    // Health stays outside of the token and of the drain layer: probes come without credentials, and
    // a stream ends by itself.
    let app: Router = api::router(storage, cache, &token)
        .layer(health.drain_layer())
        .merge(health.router())
        .route_service("/grpc.health.v1.Health/{method}", health.grpc());
    axum::serve(listener, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}

/// Ends the process with one line.
#[allow(clippy::print_stderr, reason = "whatever the log leaves out")]
fn fail(error: &str) -> ! {
    eprintln!("error: {error}");
    std::process::exit(2);
}

/// The endpoints. What is not configured is left out, so that it is not on them as healthy.
fn build_health(
    storage: &Storage,
    cache: Option<&Cache>,
    upstream: Option<Upstream>,
) -> Result<health::Health, health::BuildError> {
    let builder = health::builder()
        .service(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
        .require(["database", "escalation"])
        .metrics_path("/metrics")
        .grpc_service("monitoring.v1.Incidents", ["database", "schema"])
        .provide(storage.clone());
    let builder = match cache {
        Some(cache) => builder.provide(cache.clone()),
        None => builder.skip(["redis"]),
    };
    match upstream {
        Some(upstream) => builder.provide(upstream),
        None => builder.skip(["upstream"]),
    }
    .build()
}
