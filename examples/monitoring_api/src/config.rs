//! The environment, read once and checked at the start: each mistake is one line that says what to
//! write.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};

use storage::Storage;

use crate::cache::Cache;
use crate::upstream::Upstream;

/// The port of the API, where `PORT` does not say another.
const PORT: &str = "8000";

/// What the service is started with.
pub(crate) struct Config {
    pub(crate) socket: TcpListener,
    pub(crate) health_address: Option<SocketAddr>,
    pub(crate) storage: Storage,
    pub(crate) cache: Option<Cache>,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) token: String,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, String> {
        let token = get("API_TOKEN").ok_or(
            "API_TOKEN is not set: choose a secret, e.g. `API_TOKEN=$(openssl rand -hex 16) cargo run`",
        )?;
        let url = get("DATABASE_URL");
        // Nothing to install: a file in the working directory.
        let url = url.as_deref().unwrap_or("sqlite:monitoring_api.db?mode=rwc");
        let storage =
            Storage::new(url).map_err(|error| format!("invalid DATABASE_URL: {error}"))?;
        let cache = get("REDIS_URL").map(|url| Cache::new(&url)).transpose()?;
        let upstream = get("UPSTREAM_URL").map(|url| Upstream::new(&url)).transpose()?;
        let host = get("HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = get("PORT").unwrap_or_else(|| PORT.to_owned());
        let address = socket_address("PORT", &host, &port)?;
        let health_port = get("HEALTH_PORT");
        let health_address =
            health_port.map(|port| socket_address("HEALTH_PORT", &host, &port)).transpose()?;
        let socket = TcpListener::bind(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let socket = socket.map_err(|error| cannot_listen("PORT", address, &error))?;
        Ok(Self { socket, health_address, storage, cache, upstream, token })
    }
}

/// Where a second process of this program finds the first.
pub(crate) fn healthcheck_url() -> String {
    let port = get("HEALTH_PORT").or_else(|| get("PORT"));
    format!("http://127.0.0.1:{}", port.as_deref().unwrap_or(PORT))
}

pub(crate) fn cannot_listen(name: &str, address: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {address}: {error}; choose another port with {name}=8002")
}

/// A variable that is set and not empty: compose files set empty ones.
fn get(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn socket_address(name: &str, host: &str, port: &str) -> Result<SocketAddr, String> {
    let port: u16 = port.parse().map_err(|_| {
        format!("invalid {name} `{port}`: expected a number from 0 (any free port) to 65535")
    })?;
    let host = host.parse().map_err(|_| {
        format!("invalid HOST `{host}`: expected an IP address such as 127.0.0.1 or 0.0.0.0")
    })?;
    Ok(SocketAddr::new(host, port))
}
