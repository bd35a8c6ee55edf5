//! Whether something accepts connections.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::setting::{Running, TIMEOUT, failed, millis, timeout_and_on_error};
use super::thread::{self, Failure};
use crate::model::{CheckResult, HealthState};

/// Whether `addr`, a `host:port`, accepts a TCP connection. See [`Tcp`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "smtp")]
/// async fn smtp() -> CheckResult {
///     checks::tcp("mail.internal:25").await
/// }
/// ```
pub fn tcp(addr: impl fmt::Display) -> Tcp {
    Tcp { addr: addr.to_string(), timeout: TIMEOUT, on_error: HealthState::Unhealthy }
}

/// Whether something accepts connections: resolves the host, connects, and closes.
///
/// An accepted connection says that a kernel has room in a listener's backlog, not that a program
/// answers: a process that is frozen still accepts. Where the dependency has a request that costs
/// little, a check that sends it says more.
///
/// The addresses of a host are tried in order, each for its part of the time left. Details:
/// `address`, the one that answered, and `connect_ms`, the resolution included.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Tcp {
    addr: String,
    timeout: Duration,
    on_error: HealthState,
}

impl Tcp {
    timeout_and_on_error!("unhealthy");

    async fn check(self) -> CheckResult {
        let Self { addr, timeout, on_error } = self;
        if let Err(why) = validate(&addr) {
            return failed(HealthState::Unhealthy, why);
        }
        let target = addr.clone();
        // An attempt with less time is not the one of a check with more.
        let attempt = format!("{addr} {timeout:?}");
        let outcome = thread::run_limited("tcp", attempt, timeout, move || {
            connect(&target, timeout).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => Failure::Late,
                _ => Failure::Cause(error.to_string()),
            })
        });
        match outcome.await {
            Ok(Ok((address, took))) => CheckResult::healthy()
                .with_detail("address", address.to_string())
                .with_detail("connect_ms", millis(took)),
            Ok(Err(error)) => failed(on_error, format!("cannot connect to `{addr}`: {error}")),
            Err(none) => {
                failed(on_error, none.message(&format!("no connection to `{addr}`"), timeout))
            }
        }
    }
}

impl IntoFuture for Tcp {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

/// What is no `host:port` is not repeated: a URL may hold a password.
pub(super) fn validate(addr: &str) -> Result<(), String> {
    let url = addr.contains("://") || addr.contains(['@', '/', '?']);
    let port = addr.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    match port {
        Some((host, Ok(1..))) if !url && !host.is_empty() => Ok(()),
        _ => Err("invalid address: expected `host:port`, such as `db.internal:5432`".to_owned()),
    }
}

/// Connects to the first address that accepts, within `limit` in all; `TimedOut` where that is over.
pub(super) fn open(addr: &str, limit: Duration) -> io::Result<TcpStream> {
    let started = Instant::now();
    let addresses: Vec<_> = addr.to_socket_addrs()?.collect();
    let mut newest = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let left = limit.saturating_sub(started.elapsed());
        let parts = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        // Zero is an error to the system call.
        let part = (left / parts).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, part) {
            Ok(stream) => return Ok(stream),
            Err(error) => newest = error,
        }
    }
    Err(newest)
}

fn connect(addr: &str, limit: Duration) -> io::Result<(SocketAddr, Duration)> {
    let started = Instant::now();
    let address = open(addr, limit)?.peer_addr()?;
    Ok((address, started.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in ["db:5432", "10.0.0.1:80", "[::1]:80", "db.internal.:65535"] {
            assert_eq!(validate(good), Ok(()), "{good}");
        }
        for bad in ["", "db", "db:", ":80", "db:0", "db:65536", "db:http", "http://db:80"] {
            assert!(validate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_invalid_address_is_not_repeated() {
        let why = validate("postgres://app:hunter2@db:5432/app").unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
        assert!(validate("app:hunter2@db:5432").is_err());
    }
}
