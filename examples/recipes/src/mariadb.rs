//! `MariaDB` with sqlx: reachable, writable, and with a connection left.
//!
//! ```no_run
//! use recipes::mariadb::Mariadb;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Every replica has the same database, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn database(database: &Mariadb) -> Result<CheckResult, String> {
//!     database.check().await
//! }
//! ```
//!
//! * `SELECT 1` also works where each write fails: after a failover the old primary is `read_only`.
//!   Users with the privilege `READ ONLY ADMIN` still write there, so ask as the application's user
//!   and grant it nothing of that kind.
//! * Out of connections has three numbers: the server's limit (1040), the limit of all users (1203)
//!   and that of this user (1226). Old connections work on, so that is degraded; a new connection is
//!   what finds it out.
//! * The statement is sent as text. A prepared one counts against `max_prepared_stmt_count`, which the
//!   application may have used up.
//! * A run that ends in the middle of a handshake is an error of this host to the server, which blocks
//!   a host after 100 of them without a success between (`max_connect_errors`, 1129). During a freeze
//!   the kernel keeps no more than `back_log` connections, 80 by default; a server with more than 250
//!   `max_connections` wants `skip_name_resolve`, which it should have anyway.
//! * A Galera node outside the primary component refuses the statement itself (1047) and says so.
//! * A disk that is full blocks writes without an error and without `read_only`: `checks::disk` on the
//!   server's host sees it.

use std::time::Duration;

use servicekit_health::CheckResult;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{Connection, Error, Row};
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// A number where it is a switch and a word where it has more than two values, as in newer releases.
const READ_ONLY: &str = "SELECT CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF')";

/// A database, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Mariadb {
    options: MySqlConnectOptions,
    kept: Kept<MySqlConnection>,
    read_only_allowed: bool,
}

impl Mariadb {
    /// A primary: one that accepts no writes is unhealthy.
    pub const fn new(options: MySqlConnectOptions) -> Self {
        Self { options, kept: Kept::new(), read_only_allowed: false }
    }

    /// A replica is healthy too: this service only reads.
    #[must_use]
    pub const fn allow_read_only(mut self) -> Self {
        self.read_only_allowed = true;
        self
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
        match timeout(LIMIT, self.is_read_only()).await {
            Ok(Ok(true)) if !self.read_only_allowed => {
                Ok(CheckResult::unhealthy("MariaDB accepts no writes: read_only is on"))
            }
            Ok(Ok(read_only)) => Ok(CheckResult::healthy().with_detail("read_only", read_only)),
            Ok(Err(error)) => failed(&error),
            Err(_) => {
                let (host, port) = (self.options.get_host(), self.options.get_port());
                Err(no_answer("MariaDB", host, port).await)
            }
        }
    }

    async fn is_read_only(&self) -> Result<bool, Error> {
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
        match MySqlConnection::connect_with(&self.options).await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    async fn ask(&self, mut opened: Opened<MySqlConnection>) -> Result<bool, Error> {
        let row = sqlx::raw_sql(READ_ONLY).fetch_one(&mut opened.connection).await?;
        self.kept.put(opened);
        row.try_get(0)
    }
}

/// Error numbers: <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn number(error: &Error) -> Option<u16> {
    Some(error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?.number())
}

fn ended(error: &Error) -> bool {
    // Shutting down; ended by an administrator.
    matches!(error, Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed)
        || matches!(number(error), Some(1053 | 1927))
}

fn failed(error: &Error) -> Result<CheckResult, String> {
    let text = match error {
        // Without sqlx's own words before it.
        Error::Database(error) => error.message().to_owned(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    match number(error) {
        Some(1040 | 1203 | 1226) => {
            Ok(CheckResult::degraded(format!("MariaDB has no connection left: {text}")))
        }
        Some(1044 | 1045 | 1698) => Err(format!("MariaDB refuses the credentials: {text}")),
        Some(_) => Err(format!("MariaDB: {text}")),
        None => Err(format!("MariaDB cannot be reached: {text}")),
    }
}
