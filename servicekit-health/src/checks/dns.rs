//! Whether a name resolves.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::setting::{Running, TIMEOUT, failed, millis, timeout_and_on_error};
use super::thread;
use crate::model::{CheckResult, HealthState};

/// How many addresses are listed as details.
const LISTED: usize = 8;

/// Whether `host` resolves. See [`Dns`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "dns", probe = "none", interval = "30s")]
/// async fn resolver() -> CheckResult {
///     checks::dns("db.internal").await
/// }
/// ```
pub fn dns(host: impl Into<String>) -> Dns {
    Dns { host: host.into(), timeout: TIMEOUT, on_error: HealthState::Unhealthy }
}

/// Whether a name resolves: the lookup that the standard library does, hosts file and search
/// domains included.
///
/// It blocks, up to 10 s for each name server by default (`timeout:5` and `attempts:2`, see
/// resolv.conf(5)), and cannot be cancelled. It runs on a thread of its own, one at a time for a
/// host, so a resolver that hangs holds one thread. A name that does not exist and a resolver that
/// does not answer have different messages.
///
/// Details: `addresses`, sorted, at most 8; `address_count`; `lookup_ms`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Dns {
    host: String,
    timeout: Duration,
    on_error: HealthState,
}

impl Dns {
    timeout_and_on_error!("unhealthy");

    async fn check(self) -> CheckResult {
        let Self { host, timeout, on_error } = self;
        let literal = host.parse::<IpAddr>().is_ok();
        // Not repeated: a URL may hold a password.
        if !literal && (host.is_empty() || host.contains([':', '/', '@', '['])) {
            let message = "invalid host: expected a name without a port, such as `db.internal`";
            return failed(HealthState::Unhealthy, message);
        }
        let name = host.clone();
        match thread::run("dns", host.clone(), timeout, move || look_up(&name)).await {
            Ok(Ok((addresses, _))) if addresses.is_empty() => {
                failed(on_error, format!("`{host}` has no address"))
            }
            Ok(Ok((addresses, took))) => {
                let listed: Vec<_> = addresses.iter().take(LISTED).map(IpAddr::to_string).collect();
                CheckResult::healthy()
                    .with_detail("addresses", listed)
                    .with_detail("address_count", addresses.len())
                    .with_detail("lookup_ms", millis(took))
            }
            Ok(Err(error)) => failed(on_error, format!("cannot resolve `{host}`: {error}")),
            Err(none) => {
                failed(on_error, none.message(&format!("no address of `{host}`"), timeout))
            }
        }
    }
}

impl IntoFuture for Dns {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

fn look_up(host: &str) -> Result<(Vec<IpAddr>, Duration), String> {
    let started = Instant::now();
    let found = (host, 0).to_socket_addrs().map_err(|error| {
        // The standard library's text begins with words that the message has already.
        let text = error.to_string();
        let cause = text.strip_prefix("failed to lookup address information: ").map(str::to_owned);
        cause.unwrap_or(text)
    })?;
    let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok((addresses, started.elapsed()))
}
