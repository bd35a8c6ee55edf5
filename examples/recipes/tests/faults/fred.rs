use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::fred::Redis;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::redis::{SECOND, load_slowly, run, serve, take_connections, url};
use crate::usual::usual_faults;

fn serve_cluster(dir: &Path, port: u16) -> Command {
    let mut command = serve(dir, port);
    command.args(["--cluster-enabled", "yes", "--cluster-port", "0"]);
    command
}

async fn watch(port: u16, recipe: Redis) -> Watched {
    let recipe = Arc::new(recipe);
    Watched::new("Redis.fred", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn redis_by_fred_says_what_is_wrong_and_recovers() {
    if !have(&["redis-server", "iptables"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let mut watched = watch(port, Redis::new(&url(port)).unwrap().reconnect_every(SECOND)).await;

    let held = Mutex::new(Vec::new());
    let take_all = async || *held.lock().await = take_connections(port).await;
    let give_back = async || held.lock().await.clear();
    watched.cell("out of connections", Degraded, "no connection left", take_all, give_back).await;

    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    // A paused or busy server refuses what would end that; a signal from outside does.
    let again = || async {
        let mut server = server.lock().await;
        server.kill();
        server.restart().await;
    };
    let pause = async || run(port, &["CLIENT", "PAUSE", "60000", "ALL"]).await;
    let silent = "accepts connections but does not answer";
    watched.cell("slow (CLIENT PAUSE)", Unhealthy, silent, pause, again).await;
    let script = async || {
        let client = ::redis::Client::open(url(port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        tokio::spawn(async move {
            let mut endless = ::redis::cmd("EVAL");
            let endless = endless.arg("while true do end").arg(0);
            let _: Result<(), _> = endless.query_async(&mut connection).await;
        });
    };
    watched.cell("blocked by a script", Unhealthy, "by a script", script, again).await;

    let change = async || run(port, &["CONFIG", "SET", "requirepass", "changed"]).await;
    let change_back = async || {
        let client = ::redis::Client::open(format!("redis://:changed@127.0.0.1:{port}/0")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut back = ::redis::cmd("CONFIG");
        let back = back.arg(&["SET", "requirepass", PASSWORD]);
        let () = back.query_async(&mut connection).await.unwrap();
    };
    let credentials = "refuses the credentials";
    watched.cell("another password", Unhealthy, credentials, change, change_back).await;

    let follow = async || run(port, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let lead = || async { run(port, &["REPLICAOF", "NO", "ONE"]).await };
    watched.cell("primary lost", Unhealthy, "lost its primary", follow, lead).await;
    let demote = async || {
        run(port, &["CONFIG", "SET", "replica-serve-stale-data", "yes"]).await;
        run(port, &["REPLICAOF", "127.0.0.1", "1"]).await;
    };
    watched.cell("demoted", Degraded, "this server is a replica", demote, lead).await;
    watched.finish();

    let silent = Redis::new(&format!("redis://127.0.0.1:{port}/0")).unwrap();
    let expected = "Redis asks for a password and none is configured";
    assert_eq!(silent.check().await.unwrap_err(), expected);
    let wrong = Redis::new(&format!("redis://:wrong@127.0.0.1:{port}/0")).unwrap();
    for _ in 0..3 {
        assert_eq!(wrong.check().await.unwrap_err(), "Redis refuses the credentials");
    }
}

#[tokio::test]
async fn redis_by_fred_that_loads_its_data_says_so() {
    if !have(&["redis-server"]) {
        return;
    }
    let mut server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    run(server.port, &["DEBUG", "POPULATE", "200", "key", "1000"]).await;
    run(server.port, &["SAVE"]).await;
    server.kill();
    let mut server = server.with_command(load_slowly);
    server.restart().await;

    let redis = Redis::new(&url(server.port)).unwrap();
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

    let before = connections_received(server.port).await;
    for _ in 0..20 {
        redis.check().await.unwrap();
    }
    // That of the question itself.
    assert_eq!(connections_received(server.port).await - before, 1);
}

async fn connections_received(port: u16) -> u64 {
    let client = ::redis::Client::open(url(port)).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let stats: String =
        ::redis::cmd("INFO").arg("stats").query_async(&mut connection).await.unwrap();
    let received = stats.split_once("total_connections_received:").unwrap().1;
    received.split("\r\n").next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_cluster_without_all_slots_says_so_and_recovers() {
    if !have(&["redis-server"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve_cluster).await;
    let port = server.port;
    run(port, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    let mut watched = watch(port, Redis::new(&url(port)).unwrap().cluster()).await;
    let take = async || run(port, &["CLUSTER", "DELSLOTSRANGE", "0", "99"]).await;
    let give = async || run(port, &["CLUSTER", "ADDSLOTSRANGE", "0", "99"]).await;
    watched.cell("slots without a node", Unhealthy, "cluster is down", take, give).await;
    watched.finish();
}
