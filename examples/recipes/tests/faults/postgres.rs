use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::tokio_postgres::{Config, NoTls};
use deadpool_postgres::{Manager, Pool};
use recipes::{deadpool_postgres as deadpool, postgres};
use servicekit_health::CheckResult;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults_with;

const SECOND: Duration = Duration::from_secs(1);

/// A command of a user other than root, which the server refuses.
fn command(program: &str) -> Command {
    let id = |flag| {
        let output = Command::new("id").args([flag, "postgres"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    let mut command = Command::new(program);
    command.uid(id("-u")).gid(id("-g")).current_dir("/");
    command
}

/// A directory that the server's user may write.
fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let id = Command::new("id").args(["-u", "postgres"]).output().unwrap();
    let uid = String::from_utf8(id.stdout).unwrap().trim().parse().unwrap();
    chown(dir.path(), Some(uid), None).unwrap();
    dir
}

fn serve(dir: &Path, port: u16) -> Command {
    let mut command = command("/usr/lib/postgresql/15/bin/postgres");
    command.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "max_connections=12", "fsync=off"] {
        command.args(["-c", setting]);
    }
    command
}

async fn primary() -> Server {
    let dir = directory();
    let password = dir.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let mut initdb = command("/usr/lib/postgresql/15/bin/initdb");
    initdb.args(["-U", "admin", "-A", "scram-sha-256", "-N", "--pwfile"]).arg(&password);
    let output = initdb.arg("-D").arg(dir.path().join("data")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = Server::start(dir, serve).await;
    while PgConnection::connect_with(&user("admin", server.port)).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    admin(server.port, &format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")).await;
    server
}

fn user(name: &str, port: u16) -> PgConnectOptions {
    PgConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username(name)
        .password(PASSWORD)
        .database("postgres")
}

async fn admin(port: u16, sql: &str) {
    let mut connection = PgConnection::connect_with(&user("admin", port)).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// One driver's recipe.
struct Driver {
    server: &'static str,
    primary: fn(u16) -> Run,
    standby: fn(u16) -> Run,
}

/// A run of a check.
type Run = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;
type Answer = Result<CheckResult, String>;

/// Each has a method of this name.
macro_rules! run {
    ($recipe:expr) => {{
        let recipe = Arc::new($recipe.reconnect_every(SECOND));
        Box::new(move || {
            let recipe = Arc::clone(&recipe);
            Box::pin(async move { recipe.check().await })
        })
    }};
}

const SQLX: Driver = Driver {
    server: "PostgreSQL",
    primary: |port| run!(postgres::Postgres::primary(user("app", port))),
    standby: |port| run!(postgres::Postgres::standby(user("app", port), SECOND, 60 * SECOND)),
};

const DEADPOOL: Driver = Driver {
    server: "PostgreSQL-deadpool",
    primary: |port| run!(deadpool::Postgres::primary(config(port))),
    standby: |port| run!(deadpool::Postgres::standby(config(port), SECOND, 60 * SECOND)),
};

fn config(port: u16) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("app").password(PASSWORD).dbname("postgres");
    config
}

#[tokio::test]
async fn postgresql_by_sqlx_says_what_is_wrong_and_recovers() {
    every_fault(&SQLX).await;
}

#[tokio::test]
async fn postgresql_by_deadpool_says_what_is_wrong_and_recovers() {
    every_fault(&DEADPOOL).await;
}

async fn every_fault(driver: &Driver) {
    if !have(&["/usr/lib/postgresql/15/bin/initdb", "iptables"]) {
        return;
    }
    let server = primary().await;
    let port = server.port;
    let mut watched = Watched::new(driver.server, Some(port), (driver.primary)(port)).await;

    let state = Unhealthy;
    // The first: behind a firewall a server keeps sessions that have ended, and gives their places
    // back later.
    let held = Mutex::new(Vec::new());
    let take_all = async || {
        while let Ok(one) = PgConnection::connect_with(&user("app", port)).await {
            held.lock().await.push(one);
        }
    };
    let give_back = async || held.lock().await.clear();
    watched.cell("out of connections", Degraded, "no connection left", take_all, give_back).await;

    let server = &Mutex::new(server);
    usual_faults_with(&mut watched, server, state, "INT", async || {}).await;

    watched
        .cell(
            "another password",
            state,
            "refuses the credentials",
            async || admin(port, "ALTER ROLE app PASSWORD 'changed'").await,
            async || admin(port, &format!("ALTER ROLE app PASSWORD '{PASSWORD}'")).await,
        )
        .await;
    watched
        .cell(
            "read-only",
            state,
            "accepts no writes: default_transaction_read_only",
            async || admin(port, "ALTER ROLE app SET default_transaction_read_only = on").await,
            async || admin(port, "ALTER ROLE app RESET default_transaction_read_only").await,
        )
        .await;
    watched.finish();

    let slow = Slow::start(port).await;
    let recipe = (driver.primary)(slow.port);
    let mut watched = Watched::new(driver.server, Some(slow.port), recipe).await;
    let late = async || slow.delay(2 * SECOND);
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", state, "does not answer within 500ms", late, quick).await;
    watched.finish();
}

#[tokio::test]
async fn a_standby_is_not_behind_where_nothing_was_written() {
    every_lag(&SQLX).await;
}

#[tokio::test]
async fn a_standby_by_deadpool_is_not_behind_where_nothing_was_written() {
    every_lag(&DEADPOOL).await;
}

async fn every_lag(driver: &Driver) {
    if !have(&["/usr/lib/postgresql/15/bin/initdb"]) {
        return;
    }
    let mut primary = primary().await;
    admin(primary.port, "CREATE TABLE t AS SELECT 1 AS a").await;
    let dir = directory();
    let mut backup = command("/usr/lib/postgresql/15/bin/pg_basebackup");
    backup.env("PGPASSWORD", PASSWORD).args([
        "-h",
        "127.0.0.1",
        "-U",
        "admin",
        "-R",
        "-X",
        "stream",
    ]);
    backup
        .args(["-c", "fast", "-p", &primary.port.to_string()])
        .arg("-D")
        .arg(dir.path().join("data"));
    let output = backup.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let standby = Server::start(dir, serve).await;

    let replica = (driver.standby)(standby.port);
    for _ in 0..100 {
        if replica().await.is_ok_and(|result| result.state() == Healthy) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    sleep(3 * SECOND).await;
    let result = replica().await.unwrap();
    assert_eq!(result.state(), Healthy, "nothing was written: {result:?}");

    let as_primary = (driver.primary)(standby.port)().await.unwrap();
    assert_eq!(
        as_primary.message(),
        Some("PostgreSQL accepts no writes: this server is a standby")
    );

    admin(standby.port, "SELECT pg_wal_replay_pause()").await;
    admin(primary.port, "INSERT INTO t VALUES (2)").await;
    sleep(2 * SECOND).await;
    let result = replica().await.unwrap();
    assert_eq!(
        (result.state(), result.message()),
        (Degraded, Some("more than 1s behind the primary"))
    );

    admin(standby.port, "SELECT pg_wal_replay_resume()").await;
    primary.end("INT");
    let mut message = None;
    for _ in 0..50 {
        message = replica().await.unwrap().message().map(str::to_owned);
        if message.as_deref().is_some_and(|text| text.contains("receives nothing")) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let lost = "PostgreSQL standby receives nothing from its primary";
    assert_eq!(message.as_deref(), Some(lost));
}

#[tokio::test]
async fn a_pool_that_is_fully_lent_out_leaves_the_check_of_its_server_alone() {
    if !have(&["/usr/lib/postgresql/15/bin/initdb"]) {
        return;
    }
    let server = primary().await;
    let manager = Manager::new(config(server.port), NoTls);
    let pool = Pool::builder(manager).max_size(2).build().unwrap();
    let lent_out = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    let database = deadpool::Postgres::primary(config(server.port));
    assert_eq!(database.check().await.unwrap().state(), Healthy);

    let busy = deadpool::pool_use(&pool);
    assert_eq!((busy.size, busy.idle, busy.max, busy.waiting), (2, 0, 2, 0));
    drop(lent_out);
    assert_eq!(deadpool::pool_use(&pool).idle, 2);
}
