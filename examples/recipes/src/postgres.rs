//! PostgreSQL with sqlx: reachable, writable, and how far a replica is behind.
//!
//! ```no_run
//! use recipes::postgres::Postgres;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Every replica has the same database, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn database(database: &Postgres) -> Result<CheckResult, String> {
//!     database.check().await
//! }
//! ```
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
//! * With PgBouncer in transaction mode this works as it is: the statement is not kept prepared.

use std::time::Duration;

use servicekit_health::{CheckResult, checks};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Error};
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// In recovery; read-only; seconds behind; connected to its primary.
type Status = (bool, bool, f64, bool);

const STATUS: &str = "\
    SELECT pg_is_in_recovery(), \
        current_setting('transaction_read_only') = 'on', \
        CASE WHEN NOT pg_is_in_recovery() \
                OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0::float8 \
            ELSE extract(epoch FROM clock_timestamp() - coalesce( \
                pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8 END, \
        EXISTS (SELECT FROM pg_stat_wal_receiver)";

/// A database, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Postgres {
    options: PgConnectOptions,
    kept: Kept<PgConnection>,
    max_lag: Option<(Duration, Duration)>,
}

impl Postgres {
    /// A primary: one that accepts no writes is unhealthy.
    pub fn primary(options: PgConnectOptions) -> Self {
        let options = options.application_name("health");
        Self { options, kept: Kept::new(), max_lag: None }
    }

    /// A standby that is read from: degraded above the first lag, unhealthy above the second.
    pub fn standby(options: PgConnectOptions, degraded: Duration, unhealthy: Duration) -> Self {
        Self { max_lag: Some((degraded, unhealthy)), ..Self::primary(options) }
    }

    /// How long a connection is used; 30 s unless set.
    #[must_use]
    pub fn reconnect_every(mut self, age: Duration) -> Self {
        self.kept = self.kept.reconnect_every(age);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the server cannot be asked.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.status()).await {
            Ok(Ok(status)) => Ok(self.verdict(status).await),
            Ok(Err(error)) => failed(&error),
            Err(_) => {
                let (host, port) = (self.options.get_host(), self.options.get_port());
                Err(no_answer("PostgreSQL", host, port).await)
            }
        }
    }

    async fn status(&self) -> Result<Status, Error> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The server has ended this connection; a new one tells how it is now.
                Err(error) if ended(&error) => {}
                result => return result,
            },
            None => {}
        }
        match PgConnection::connect_with(&self.options).await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    async fn ask(&self, mut opened: Opened<PgConnection>) -> Result<Status, Error> {
        let query = sqlx::query_as(STATUS).persistent(false);
        let status = query.fetch_one(&mut opened.connection).await?;
        self.kept.put(opened);
        Ok(status)
    }

    async fn verdict(&self, (recovering, read_only, lag, streaming): Status) -> CheckResult {
        match self.max_lag {
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
}

/// SQLSTATE classes and codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn code(error: &Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

fn ended(error: &Error) -> bool {
    // 57P01 to 57P03: ended by an administrator, after a crash, or not yet started.
    matches!(error, Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed)
        || code(error).is_some_and(|code| code.starts_with("57P"))
}

fn failed(error: &Error) -> Result<CheckResult, String> {
    let text = match error {
        // Without sqlx's own words before it.
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    match code(error).as_deref() {
        Some("53300") => {
            Ok(CheckResult::degraded(format!("PostgreSQL has no connection left: {text}")))
        }
        Some("28P01" | "28000") => Err(format!("PostgreSQL refuses the credentials: {text}")),
        Some(_) => Err(format!("PostgreSQL: {text}")),
        None => Err(format!("PostgreSQL cannot be reached: {text}")),
    }
}
