//! The loop that looks at open incidents.

use std::time::Duration;

use servicekit_health::{CheckResult, Heartbeat, MissedBeat, health_check};
use storage::Storage;
use tokio::time::Instant;

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(1);

/// A round may wait for a connection of the pool, so three are not enough to say that it hangs.
static LOOP: Heartbeat = Heartbeat::new(Duration::from_secs(15));

/// The loop runs. It is on the liveness probe because a restart is what mends a loop that hangs.
#[health_check(probe = "liveness")]
#[expect(clippy::unused_async, reason = "an async function is what is annotated")]
async fn escalation() -> Result<CheckResult, MissedBeat> {
    LOOP.check()
}

/// Runs until the process ends.
pub(crate) async fn run(storage: Storage) {
    let mut ticks = tokio::time::interval_at(Instant::now() + PERIOD, PERIOD);
    loop {
        // A database that fails is not a loop that hangs: it beats in any case.
        LOOP.beat();
        ticks.tick().await;
        match storage.open().await {
            Ok(open) => tracing::debug!(open, "open incidents"),
            Err(error) => tracing::debug!(%error, "cannot count the open incidents"),
        }
    }
}
