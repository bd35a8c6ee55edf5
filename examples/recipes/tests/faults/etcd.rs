use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::etcd::Etcd;
use servicekit_health::CheckResult;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tonic::transport::Endpoint;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

const SECOND: Duration = Duration::from_secs(1);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A member, with the ports at which each member hears the others. At most 20 connections: etcd
/// reserves 150 of the open files for itself.
fn member(peers: Vec<u16>, me: usize) -> impl Fn(&Path, u16) -> Command + Send {
    let cluster = peers.iter().enumerate().map(|(n, peer)| format!("m{n}=http://127.0.0.1:{peer}"));
    let cluster = cluster.collect::<Vec<_>>().join(",");
    move |dir, port| {
        let client = format!("http://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{}", peers[me]);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 170; exec etcd \"$@\"", "etcd"]);
        command.arg("--name").arg(format!("m{me}")).arg("--data-dir").arg(dir.join("data"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &cluster, "--quota-backend-bytes", "262144"]);
        command.args(["--heartbeat-interval", "50", "--election-timeout", "500"]);
        command
    }
}

fn etcdctl(port: u16, user: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").args(["--endpoints", &format!("127.0.0.1:{port}")]);
    let output = command.args(["--user", user]).args(arguments).output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() || stderr.contains("database space exceeded"), "{stderr}");
    stdout
}

fn recipe(port: u16) -> Etcd {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    Etcd::new(endpoint).user("root", PASSWORD).reconnect_every(SECOND)
}

async fn watch(port: u16, recipe: Etcd) -> Watched {
    let recipe = Arc::new(recipe);
    Watched::new("etcd", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

/// Until the state is as wanted, for a few seconds.
async fn until(etcd: &Etcd, wanted: impl Fn(&Result<CheckResult, String>) -> bool) {
    let mut result = etcd.check().await;
    for _ in 0..100 {
        if wanted(&result) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
        result = etcd.check().await;
    }
    panic!("{result:?}");
}

#[tokio::test]
async fn etcd_says_what_is_wrong_and_recovers() {
    if !have(&["etcd", "etcdctl", "iptables"]) {
        return;
    }
    let start = member(vec![free_port()], 0);
    let server = Server::start(tempfile::tempdir().unwrap(), start).await;
    let port = server.port;
    let root = format!("root:{PASSWORD}");
    etcdctl(port, &root, &["user", "add", &root]);
    etcdctl(port, &root, &["user", "grant-role", "root", "root"]);
    etcdctl(port, &root, &["auth", "enable"]);
    let mut watched = watch(port, recipe(port)).await;
    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let held = Mutex::new(Vec::new());
    let take_all = async || {
        for _ in 0..40 {
            held.lock().await.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
    };
    let give_back = async || held.lock().await.clear();
    let silent = "accepts connections but does not answer";
    watched.cell("out of connections", Unhealthy, silent, take_all, give_back).await;

    let changed = "root:changed";
    let password = |user: &str, new: &str| {
        let command = format!(
            "printf '%s\\n' {new} | ETCDCTL_API=3 etcdctl --endpoints 127.0.0.1:{port} --user {user} \
             user passwd root --interactive=false"
        );
        assert!(Command::new("sh").args(["-c", &command]).output().unwrap().status.success());
    };
    let change = async || password(&root, "changed");
    let change_back = async || password(changed, PASSWORD);
    let credentials = "refuses the credentials";
    watched.cell("another password", Unhealthy, credentials, change, change_back).await;

    let fill = async || {
        let value = "x".repeat(60_000);
        for key in ["a", "b", "c", "d", "e", "f"] {
            etcdctl(port, &root, &["put", key, &value]);
        }
    };
    let make_room = async || {
        etcdctl(port, &root, &["del", "a", "z"]);
        let status = etcdctl(port, &root, &["endpoint", "status", "--write-out", "json"]);
        let revision = status.split_once("\"revision\":").unwrap().1;
        let revision = revision.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        etcdctl(port, &root, &["compaction", revision]);
        etcdctl(port, &root, &["defrag"]);
        etcdctl(port, &root, &["alarm", "disarm"]);
    };
    watched.cell("full (quota)", Unhealthy, "alarm NOSPACE", fill, make_room).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port, recipe(slow.port)).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();

    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    let expected = "etcd asks for a user and none is configured";
    assert_eq!(Etcd::new(endpoint).check().await.unwrap_err(), expected);
}

#[tokio::test]
async fn etcd_without_a_quorum_says_so_and_recovers() {
    if !have(&["etcd"]) {
        return;
    }
    let peers = vec![free_port(), free_port()];
    let one = Server::start(tempfile::tempdir().unwrap(), member(peers.clone(), 0)).await;
    let two = Server::start(tempfile::tempdir().unwrap(), member(peers, 1)).await;
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", one.port)).unwrap();
    let mut watched = watch(one.port, Etcd::new(endpoint.clone())).await;
    let stale = Etcd::new(endpoint).allow_stale();
    until(&stale, |result| result.as_ref().is_ok_and(|result| result.state() == Healthy)).await;

    let freeze = async || two.signal("STOP");
    let thaw = async || {
        let is_degraded = |result: &Result<CheckResult, String>| {
            result.as_ref().is_ok_and(|result| result.state() == Degraded)
        };
        until(&stale, is_degraded).await;
        two.signal("CONT");
    };
    watched.cell("quorum lost", Unhealthy, "etcd has no leader", freeze, thaw).await;
    watched.finish();
}
