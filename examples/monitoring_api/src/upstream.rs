//! The service that is told of incidents.

use servicekit_health::{CheckResult, checks, health_check};

/// Where it is.
pub(crate) struct Upstream(String);

impl Upstream {
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        if !url.starts_with("http://") {
            return Err("invalid UPSTREAM_URL: expected e.g. http://pager:8000".to_owned());
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }
}

/// Its readiness, never its `/health`: that one asks what it depends on, and so on. Without it,
/// incidents are kept and told later.
#[health_check(on_error = "degraded", shared)]
async fn upstream(upstream: &Upstream) -> CheckResult {
    checks::http(format!("{}/readyz", upstream.0))
        .on_error(servicekit_health::HealthState::Degraded)
        .await
}
