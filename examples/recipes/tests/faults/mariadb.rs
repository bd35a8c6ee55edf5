use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::mariadb::Mariadb;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

const SECOND: Duration = Duration::from_secs(1);

fn serve(dir: &Path, port: u16) -> Command {
    let mut command = Command::new("/usr/sbin/mariadbd");
    command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1"]);
    command.args(["--max-connections=10", "--innodb-flush-log-at-trx-commit=0"]);
    command.arg(format!("--port={port}"));
    command.arg(format!("--datadir={}", dir.join("data").display()));
    command.arg(format!("--socket={}", dir.join("socket").display()));
    command.arg(format!("--pid-file={}", dir.join("pid").display()));
    command
}

async fn start() -> Server {
    let dir = tempfile::tempdir().unwrap();
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--user=root", "--skip-test-db", "--skip-name-resolve"]);
    install.arg("--auth-root-authentication-method=normal");
    install.arg(format!("--datadir={}", dir.path().join("data").display()));
    let output = install.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = Server::start(dir, serve).await;
    while MySqlConnection::connect_with(&root(server.port)).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    admin(server.port, &format!("CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}'")).await;
    server
}

fn root(port: u16) -> MySqlConnectOptions {
    MySqlConnectOptions::new().host("127.0.0.1").port(port).username("root")
}

fn app(port: u16) -> MySqlConnectOptions {
    root(port).username("app").password(PASSWORD)
}

async fn admin(port: u16, sql: &str) {
    let mut connection = MySqlConnection::connect_with(&root(port)).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(Mariadb::new(app(port)).reconnect_every(SECOND));
    Watched::new("MariaDB", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn mariadb_says_what_is_wrong_and_recovers() {
    if !have(&["/usr/sbin/mariadbd", "mariadb-install-db", "iptables"]) {
        return;
    }
    let server = start().await;
    let port = server.port;
    let mut watched = watch(port).await;

    let state = Unhealthy;
    // The first: behind a firewall a server keeps sessions that have ended.
    let held = Mutex::new(Vec::new());
    let take_all = async || {
        while let Ok(one) = MySqlConnection::connect_with(&app(port)).await {
            held.lock().await.push(one);
        }
    };
    let give_back = async || held.lock().await.clear();
    watched.cell("out of connections", Degraded, "Too many connections", take_all, give_back).await;
    let limit = async || admin(port, "ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1").await;
    let unlimited = async || admin(port, "ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0").await;
    watched.cell("user out of connections", Degraded, "no connection left", limit, unlimited).await;

    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, state).await;

    let change = async || admin(port, "ALTER USER app@'%' IDENTIFIED BY 'changed'").await;
    let identified = format!("ALTER USER app@'%' IDENTIFIED BY '{PASSWORD}'");
    let change_back = async || admin(port, &identified).await;
    let credentials = "refuses the credentials";
    watched.cell("another password", state, credentials, change, change_back).await;
    let lock = async || admin(port, "SET GLOBAL read_only = on").await;
    let unlock = async || admin(port, "SET GLOBAL read_only = off").await;
    watched.cell("read-only", state, "accepts no writes: read_only is on", lock, unlock).await;
    watched.finish();

    admin(port, "SET GLOBAL read_only = on").await;
    let replica = Mariadb::new(app(port)).allow_read_only().check().await.unwrap();
    assert_eq!(replica.state(), Healthy);
    admin(port, "SET GLOBAL read_only = off").await;

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(2 * SECOND);
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", state, "does not answer within 500ms", late, quick).await;
    watched.finish();
}
