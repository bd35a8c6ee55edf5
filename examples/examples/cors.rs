//! A page of another origin reads the stream and the history; the probes stay as they are.
//!
//! Not through a `CorsLayer`: that answers every `OPTIONS` by itself, with 200, so a balancer that
//! checks by `OPTIONS`, as `HAProxy` does, would see green on a dead service.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::env;
use std::io;

use axum::Router;
use servicekit_health::{self as health, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;

/// Where the database listens.
struct Database(String);

#[health_check]
async fn database(database: &Database) -> io::Result<()> {
    TcpStream::connect(&database.0).await.map(drop)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let socket = listen("127.0.0.1").await;
    let dashboard = or("DASHBOARD", "http://localhost:3000");
    let database = Database(or("DATABASE", "127.0.0.1:5432"));

    let health = health::builder().provide(database).allow_origin(&dashboard).build()?;
    println!("http://{}/health/$stream", socket.local_addr()?);
    println!("can be read by pages of {dashboard}");
    let app = Router::new().layer(health.drain_layer()).merge(health.router());
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
