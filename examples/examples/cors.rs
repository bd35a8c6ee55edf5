//! A dashboard of another origin reads the stream.
//!
//! The layer is around the stream alone, since it answers every `OPTIONS` by itself, with 200. A
//! balancer that checks by `OPTIONS`, as `HAProxy` does, would see green on a dead service.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::convert::Infallible;
use std::env;
use std::io;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use servicekit_health::{self as health, health_check};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt};
use tower_http::cors::CorsLayer;

/// Where the database listens.
struct Database(String);

#[health_check]
async fn database(database: &Database) -> io::Result<()> {
    TcpStream::connect(&database.0).await.map(drop)
}

/// A path is matched as it was sent, and many clients send the `$` encoded.
async fn on_the_stream(
    State(cors): State<CorsLayer>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let path = request.uri().path();
    if path.ends_with("/health/$stream") || path.ends_with("/health/%24stream") {
        cors.layer(next).oneshot(request).await
    } else {
        Ok(next.run(request).await)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let socket = TcpListener::bind(format!("127.0.0.1:{}", or("PORT", "8000"))).await?;
    let dashboard = or("DASHBOARD", "http://localhost:3000");
    let database = Database(or("DATABASE", "127.0.0.1:5432"));

    let health = health::builder().provide(database).build()?;
    let origin: HeaderValue = dashboard.parse().map_err(io::Error::other)?;
    let cors = CorsLayer::new().allow_origin(origin).allow_methods([Method::GET]);
    let shared = health.router().layer(from_fn_with_state(cors, on_the_stream));

    println!("http://{}/health/$stream", socket.local_addr()?);
    println!("can be read by pages of {dashboard}");
    let app = Router::new().merge(shared);
    axum::serve(socket, app).with_graceful_shutdown(health.shutdown_signal()).await
}
