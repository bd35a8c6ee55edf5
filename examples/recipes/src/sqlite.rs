//! SQLite with sqlx: the file is there, can be written and is not locked.
//!
//! ```no_run
//! use recipes::sqlite::Sqlite;
//! use servicekit_health::{CheckResult, health_check};
//!
//! #[health_check]
//! async fn database(database: &Sqlite) -> Result<CheckResult, String> {
//!     database.check().await
//! }
//! ```
//!
//! * `SELECT 1` never opens the file, and an open connection goes on with a file that was removed or
//!   replaced: the file is opened anew each time, which takes well under a millisecond, and is never
//!   created.
//! * `BEGIN IMMEDIATE` takes the lock of a writer. A lock held by somebody else for the whole wait is
//!   degraded: a long transaction or a forgotten one.
//! * On a read-only file it only reads, without an error, so a table is created and rolled back.
//! * A full disk shows when something is written: `checks::disk` is for that.

use std::time::Duration;

use servicekit_health::CheckResult;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Error, Executor};

/// How long the lock of another writer is waited for: longer than a transaction of a request.
const LOCK: Duration = Duration::from_millis(400);

/// A database file.
#[derive(Debug)]
pub struct Sqlite(SqliteConnectOptions);

impl Sqlite {
    /// The file of these options.
    pub fn new(options: SqliteConnectOptions) -> Self {
        Self(options.create_if_missing(false).busy_timeout(LOCK))
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the file cannot be opened or written.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match self.lock().await {
            Ok(()) => Ok(CheckResult::healthy()),
            Err(error) if is(&error, BUSY) => Ok(CheckResult::degraded(format!(
                "SQLite is locked by another writer for longer than {LOCK:?}"
            ))),
            Err(error) if is(&error, READ_ONLY) => Err("SQLite file is read-only".to_owned()),
            Err(error) => Err(match error.as_database_error() {
                Some(error) => format!("SQLite: {}", error.message()),
                None => format!("SQLite: {error}"),
            }),
        }
    }

    async fn lock(&self) -> Result<(), Error> {
        let mut connection = SqliteConnection::connect_with(&self.0).await?;
        connection.execute("BEGIN IMMEDIATE").await?;
        connection.execute("CREATE TABLE servicekit_health_check (a)").await?;
        connection.execute("ROLLBACK").await?;
        connection.close().await
    }
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
const BUSY: i64 = 5;
const READ_ONLY: i64 = 8;

/// Whether the error has this code in its lowest byte; the others refine it.
fn is(error: &Error, primary: i64) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i64>().ok()).is_some_and(|code| code & 0xff == primary)
}
