//! How the storage is.

use std::error::Error;
use std::sync::atomic::Ordering;

use servicekit_health::checks::{self, PoolUse};
use servicekit_health::{CheckResult, health_check};

use crate::{GIVEN_BACK, MAX_CONNECTIONS, QUERIES, SCHEMA, Storage};

/// The database, as the requests find it; asked only while there are none. `shared`, because each
/// replica has the same one: a failure must not take all of them out at once.
#[health_check(shared, tags = "storage")]
async fn database(storage: &Storage) -> Result<CheckResult, Box<dyn Error + Send + Sync>> {
    let result = QUERIES.check_or_else(async || storage.ping().await).await?;
    Ok(result.with_detail("kind", storage.kind()))
}

/// The pool gets its connections back. A pool that is merely busy is healthy.
#[health_check(name = "database-pool", probe = "none", interval = "5s", tags = "storage")]
async fn database_pool(storage: &Storage) -> CheckResult {
    let pool = &storage.pool;
    let now = PoolUse {
        size: pool.size().into(),
        idle: pool.num_idle() as u64,
        max: MAX_CONNECTIONS.into(),
        waiting: 0,
    };
    checks::pool(now).given_back(GIVEN_BACK.load(Ordering::Relaxed)).await
}

/// The tables are there. Until then the replica gets no traffic.
#[health_check(probe = "startup", tags = "storage")]
#[expect(clippy::unused_async, reason = "an async function is what is annotated")]
async fn schema() -> CheckResult {
    SCHEMA.check()
}
