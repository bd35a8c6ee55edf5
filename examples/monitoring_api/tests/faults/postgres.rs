//! Without the database callers get an error, and the replica stays in the balancer: each other one
//! has the same database.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::time::{Instant, sleep};

use crate::process::{Server, have};
use crate::service::{PASSWORD, Service, tell};

const CHECK: &str = "database";
const BIN: &str = "/usr/lib/postgresql/15/bin";
/// How many connections the server gives to all, beyond the three that it keeps for an administrator.
const FOR_ALL: usize = 12;

/// The server refuses root.
fn command(program: &str) -> Command {
    let id = |flag| {
        let output = Command::new("id").args([flag, "postgres"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    let mut command = Command::new(format!("{BIN}/{program}"));
    command.uid(id("-u")).gid(id("-g")).current_dir("/");
    command
}

fn serve(dir: &Path, port: u16) -> Command {
    let mut command = command("postgres");
    command.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(["-p", &port.to_string()]);
    let connections = format!("max_connections={}", FOR_ALL + 3);
    for setting in ["listen_addresses=127.0.0.1", &connections, "fsync=off"] {
        command.args(["-c", setting]);
    }
    command
}

async fn connect(name: &str, port: u16) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::new().host("127.0.0.1").port(port).database("postgres");
    PgConnection::connect_with(&options.username(name).password(PASSWORD)).await
}

async fn start() -> Option<(Service, Server)> {
    if !have(&[&format!("{BIN}/initdb")]) {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let id = Command::new("id").args(["-u", "postgres"]).output().unwrap();
    let id = String::from_utf8(id.stdout).unwrap().trim().parse().unwrap();
    for path in [dir.path(), &password] {
        chown(path, Some(id), None).unwrap();
    }
    let mut initdb = command("initdb");
    initdb.args(["-U", "admin", "-A", "scram-sha-256", "-N", "--pwfile"]).arg(&password);
    let output = initdb.arg("-D").arg(dir.path().join("data")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = Server::start(dir, serve).await;
    while connect("admin", server.port).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    admin(server.port, &format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")).await;
    admin(server.port, "GRANT CREATE ON SCHEMA public TO app").await;
    let url = format!("postgres://app:{PASSWORD}@127.0.0.1:{}/postgres", server.port);
    let service = Service::start(&[("DATABASE_URL", &url)]).await;
    service.says(CHECK, "healthy", "").await;
    Some((service, server))
}

async fn admin(port: u16, sql: &str) {
    let mut connection = connect("admin", port).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// Seen by name, and the replica stays. Callers are told within what the pool waits, 2 s.
async fn is_seen(service: &Service, cause: &str) -> Duration {
    let noticed = service.says(CHECK, "unhealthy", cause).await;
    service.stays_ready("degraded").await;
    let asked = Instant::now();
    let answer = service.ask("/api/incidents").await;
    assert_eq!(answer.code, 503, "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    noticed
}

/// From then on it is degraded for as long as failures count, 20 s, and then healthy.
async fn is_over(service: &Service, server: &Server) -> Duration {
    let recovered = service.leaves(CHECK, "unhealthy").await;
    service.serves_many().await;
    // Ten of the pool, and the check's.
    let mut connection = connect("admin", server.port).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    let open: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    assert!(open <= 11, "{open} connections");
    recovered
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_killed() {
    let Some((service, mut server)) = start().await else { return };
    for kill in [false, true] {
        if kill {
            server.kill();
        } else {
            // Fast shutdown: the default of systemd's unit and of most containers.
            server.end("INT");
        }
        let noticed = is_seen(&service, "PostgreSQL cannot be reached: Connection refused").await;
        server.restart().await;
        let fault = if kill { "PostgreSQL killed" } else { "PostgreSQL stopped" };
        tell(fault, noticed, is_over(&service, &server).await);
    }
    let after = Instant::now();
    while service.ask("/health").await.body.contains("\"database\":{\"state\":\"degraded\"") {
        assert!(after.elapsed() < Duration::from_secs(30), "degraded for ever");
        sleep(Duration::from_millis(200)).await;
    }
    service.says(CHECK, "healthy", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen() {
    let Some((service, server)) = start().await else { return };
    server.signal("STOP");
    let cause = "accepts connections but does not answer within 500ms";
    let noticed = is_seen(&service, cause).await;
    server.signal("CONT");
    tell("PostgreSQL frozen", noticed, is_over(&service, &server).await);
}

/// Another program takes every connection, and the service loses its own.
#[tokio::test(flavor = "multi_thread")]
async fn out_of_connections() {
    let Some((service, server)) = start().await else { return };
    admin(server.port, &format!("CREATE ROLE other LOGIN PASSWORD '{PASSWORD}'")).await;
    let mut root = connect("admin", server.port).await.unwrap();
    let mut held = Vec::new();
    let start = Instant::now();
    // A backend that is told to end gives its place back some time later, and the service may be
    // quicker than this program to take it. So: until each place is held here.
    while held.len() < FOR_ALL - 1 {
        assert!(start.elapsed() < Duration::from_secs(20), "{} connections", held.len());
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
        root.execute(sql).await.unwrap();
        while let Ok(connection) = connect("other", server.port).await {
            held.push(connection);
        }
    }
    let noticed = service.says(CHECK, "degraded", "PostgreSQL has no connection left").await;
    service.stays_ready("degraded").await;
    assert_eq!(service.ask("/api/incidents").await.code, 503);
    drop(held);
    let recovered = service.becomes("/api/incidents", |answer| answer.code == 200).await;
    is_over(&service, &server).await;
    tell("PostgreSQL out of connections", noticed, recovered);
}
