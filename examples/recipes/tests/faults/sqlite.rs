use std::fs;
use std::sync::Arc;

use recipes::sqlite::Sqlite;
use servicekit_health::HealthState::{Degraded, Unhealthy};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tokio::sync::Mutex;

use crate::cell::Watched;

#[tokio::test]
async fn sqlite_says_what_is_wrong_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.db");
    let options = SqliteConnectOptions::new().filename(&file);
    let create = options.clone().create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&create).await.unwrap();
    connection.execute("CREATE TABLE t (a)").await.unwrap();

    let recipe = Arc::new(Sqlite::new(options.clone()));
    let mut watched = Watched::new("SQLite", None, move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await;

    let connection = &Mutex::new(connection);
    let lock = async || {
        connection.lock().await.execute("BEGIN IMMEDIATE").await.unwrap();
    };
    let unlock = async || {
        connection.lock().await.execute("ROLLBACK").await.unwrap();
    };
    watched.cell("locked by a writer", Degraded, "locked by another writer", lock, unlock).await;

    let away = dir.path().join("away.db");
    let remove = async || fs::rename(&file, &away).unwrap();
    let put_back = || async { fs::rename(&away, &file).unwrap() };
    watched.cell("removed", Unhealthy, "unable to open database file", remove, put_back).await;
    let replace = async || {
        fs::rename(&file, &away).unwrap();
        fs::write(&file, [b'x'; 4096]).unwrap();
    };
    watched.cell("overwritten", Unhealthy, "file is not a database", replace, put_back).await;
    watched.finish();
    assert!(file.exists(), "the check never creates the file");

    let read_only = Sqlite::new(options.read_only(true));
    assert_eq!(read_only.check().await.unwrap_err(), "SQLite file is read-only");
}
