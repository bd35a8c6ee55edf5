//! The main job: annotate, merge, ask. Then open one of the printed addresses.
#![allow(clippy::print_stdout, reason = "the addresses are for a person at a terminal")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use servicekit_health::{self as health, CheckResult, health_check};
use servicekit_health_examples::listen;
use tokio::net::TcpStream;

/// Where this service keeps its files.
struct DataDir(PathBuf);

/// Files can be written where this service keeps them.
#[health_check(name = "data-dir", tags = "storage")]
async fn data_dir(dir: &DataDir) -> io::Result<CheckResult> {
    let probe = dir.0.join(format!("quickstart-{}", std::process::id()));
    tokio::fs::write(&probe, b"probe").await?;
    tokio::fs::remove_file(&probe).await?;
    Ok(CheckResult::healthy().with_detail("path", dir.0.display().to_string()))
}

/// The service answers on its own port.
#[health_check(probe = "liveness")]
async fn listener(address: &SocketAddr) -> io::Result<()> {
    TcpStream::connect(address).await.map(drop)
}

/// Session cache. Losing it slows us down but does not stop us.
#[health_check(name = "redis", on_error = "degraded", timeout = "300ms")]
async fn redis() -> Result<(), String> {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, 6379)).await;
    connected.map(drop).map_err(|error| format!("Redis unavailable: {error}"))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let socket = listen("127.0.0.1").await; // at port 8000, or at `PORT`
    let address = socket.local_addr()?;
    let dir = DataDir(std::env::temp_dir());
    let health = health::builder().provide(dir).provide(address).build()?;

    for path in ["health", "health?verbose", "health/redis", "health/$stream", "readyz", "livez"] {
        println!("http://{address}/{path}");
    }
    let app = Router::new().layer(health.drain_layer()).merge(health.router());
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
