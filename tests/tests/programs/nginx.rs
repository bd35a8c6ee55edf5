//! NGINX lets a stream through at once, and does not cut a quiet one.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use reqwest::Client;
use servicekit_health::CheckResult;

use crate::common::{Events, Process, Service, eventually, installed, through};

/// The proxy's patience with a service that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

struct Nginx(Process);

impl Nginx {
    /// In front of this service, with the defaults but for the patience.
    async fn start(program: &Path, service: &Service) -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = files.path().display();
        let (patience, address) = (PATIENCE.as_secs(), service.address);
        let configuration = format!(
            "
daemon off;
master_process off;
pid {at}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    server {{
        listen unix:{at}/in;
        location / {{
            proxy_pass http://{address};
            proxy_read_timeout {patience}s;
        }}
    }}
}}
"
        );
        let file = files.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p"]).arg(files.path()).arg("-c").arg(file);
        let nginx = Self(Process::start_in(files, &mut command));
        let client = nginx.client();
        eventually("NGINX answers", async || client.get("http://app/livez").send().await.ok())
            .await;
        nginx
    }

    fn client(&self) -> Client {
        through(&self.0.path("in"))
    }

    async fn stream(&self, query: &str) -> Events {
        let url = format!("http://app/health/$stream{query}");
        Events::of(self.client().get(url).send().await.unwrap())
    }
}

#[tokio::test]
async fn the_first_event_comes_through_at_once_and_every_other_when_it_is_due() {
    let Some(program) = installed("nginx") else { return };
    let service = Service::start().await;
    let nginx = Nginx::start(&program, &service).await;
    let start = Instant::now();
    let mut events = nginx.stream("?poll_interval=2").await;
    assert_eq!(events.event().await.unwrap()["status"], "healthy");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    service.redis(CheckResult::degraded("no replica"));
    let event = events.event().await.unwrap();
    assert_eq!(event["checks"]["redis"]["message"], "no replica");
    assert!((1800..3000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_quiet_stream_outlives_the_patience_of_the_proxy() {
    let Some(program) = installed("nginx") else { return };
    let service = Service::start().await;
    let nginx = Nginx::start(&program, &service).await;
    let mut events = nginx.stream("?on=change&poll_interval=0.1").await;
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
    let Some(program) = installed("nginx") else { return };
    let service = Service::start_with(|builder| builder.max_streams(1), Router::new()).await;
    let nginx = Nginx::start(&program, &service).await;
    let mut reader = nginx.stream("").await;
    assert!(reader.event().await.is_some());
    let ask = async || nginx.client().get("http://app/health/$stream").send().await.unwrap();
    let refused = ask().await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));

    drop(reader);
    eventually("a free stream", async || (ask().await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn the_last_event_and_the_end_come_through_while_draining() {
    let Some(program) = installed("nginx") else { return };
    let service = Service::start().await;
    let nginx = Nginx::start(&program, &service).await;
    let mut events = nginx.stream("?poll_interval=3600").await;
    assert_eq!(events.event().await.unwrap()["status"], "healthy");
    service.health.drain();
    let last = events.event().await.unwrap();
    assert_eq!(last["checks"]["$drain"]["message"], "draining");
    assert_eq!(events.next().await, None);
}
