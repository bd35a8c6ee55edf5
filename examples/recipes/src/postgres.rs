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
//! * What is asked, and why, is in `postgres_status.rs`.
//! * A new connection now and then is what finds out that the server has none left.
//! * With PgBouncer in transaction mode this works as it is: the statement is not kept prepared.

use std::time::Duration;

use servicekit_health::CheckResult;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Error};
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};
use crate::postgres_status::{MaxLag, STATUS, Status, ends_connection, failed, verdict};

/// A database, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Postgres {
    options: PgConnectOptions,
    kept: Kept<PgConnection>,
    max_lag: Option<MaxLag>,
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
            Ok(Ok(status)) => Ok(verdict(status, self.max_lag).await),
            Ok(Err(error)) => failed(code(&error).as_deref(), &text(&error)),
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
}

fn code(error: &Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

fn ended(error: &Error) -> bool {
    matches!(error, Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed)
        || code(error).is_some_and(|code| ends_connection(&code))
}

fn text(error: &Error) -> String {
    match error {
        // Without sqlx's own words before it.
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
