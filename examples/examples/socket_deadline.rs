//! A client that asks and never reads would hold up the end of the program for ever.
//!
//! `cargo run --example socket_deadline`, then `curl` it, and end it with Ctrl-C.
//!
//! A graceful shutdown waits for every response that has begun. Health's own streams end themselves
//! when the program drains, but the last bytes to a client that does not read stay in the socket's
//! buffers, and there they wait. No router can see that: it is bounded at the socket. On Linux,
//! `TCP_USER_TIMEOUT` is how long sent bytes may stay unacknowledged, or unsent to a closed
//! window, before the kernel drops the connection. It touches nobody who reads, however slowly, and
//! it is silent while nothing is to be sent.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "for a person at a terminal")]

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use servicekit_health::{self as health, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;

/// Shorter than Kubernetes' 30 s from SIGTERM to SIGKILL, longer than any pause of a good network.
const PATIENCE: Duration = Duration::from_secs(10);

#[health_check(blocking)]
fn disk() -> io::Result<()> {
    std::fs::metadata(".").map(drop)
}

/// Other systems keep their defaults, which are minutes.
fn bound(stream: &mut TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&*stream).set_tcp_user_timeout(Some(PATIENCE)) {
        eprintln!("TCP_USER_TIMEOUT is not set: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, PATIENCE);
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let socket = listen("127.0.0.1").await;
    println!("http://{}/health", socket.local_addr()?);

    let health = health::builder().build()?;
    let app = Router::new().layer(health.drain_layer()).merge(health.router());
    axum::serve(socket.tap_io(bound), app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
