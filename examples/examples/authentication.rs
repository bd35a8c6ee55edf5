//! The application asks who is there; health, the stream and the probes answer everybody, but
//! tell details only to who may know them.
//!
//! A kubelet, a balancer and `docker` come without credentials, so a layer that refuses must not be
//! around health. One that only recognizes may.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::env;
use std::io;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use servicekit_health::{self as health, Details, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;

/// Where the database listens.
struct Database(String);

#[health_check]
async fn database(database: &Database) -> io::Result<()> {
    TcpStream::connect(&database.0).await.map(drop)
}

/// Who sends this token. A real application asks its identity provider.
#[derive(Clone)]
struct Token(String);

/// In the extensions of a request that comes with the token.
#[derive(Clone)]
struct Operator;

async fn recognize(State(token): State<Token>, mut request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    if sent.is_some_and(|sent| *sent == format!("Bearer {}", token.0)) {
        request.extensions_mut().insert(Operator);
    }
    next.run(request).await
}

async fn operators_only(request: Request, next: Next) -> Response {
    match request.extensions().get::<Operator>() {
        Some(Operator) => next.run(request).await,
        None => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let or = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let socket = listen("127.0.0.1").await;
    let token = Token(or("TOKEN", "swordfish"));
    let database = Database(or("DATABASE", "127.0.0.1:5432"));

    let details = |request: &Parts| match request.extensions.get() {
        Some(Operator) => Details::Full,
        None => Details::Status,
    };
    let health = health::builder().provide(database).details_for(details).build()?;
    let orders = Router::new()
        .route("/orders", get(|| async { "3 orders\n" }))
        .route_layer(from_fn(operators_only))
        .layer(health.drain_layer());
    let app = orders.merge(health.router()).layer(from_fn_with_state(token.clone(), recognize));

    let address = socket.local_addr()?;
    for path in ["health", "health/$stream", "readyz", "orders"] {
        println!("http://{address}/{path}");
    }
    println!("details and orders with -H 'authorization: Bearer {}'", token.0);
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
