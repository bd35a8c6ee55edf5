//! Where incidents are kept: PostgreSQL, or SQLite in a file where no server is at hand.
//!
//! The checks of this crate are beside the code they guard, in `checks.rs`; a program that links the
//! crate and provides a [`Storage`] has them on its endpoints.

mod checks;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recipes::postgres::Postgres;
use recipes::sqlite::Sqlite;
use serde::Serialize;
use servicekit_health::{CheckResult, Observed, Reported};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyPool, Error};

/// The connections that requests share.
const MAX_CONNECTIONS: u32 = 10;

/// How the requests' own queries do; the check asks by itself only while none succeeds. Where the
/// database stops, queries wait for the pool before they fail, so a success is fresh for a second
/// only: `/health` is sooner to say so than the callers. Failures count for 20 s, which is how long
/// the service stays degraded after the database is back.
static QUERIES: Observed =
    Observed::new().fresh_for(Duration::from_secs(1)).window(Duration::from_secs(20));

/// Whether the tables are there.
static SCHEMA: Reported = Reported::starting("the schema is not created yet");

/// How often a connection came back to the pool: what tells a busy pool from a stuck one.
static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);

/// An incident, as the API shows it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Incident {
    /// Its number.
    pub id: i64,
    /// What is wrong.
    pub title: String,
    /// `open` or `resolved`.
    pub state: String,
}

/// The incidents.
#[derive(Clone, Debug)]
pub struct Storage {
    pool: AnyPool,
    kind: Arc<Kind>,
}

/// The two databases: what differs is the schema, and how the check asks.
#[derive(Debug)]
enum Kind {
    Postgres(Postgres),
    Sqlite(Sqlite),
}

impl Storage {
    /// The database at `url`. Connects with the first query, so a service starts while its database
    /// does not work yet, and says so.
    ///
    /// # Errors
    /// Where the URL is neither of PostgreSQL nor of SQLite. The message does not repeat it: it may
    /// hold a password.
    pub fn new(url: &str) -> Result<Self, String> {
        let expected =
            "expected postgres://user:password@host:5432/database or sqlite:FILE?mode=rwc";
        let kind = if url.starts_with("sqlite:") {
            Kind::Sqlite(Sqlite::new(SqliteConnectOptions::from_str(url).map_err(|_| expected)?))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Kind::Postgres(Postgres::primary(
                PgConnectOptions::from_str(url).map_err(|_| expected)?,
            ))
        } else {
            return Err(expected.to_owned());
        };
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(Duration::from_secs(2))
            .after_release(|_, _| {
                GIVEN_BACK.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Ok(true) })
            })
            .connect_lazy(url)
            .map_err(|_| expected)?;
        Ok(Self { pool, kind: Arc::new(kind) })
    }

    /// `postgresql` or `sqlite`.
    pub fn kind(&self) -> &'static str {
        match *self.kind {
            Kind::Postgres(_) => "postgresql",
            Kind::Sqlite(_) => "sqlite",
        }
    }

    /// Creates the table, as often as it takes until the database lets it.
    pub async fn create_schema(&self) {
        let sql = match *self.kind {
            Kind::Postgres(_) => {
                "CREATE TABLE IF NOT EXISTS incidents (\
                    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                    title TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open')"
            }
            Kind::Sqlite(_) => {
                "CREATE TABLE IF NOT EXISTS incidents (\
                    id INTEGER PRIMARY KEY, \
                    title TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open')"
            }
        };
        while let Err(error) = sqlx::query(sql).execute(&self.pool).await {
            tracing::warn!(%error, "cannot create the schema yet");
            SCHEMA.set(CheckResult::unhealthy(format!("cannot create the schema: {error}")));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        SCHEMA.set(CheckResult::healthy());
    }

    /// The newest 100 incidents, newest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn incidents(&self) -> Result<Vec<Incident>, Error> {
        let sql = "SELECT id, title, state FROM incidents ORDER BY id DESC LIMIT 100";
        QUERIES.watch(sqlx::query_as(sql).fetch_all(&self.pool)).await
    }

    /// How many are open.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn open(&self) -> Result<i64, Error> {
        let sql = "SELECT count(*) FROM incidents WHERE state = 'open'";
        QUERIES.watch(sqlx::query_scalar(sql).fetch_one(&self.pool)).await
    }

    /// Keeps a new incident.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn report(&self, title: &str) -> Result<Incident, Error> {
        let sql = "INSERT INTO incidents (title) VALUES ($1) RETURNING id, title, state";
        QUERIES.watch(sqlx::query_as(sql).bind(title).fetch_one(&self.pool)).await
    }

    /// Closes an incident; `None` where there is none of that number.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn resolve(&self, id: i64) -> Result<Option<Incident>, Error> {
        let sql =
            "UPDATE incidents SET state = 'resolved' WHERE id = $1 RETURNING id, title, state";
        QUERIES.watch(sqlx::query_as(sql).bind(id).fetch_optional(&self.pool)).await
    }

    /// Asks the database on a connection of the check's own.
    async fn ping(&self) -> Result<CheckResult, String> {
        match &*self.kind {
            Kind::Postgres(postgres) => postgres.check().await,
            Kind::Sqlite(sqlite) => sqlite.check().await,
        }
    }
}
