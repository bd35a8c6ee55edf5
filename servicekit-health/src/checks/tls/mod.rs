//! When certificates expire.

mod certificate;
mod served;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;

use self::certificate::{Certificate, DAY};
use super::setting::{Running, TIMEOUT, failed, timeout_and_on_error};
use super::tcp;
use super::thread::{self, Failure};
use crate::model::{CheckResult, HealthState};

/// How many names are listed as details.
const LISTED: usize = 16;

/// When the certificates expire that a server presents at `addr`, a `host:port`. See [`Tls`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "certificate", probe = "none", interval = "1h")]
/// async fn certificate() -> CheckResult {
///     checks::tls("shop.example:443").await
/// }
/// ```
pub fn tls(addr: impl fmt::Display) -> Tls {
    Tls::new(Source::Served { addr: addr.to_string(), name: None })
}

/// When the certificates expire that a file holds, in PEM or DER. See [`Tls`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "certificate-file", probe = "none", interval = "1h")]
/// async fn certificate_file() -> CheckResult {
///     checks::tls_file("/etc/shop/tls.crt").await
/// }
/// ```
pub fn tls_file(path: impl Into<PathBuf>) -> Tls {
    Tls::new(Source::File(path.into()))
}

/// When certificates expire, the earliest of a chain counting.
///
/// Unhealthy only once one has expired, or is not valid yet: until then everything works. Degraded
/// when less is left than a third of its lifetime, or than 21 days where that is less. A third is
/// when Let's Encrypt has certificates renewed (*Integration Guide*), so a renewal has failed by
/// then; 21 days leave three weeks for certificates of a year. The share keeps its sense as
/// lifetimes shrink, by the CA/Browser Forum's ballot SC-081v3 to 47 days from March 2029.
///
/// Roots are left out, that is certificates behind the first that are their own issuer: clients use
/// their own copy. Trust and revocation are not checked, so private authorities work as well.
///
/// * Served: a TLS handshake (1.2 or 1.3) with the host as the server's name. A renewed file that the
///   server has not loaded shows here only. Protocols that begin without TLS (STARTTLS,
///   `PostgreSQL`) cannot be asked.
/// * A file: certificates in PEM, among keys and other blocks, or one in DER.
///
/// Details: `days_left`, whole days, negative after the end; `not_after`; `expires_first`, whose that
/// is; `names` of the first certificate, at most 16; `certificates`, how many were looked at. What
/// cannot be read or reached is degraded: it says nothing of a certificate.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Tls {
    source: Source,
    degraded_below: Option<Duration>,
    timeout: Duration,
    on_error: HealthState,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Served { addr: String, name: Option<String> },
}

impl Tls {
    timeout_and_on_error!("degraded");

    fn new(source: Source) -> Self {
        let on_error = HealthState::Degraded;
        Self { source, degraded_below: None, timeout: TIMEOUT, on_error }
    }

    /// The time left below which the check is degraded, in place of a third of the lifetime or 21
    /// days.
    pub const fn degraded_below(mut self, left: Duration) -> Self {
        self.degraded_below = Some(left);
        self
    }

    /// The name to ask the server for (SNI), where it is not the host of the address. Without effect
    /// on a file.
    pub fn server_name(mut self, wanted: impl Into<String>) -> Self {
        if let Source::Served { name, .. } = &mut self.source {
            *name = Some(wanted.into());
        }
        self
    }

    async fn check(self) -> CheckResult {
        let Self { source, degraded_below, timeout, on_error } = self;
        let (kind, shown, late, target) = match &source {
            Source::File(path) => {
                let target = path.clone().into_os_string();
                let path = path.display().to_string();
                let late = format!("`{path}` could not be read");
                ("tls-file", path, late, target)
            }
            Source::Served { addr, .. } => {
                if let Err(why) = tcp::validate(addr) {
                    return failed(HealthState::Unhealthy, why);
                }
                // An attempt with less time is not the one of a check with more.
                let target = format!("{source:?} {timeout:?}").into();
                ("tls", addr.clone(), format!("no TLS handshake with `{addr}`"), target)
            }
        };
        match thread::run_limited(kind, target, timeout, move || source.chain(timeout)).await {
            Ok(Ok(chain)) => verdict(&chain, SystemTime::now(), degraded_below),
            Ok(Err(error)) => failed(on_error, format!("no certificate from `{shown}`: {error}")),
            Err(none) => failed(on_error, none.message(&late, timeout)),
        }
    }
}

impl IntoFuture for Tls {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

impl Source {
    /// The certificates, the server's own first; at least one.
    fn chain(&self, limit: Duration) -> Result<Vec<Certificate>, Failure> {
        let chain = match self {
            Self::File(path) => certificate::file(path).map_err(Failure::Cause)?,
            Self::Served { addr, name } => served::chain(addr, name.as_deref(), limit)?,
        };
        chain.iter().map(|der| Certificate::parse(der).map_err(Failure::Cause)).collect()
    }
}

/// What is to be said of one certificate.
fn judge(
    certificate: &Certificate,
    now: SystemTime,
    below: Option<Duration>,
) -> Option<CheckResult> {
    let Certificate { not_before, not_after, name, .. } = certificate;
    let left = not_after.duration_since(now).unwrap_or_default();
    let lifetime = not_after.duration_since(*not_before).unwrap_or_default();
    let limit = below.unwrap_or_else(|| (lifetime / 3).min(21 * DAY));
    let (begin, end) = (format_rfc3339_seconds(*not_before), format_rfc3339_seconds(*not_after));
    if now > *not_after {
        Some(CheckResult::unhealthy(format!("the certificate of {name} expired at {end}")))
    } else if now < *not_before {
        Some(CheckResult::unhealthy(format!(
            "the certificate of {name} is not valid before {begin}"
        )))
    } else if left < limit {
        Some(CheckResult::degraded(format!("the certificate of {name} expires at {end}")))
    } else {
        None
    }
}

fn verdict(chain: &[Certificate], now: SystemTime, below: Option<Duration>) -> CheckResult {
    let mut counted: Vec<_> = chain
        .iter()
        .enumerate()
        .filter(|(at, certificate)| *at == 0 || !certificate.is_root)
        .map(|(_, certificate)| certificate)
        .collect();
    counted.sort_by_key(|certificate| certificate.not_after);
    let findings = counted.iter().filter_map(|certificate| judge(certificate, now, below));
    // The worst, and of several such the one that expires first.
    let worst = findings.reduce(|first, next| if next.state > first.state { next } else { first });
    let mut result = worst.unwrap_or_else(CheckResult::healthy);
    if let (Some(own), Some(first)) = (chain.first(), counted.first()) {
        let names: Vec<_> = own.names.iter().take(LISTED).cloned().collect();
        result = result
            .with_detail("days_left", first.days_left(now))
            .with_detail("not_after", format_rfc3339_seconds(first.not_after).to_string())
            .with_detail("expires_first", first.name.as_str())
            .with_detail("names", names);
    }
    result.with_detail("certificates", counted.len())
}
