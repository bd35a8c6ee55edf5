//! A balancer takes a service out and back in: `HAProxy`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reqwest::Client;
use servicekit_health::CheckResult;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::common::{Process, Service, eventually, get, installed, through};

struct Haproxy(Process);

impl Haproxy {
    /// With a backend `app` of these services, asked in this way.
    fn start(program: &Path, check: &str, services: &[&Service]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = files.path().display();
        let server = |(n, service): (usize, &&Service)| {
            format!("    server s{n} {} check inter 100ms fall 2 rise 2\n", service.address)
        };
        let servers: String = services.iter().enumerate().map(server).collect();
        let configuration = format!(
            "
global
    stats socket {at}/stats
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    timeout check 1s
frontend in
    bind unix@{at}/in
    default_backend app
backend app
{check}
{servers}
"
        );
        let file = files.path().join("haproxy.cfg");
        fs::write(&file, configuration).unwrap();
        Self(Process::start_in(files, Command::new(program).arg("-db").arg("-f").arg(file)))
    }

    fn client(&self) -> Client {
        through(&self.0.path("in"))
    }

    /// A server's columns of `show stat`: state, why, and how many checks have failed.
    async fn seen(&self, server: &str) -> Option<(String, String, String)> {
        let mut socket = UnixStream::connect(self.0.path("stats")).await.ok()?;
        socket.write_all(b"show stat\n").await.unwrap();
        let mut table = String::new();
        socket.read_to_string(&mut table).await.unwrap();
        let mut lines = table.trim_start_matches("# ").lines();
        let names: Vec<_> = lines.next()?.split(',').collect();
        let row = lines.find(|line| line.starts_with(&format!("app,{server},")))?;
        let row: Vec<_> = row.split(',').collect();
        let column = |name: &str| {
            let index = names.iter().position(|column| *column == name).unwrap();
            row[index].to_owned()
        };
        let why = format!("{}/{}", column("check_status"), column("check_code"));
        Some((column("status"), why, column("chkfail")))
    }

    /// Waits until a server is in this state for this reason.
    async fn sees(&self, server: &str, state: &str, why: &str) {
        let mut last = None;
        let look = async || {
            last = self.seen(server).await;
            let (seen, reason, _) = last.as_ref()?;
            (seen == state && reason == why).then_some(())
        };
        eventually(&format!("{server} {state} {why}"), look).await;
    }
}

/// The states of a service, each as the balancer sees it.
async fn goes_down_and_up_again(check: &str, request: &str) {
    let Some(program) = installed("haproxy") else { return };
    let service = Service::start().await;
    let haproxy = Haproxy::start(&program, check, &[&service]);
    haproxy.sees("s0", "UP", "L7OK/200").await;
    let client = haproxy.client();
    let through = async || client.get("http://app/health").send().await.unwrap();
    assert_eq!(through().await.status(), 200);

    service.redis(CheckResult::degraded("no replica"));
    service.asked_again(5, request).await;
    let (state, _, failed) = haproxy.seen("s0").await.unwrap();
    assert_eq!((state.as_str(), failed.as_str()), ("UP", "0"), "degraded keeps the traffic");
    assert_eq!(through().await.headers()["x-health-status"], "degraded");

    service.database(CheckResult::unhealthy("gone"));
    haproxy.sees("s0", "DOWN", "L7STS/503").await;
    let answer = through().await;
    assert_eq!(answer.status(), 503);
    assert!(!answer.headers().contains_key("x-health-status"), "HAProxy's own answer");

    service.database(CheckResult::healthy());
    haproxy.sees("s0", "UP", "L7OK/200").await;
    assert_eq!(through().await.headers()["x-health-status"], "degraded");

    service.health.drain();
    haproxy.sees("s0", "DOWN", "L7STS/503").await;
    assert_eq!(get(&service.url("/livez")).await.status(), 200);
}

#[tokio::test]
async fn the_default_check_by_options_goes_down_and_up() {
    // HAProxy sends no Host and HTTP/1.0.
    let check = "    option httpchk /health";
    goes_down_and_up_again(check, "OPTIONS /health HTTP/1.0").await;
}

#[tokio::test]
async fn a_check_by_get_that_expects_200_goes_down_and_up() {
    let check = "    option httpchk GET /readyz\n    http-check expect status 200";
    goes_down_and_up_again(check, "GET /readyz HTTP/1.0").await;
}

#[tokio::test]
async fn a_header_tells_a_balancer_that_wants_to_know_degraded_from_healthy() {
    let Some(program) = installed("haproxy") else { return };
    let service = Service::start().await;
    let check = "    option httpchk GET /readyz\n    \
                 http-check expect hdr name x-health-status value healthy";
    let haproxy = Haproxy::start(&program, check, &[&service]);
    haproxy.sees("s0", "UP", "L7OK/200").await;
    service.redis(CheckResult::degraded("no replica"));
    eventually("s0 is down", async || {
        let (state, ..) = haproxy.seen("s0").await?;
        (state == "DOWN").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_drains_loses_no_request() {
    let Some(program) = installed("haproxy") else { return };
    let (leaves, stays) = (Service::start().await, Service::start().await);
    let check = "    option httpchk GET /readyz\n    http-check expect status 200";
    let haproxy = Haproxy::start(&program, check, &[&leaves, &stays]);
    haproxy.sees("s0", "UP", "L7OK/200").await;
    haproxy.sees("s1", "UP", "L7OK/200").await;

    let client = haproxy.client();
    let mut answered = 0;
    let mut ask = async || {
        let status = client.get("http://app/livez").send().await.unwrap().status();
        assert_eq!(status, 200, "after {answered} requests");
        answered += 1;
        sleep(Duration::from_millis(5)).await;
    };
    for _ in 0..50 {
        ask().await;
    }
    let balanced = leaves.asked().iter().any(|line| line.starts_with("GET /livez"));
    assert!(balanced, "the one that leaves had none of the requests");

    leaves.health.drain();
    eventually("the end of the one that leaves", async || {
        ask().await;
        leaves.has_ended().then_some(())
    })
    .await;
    for _ in 0..50 {
        ask().await;
    }
    haproxy.sees("s1", "UP", "L7OK/200").await;
}
