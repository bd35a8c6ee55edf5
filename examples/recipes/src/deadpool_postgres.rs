//! PostgreSQL with deadpool-postgres: the server by a connection beside the pool, and the pool itself.
//!
//! ```no_run
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use deadpool_postgres::{Hook, Manager, Pool, tokio_postgres::NoTls};
//! use recipes::deadpool_postgres::{Postgres, pool_use};
//! use servicekit_health::{CheckResult, checks, health_check};
//!
//! static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);
//!
//! fn pool(config: deadpool_postgres::tokio_postgres::Config) -> Pool {
//!     let count = Hook::sync_fn(|_, _| {
//!         GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
//!         Ok(())
//!     });
//!     Pool::builder(Manager::new(config, NoTls)).pre_recycle(count).build().unwrap()
//! }
//!
//! /// Every replica has the same database, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn database(database: &Postgres) -> Result<CheckResult, String> {
//!     database.check().await
//! }
//!
//! /// Fully lent out is busy, and no reason to take this replica off the balancer.
//! #[health_check(name = "pool", probe = "none", interval = "5s")]
//! async fn database_pool(pool: &Pool) -> CheckResult {
//!     let given_back = GIVEN_BACK.load(Ordering::Relaxed);
//!     checks::pool(pool_use(pool)).given_back(given_back).await
//! }
//! ```
//!
//! * What the server is asked, and why, is in `postgres_status.rs`.
//! * Two checks, since a busy pool and a broken server are two causes: `pool.get()` in a check waits
//!   behind the requests, and one that fails says only that it waited.
//! * tokio-postgres works on a task of its own, which waits for the answer to each question that was
//!   sent, also where the client is gone. Here it ends with the client, and the connection with it.
//! * `query_typed` sends statement and question in one, so nothing stays prepared and PgBouncer in
//!   transaction mode works as it is.

use std::time::Duration;

use ::deadpool_postgres::Pool;
use ::deadpool_postgres::tokio_postgres::config::Host;
use ::deadpool_postgres::tokio_postgres::error::SqlState;
use ::deadpool_postgres::tokio_postgres::{Client, Config, Error, NoTls};
use servicekit_health::CheckResult;
use servicekit_health::checks::PoolUse;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};
use crate::postgres_status::{MaxLag, STATUS, Status, ends_connection, failed, verdict};

/// How the pool is used at the moment.
pub fn pool_use(pool: &Pool) -> PoolUse {
    let status = pool.status();
    PoolUse {
        size: status.size as u64,
        idle: status.available as u64,
        max: status.max_size as u64,
        waiting: status.waiting as u64,
    }
}

/// A database, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Postgres {
    config: Config,
    kept: Kept<Session>,
    max_lag: Option<MaxLag>,
}

/// A client, and the task that works for it.
#[derive(Debug)]
struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Postgres {
    /// A primary: one that accepts no writes is unhealthy. The configuration is the pool's.
    pub fn primary(mut config: Config) -> Self {
        config.application_name("health");
        Self { config, kept: Kept::new(), max_lag: None }
    }

    /// A standby that is read from: degraded above the first lag, unhealthy above the second.
    pub fn standby(config: Config, degraded: Duration, unhealthy: Duration) -> Self {
        Self { max_lag: Some((degraded, unhealthy)), ..Self::primary(config) }
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
            Ok(Ok(status)) => Ok(verdict(status, self.max_lag).await),
            Ok(Err(error)) => failed(error.code().map(SqlState::code), &text(&error)),
            Err(_) => Err(match (self.config.get_hosts(), self.config.get_ports()) {
                ([Host::Tcp(host)], []) => no_answer("PostgreSQL", host, 5432).await,
                ([Host::Tcp(host)], [port]) => no_answer("PostgreSQL", host, *port).await,
                // A socket of this machine, or several servers.
                _ => format!("PostgreSQL does not answer within {LIMIT:?}"),
            }),
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
        match self.connect().await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Session, Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        let connection = tokio::spawn(async move {
            // The client tells the same error.
            let _ = connection.await;
        });
        Ok(Session { client, connection })
    }

    async fn ask(&self, opened: Opened<Session>) -> Result<Status, Error> {
        let rows = opened.connection.client.query_typed(STATUS, &[]).await?;
        self.kept.put(opened);
        let row = rows.first().expect("a SELECT without FROM has one row");
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    }
}

fn ended(error: &Error) -> bool {
    error.code().is_none_or(|code| ends_connection(code.code()))
}

fn text(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    // Without the driver's own words before it.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
