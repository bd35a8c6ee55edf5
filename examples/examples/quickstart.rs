//! The main job: annotate, merge, ask. `cargo run --example quickstart`, then open the address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use servicekit_health::{self as health, CheckResult, HealthState, health_check};
use tokio::net::{TcpListener, TcpStream};

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
async fn redis() -> Result<HealthState, String> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, 6379)).await {
        Ok(_) => Ok(HealthState::Healthy),
        Err(error) => Err(format!("Redis unavailable: {error}")),
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    let port = port
        .parse()
        .map_err(|_| io::Error::other("PORT is a number from 0 to 65535"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| {
            io::Error::other(format!(
                "cannot listen on port {port}: {error}; set PORT to another"
            ))
        })?;
    let address = listener.local_addr()?;
    let dir = DataDir(std::env::temp_dir());
    let health = health::builder().provide(dir).provide(address).build()?;

    for path in [
        "health",
        "health?verbose",
        "health/redis",
        "health/$stream",
        "readyz",
        "livez",
    ] {
        println!("http://{address}/{path}");
    }
    let app = Router::new().merge(health.router());
    axum::serve(listener, app)
        .with_graceful_shutdown(health.shutdown_signal())
        .await
}
