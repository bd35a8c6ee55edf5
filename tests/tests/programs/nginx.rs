//! NGINX with `examples/deploy/nginx/nginx.conf`: what it learns from the requests that it forwards,
//! and that it lets a stream through at once and does not cut a quiet one.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Method;
use reqwest::Client;
use servicekit_health::CheckResult;

use crate::balancing::{Balanced, Place};
use crate::common::{Events, Process, Service, client, eventually, get, installed};
use crate::deploy;
use crate::load::Load;

/// Of the file, for an event stream.
const PATIENCE: Duration = Duration::from_secs(5);

fn start(entrance: SocketAddr, [one, two]: [SocketAddr; 2]) -> Option<Process> {
    let program = installed("nginx")?;
    let files = tempfile::tempdir().unwrap();
    let at = format!(" {}/", files.path().display());
    let [one, two] = [one, two].map(|address| address.to_string());
    let text = deploy::placed(
        "nginx/nginx.conf",
        &[
            (" /tmp/", &at),
            ("/run/nginx/", at.trim_start()),
            ("listen 8080", &format!("listen {entrance}")),
            ("10.0.0.11:8080", &one),
            ("10.0.0.12:8080", &two),
        ],
    );
    let file = files.path().join("nginx.conf");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    // One process, so that it ends with the test.
    command.args(["-e", "stderr", "-g", "daemon off; master_process off;", "-p"]);
    command.arg(files.path()).arg("-c").arg(file);
    Some(Process::start_in(files, &mut command))
}

async fn balanced() -> Option<Balanced> {
    installed("nginx")?;
    Some(Balanced::start(&[], |entrance, instances| start(entrance, instances).unwrap()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_an_instance_cannot_serve_go_to_the_other_one_until_it_recovers() {
    let Some(nginx) = balanced().await else { return };
    // What is not idempotent is answered with the 503.
    let load = Load::start(nginx.entrance.address, &[Method::GET]);
    let [one, _] = &nginx.instances;
    load.reaches("one").await;
    get(&one.url("/work/503")).await;
    load.leaves("one").await;
    get(&one.url("/work/200")).await;
    load.reaches("one").await;
    load.lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_instance_keeps_its_traffic() {
    let Some(nginx) = balanced().await else { return };
    nginx.a_degraded_instance_keeps_its_traffic().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_it_is_told_of_loses_no_request() {
    let Some(mut nginx) = balanced().await else { return };
    let file = nginx.balancer.path("app1.down");
    let [out, back] = ["touch", "rm"].map(|command| format!("{command} '{}'", file.display()));
    nginx.a_deploy_by_the_script_loses_no_request(&out, &back).await;
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_it_is_not_told_of_loses_no_get() {
    let Some(mut nginx) = balanced().await else { return };
    nginx.a_deploy_that_no_check_notices_loses_no_get().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_that_of_one_instance_and_not_of_another_that_is_asked_instead() {
    let Some(nginx) = balanced().await else { return };
    nginx.instances[0].mode("error").await;
    eventually("a 503 of the one that is unhealthy", async || {
        let answer = get(&nginx.url("/health")).await;
        (answer.status() == 503 && answer.headers()["x-health-status"] == "unhealthy").then_some(())
    })
    .await;
}

/// NGINX in front of a single service, for its streams.
struct Nginx {
    process: Process,
    entrance: Place,
}

impl Nginx {
    async fn start(service: &Service) -> Option<Self> {
        let entrance = Place::free();
        let process = start(entrance.address, [service.address; 2])?;
        let mut nginx = Self { process, entrance };
        let client = client();
        let url = nginx.url("/livez");
        eventually("NGINX answers", async || {
            assert_eq!(nginx.process.status(), None, "{}", nginx.process.said());
            client.get(&url).send().await.ok()
        })
        .await;
        Some(nginx)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.entrance.address)
    }

    async fn stream(&self, client: &Client, query: &str) -> Events {
        let url = self.url(&format!("/health/$stream{query}"));
        Events::of(client.get(url).send().await.unwrap())
    }
}

#[tokio::test]
async fn the_first_event_comes_through_at_once_and_every_other_when_it_is_due() {
    let service = Service::start().await;
    let Some(nginx) = Nginx::start(&service).await else { return };
    let start = Instant::now();
    let mut events = nginx.stream(&client(), "?poll_interval=2").await;
    assert_eq!(events.event().await.unwrap()["status"], "healthy");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    service.redis(CheckResult::degraded("no replica"));
    let event = events.event().await.unwrap();
    assert_eq!(event["checks"]["redis"]["message"], "no replica");
    assert!((1800..3000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_quiet_stream_outlives_the_patience_of_the_proxy() {
    let service = Service::start().await;
    let Some(nginx) = Nginx::start(&service).await else { return };
    let mut events = nginx.stream(&client(), "?on=change&poll_interval=0.1").await;
    assert_eq!(events.event().await.unwrap()["status"], "healthy");
    let quiet = Instant::now();
    while quiet.elapsed() < PATIENCE * 2 {
        assert_eq!(events.next().await.unwrap(), ":");
    }

    let change = Instant::now();
    service.database(CheckResult::unhealthy("gone"));
    assert_eq!(events.event().await.unwrap()["status"], "unhealthy");
    assert!(change.elapsed() < Duration::from_secs(1), "{:?}", change.elapsed());
}

#[tokio::test]
async fn a_reader_that_leaves_gives_its_stream_back_through_the_proxy() {
    let service = Service::start_with(|builder| builder.max_streams(1), Router::new()).await;
    let Some(nginx) = Nginx::start(&service).await else { return };
    let mut reader = nginx.stream(&client(), "").await;
    assert!(reader.event().await.is_some());
    let ask = async || get(&nginx.url("/health/$stream")).await;
    let refused = ask().await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));

    drop(reader);
    eventually("a free stream", async || (ask().await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn the_last_event_and_the_end_come_through_while_draining() {
    let service = Service::start().await;
    let Some(nginx) = Nginx::start(&service).await else { return };
    let mut events = nginx.stream(&client(), "?poll_interval=3600").await;
    assert_eq!(events.event().await.unwrap()["status"], "healthy");
    service.health.drain();
    let last = events.event().await.unwrap();
    assert_eq!(last["checks"]["$drain"]["message"], "draining");
    assert_eq!(events.next().await, None);
}
