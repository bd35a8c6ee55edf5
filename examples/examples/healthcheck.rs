//! A service that runs its own health check: its image needs no shell and no curl.
//!
//! ```sh
//! cargo run --example healthcheck &
//! cargo run --example healthcheck -- healthcheck --ready; echo $?
//! ```
//!
//! In the `Dockerfile` of a distroless image, or one from scratch (in the exec form, as there is no
//! shell):
//!
//! ```dockerfile
//! HEALTHCHECK --interval=10s --timeout=3s CMD ["/app", "healthcheck", "--ready"]
//! ```
//!
//! In Kubernetes, where the port cannot be reached from outside the pod:
//!
//! ```yaml
//! readinessProbe:
//!   exec: { command: ["/app", "healthcheck", "--ready"] }
//!   timeoutSeconds: 2
//! ```

use std::io;

use axum::Router;
use servicekit_health::{self as health, health_check};
use servicekit_health_examples::listen;

/// The working directory of this service exists.
#[health_check(name = "data-dir")]
async fn data_dir() -> io::Result<()> {
    tokio::fs::metadata(".").await.map(drop)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    // Runs the health check and ends the process if called as `app healthcheck`.
    health::healthcheck::answer(&format!("http://127.0.0.1:{port}"));

    let health = health::builder().build()?;
    let app: Router = Router::new().layer(health.drain_layer()).merge(health.router());
    let listener = listen("0.0.0.0").await;
    axum::serve(listener, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
