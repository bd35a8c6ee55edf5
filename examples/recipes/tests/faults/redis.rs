use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Client, cmd};
use recipes::redis::Redis;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::usual::usual_faults;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn serve(dir: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]).arg("--dir").arg(dir);
    command.args(["--requirepass", PASSWORD, "--enable-debug-command", "local"]);
    // So that each key is an event while loading.
    command.args(["--rdbcompression", "no"]);
    command.args(["--busy-reply-threshold", "100", "--replica-serve-stale-data", "no"]);
    command
}

/// The same with a data set that takes long to load.
pub(crate) fn load_slowly(dir: &Path, port: u16) -> Command {
    let mut command = serve(dir, port);
    command.args(["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]);
    command
}

pub(crate) fn url(port: u16) -> String {
    format!("redis://:{PASSWORD}@127.0.0.1:{port}/0")
}

/// One command, on a connection of its own.
pub(crate) async fn run(port: u16, command: &[&str]) {
    let client = Client::open(url(port)).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut redis = cmd(command[0]);
    let result: Result<::redis::Value, _> =
        redis.arg(&command[1..]).query_async(&mut connection).await;
    result.unwrap();
}

/// All connections that the server has, but the check's own.
pub(crate) async fn take_connections(port: u16) -> Vec<TcpStream> {
    run(port, &["CONFIG", "SET", "maxclients", "5"]).await;
    let mut held = Vec::new();
    // Twice: the connection of this command is there for a moment longer.
    for _ in 0..2 {
        for _ in 0..5 {
            held.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    held
}

async fn watch(port: u16, recipe: Redis) -> Watched {
    let recipe = Arc::new(recipe);
    Watched::new("Redis", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn redis_says_what_is_wrong_and_recovers() {
    if !have(&["redis-server", "iptables"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let mut watched = watch(port, Redis::new(url(port)).unwrap().reconnect_every(SECOND)).await;

    let state = Unhealthy;
    let held = Mutex::new(Vec::new());
    let take_all = async || *held.lock().await = take_connections(port).await;
    let give_back = async || held.lock().await.clear();
    watched.cell("out of connections", Degraded, "no connection left", take_all, give_back).await;

    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, state).await;
    let silent = "accepts connections but does not answer";
    let pause = async || run(port, &["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let unpause = async || {
        // Every command waits, also the one that would end it.
        let mut server = server.lock().await;
        server.kill();
        server.restart().await;
    };
    watched.cell("slow (CLIENT PAUSE)", state, silent, pause, unpause).await;

    let change = async || run(port, &["CONFIG", "SET", "requirepass", "changed"]).await;
    let change_back = async || {
        let client = Client::open(format!("redis://:changed@127.0.0.1:{port}/0")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut back = cmd("CONFIG");
        let back = back.arg(&["SET", "requirepass", PASSWORD]);
        let () = back.query_async(&mut connection).await.unwrap();
    };
    let credentials = "refuses the credentials";
    watched.cell("another password", state, credentials, change, change_back).await;

    let script = async || {
        let client = Client::open(url(port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        tokio::spawn(async move {
            let mut endless = cmd("EVAL");
            let endless = endless.arg("while true do end").arg(0);
            let _: Result<(), _> = endless.query_async(&mut connection).await;
        });
    };
    let kill_script = async || {
        // A server that is busy refuses AUTH, too; a signal from outside ends it.
        let mut server = server.lock().await;
        server.kill();
        server.restart().await;
    };
    watched.cell("blocked by a script", state, "by a script", script, kill_script).await;

    let follow = async || run(port, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let lead = || async { run(port, &["REPLICAOF", "NO", "ONE"]).await };
    watched.cell("primary lost", state, "lost its primary", follow, lead).await;
    let demote = async || {
        run(port, &["CONFIG", "SET", "replica-serve-stale-data", "yes"]).await;
        run(port, &["REPLICAOF", "127.0.0.1", "1"]).await;
    };
    watched.cell("demoted", Degraded, "this server is a replica", demote, lead).await;
    watched.finish();

    let silent = Redis::new(format!("redis://127.0.0.1:{port}/0")).unwrap();
    let expected = "Redis asks for a password and none is configured";
    assert_eq!(silent.check().await.unwrap_err(), expected);
}

#[tokio::test]
async fn redis_that_loads_its_data_says_so() {
    if !have(&["redis-server"]) {
        return;
    }
    let mut server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    run(server.port, &["DEBUG", "POPULATE", "200", "key", "1000"]).await;
    run(server.port, &["SAVE"]).await;
    server.kill();
    let mut server = server.with_command(load_slowly);
    server.restart().await;

    let redis = Redis::new(url(server.port)).unwrap();
    assert_eq!(redis.check().await.unwrap_err(), "Redis is loading its data set from disk");
    let mut state = Err(String::new());
    for _ in 0..200 {
        state = redis.check().await.map(|result| result.state());
        if state == Ok(Healthy) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(state, Ok(Healthy));
}
