//! What PostgreSQL is asked and what its answers mean, whatever the driver.
//!
//! * `SELECT 1` also works on a standby. After a failover a connection may be to the old primary,
//!   where each write fails: `transaction_read_only` tells, and also a server that its provider has
//!   set read-only because its disk is full.
//! * `now() - pg_last_xact_replay_timestamp()` grows while nobody writes. The lag is 0 as long as all
//!   that was received is replayed; a standby that has lost its primary has no row in
//!   `pg_stat_wal_receiver`, and says so.
//!   The first write after a quiet hour may show that hour for an instant: `failure_threshold = 2`.
//! * A server out of connections refuses new ones and serves the old ones: the pool still works, so
//!   that is degraded. A new connection is what finds it out.

use std::time::Duration;

use servicekit_health::{CheckResult, checks};

/// In recovery; read-only; seconds behind; connected to its primary.
pub(crate) type Status = (bool, bool, f64, bool);

/// The lags above which a standby is degraded and unhealthy.
pub(crate) type MaxLag = (Duration, Duration);

pub(crate) const STATUS: &str = "\
    SELECT pg_is_in_recovery(), \
        current_setting('transaction_read_only') = 'on', \
        CASE WHEN NOT pg_is_in_recovery() \
                OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0::float8 \
            ELSE extract(epoch FROM clock_timestamp() - coalesce( \
                pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8 END, \
        EXISTS (SELECT FROM pg_stat_wal_receiver)";

/// Without a lag, of a server that is to be a primary.
pub(crate) async fn verdict(status: Status, max_lag: Option<MaxLag>) -> CheckResult {
    let (recovering, read_only, lag, streaming) = status;
    match max_lag {
        None if recovering => {
            CheckResult::unhealthy("PostgreSQL accepts no writes: this server is a standby")
        }
        None if read_only => CheckResult::unhealthy(
            "PostgreSQL accepts no writes: default_transaction_read_only is on",
        ),
        None => CheckResult::healthy(),
        Some(_) if recovering && !streaming => {
            CheckResult::degraded("PostgreSQL standby receives nothing from its primary")
        }
        Some((degraded, unhealthy)) => {
            let lag = Duration::try_from_secs_f64(lag).unwrap_or_default();
            checks::at_most(lag, degraded, unhealthy).unit("behind the primary").await
        }
    }
}

/// 57P01 to 57P03: ended by an administrator, after a crash, or not yet started. SQLSTATE classes and
/// codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(crate) fn ends_connection(code: &str) -> bool {
    code.starts_with("57P")
}

/// An error by its SQLSTATE, where the server has sent one.
pub(crate) fn failed(code: Option<&str>, text: &str) -> Result<CheckResult, String> {
    match code {
        Some("53300") => {
            Ok(CheckResult::degraded(format!("PostgreSQL has no connection left: {text}")))
        }
        Some("28P01" | "28000") => Err(format!("PostgreSQL refuses the credentials: {text}")),
        Some(_) => Err(format!("PostgreSQL: {text}")),
        None => Err(format!("PostgreSQL cannot be reached: {text}")),
    }
}
