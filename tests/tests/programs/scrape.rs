//! Prometheus scrapes a service, and its alerts follow what the service depends on.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use axum::Router;
use serde_json::Value;
use servicekit_health::Check;
use tokio::net::{TcpSocket, TcpStream};

use crate::common::{Database, Process, Service, client, eventually, get, installed, python};
use crate::deploy;

/// A service with metrics, and a check of a real dependency.
async fn service(dependency: &Database) -> Service {
    let address = dependency.address();
    let check = Check::new("dependency", move || {
        let address = address.clone();
        async move { TcpStream::connect(address).await.map(drop) }
    });
    let settings =
        |builder: servicekit_health::HealthBuilder| builder.check(check).metrics_path("/metrics");
    Service::start_with(settings, Router::new()).await
}

/// With the rules of `examples/deploy/prometheus`, which wait a second instead of a minute.
struct Prometheus {
    _process: Process,
    base: String,
    /// Keeps the port from everybody else.
    _held: TcpSocket,
}

impl Prometheus {
    async fn start(program: &Path, service: &Service) -> Self {
        let files = tempfile::tempdir().unwrap();
        let rules = deploy::read("prometheus/rules.yml");
        assert!(rules.contains("for: 1m\n"));
        fs::write(files.path().join("rules.yml"), rules.replace("for: 1m\n", "for: 1s\n")).unwrap();
        let address = service.address;
        let configuration = format!(
            "
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: monitoring-api
    static_configs: [{{targets: ['{address}']}}]
"
        );
        let file = files.path().join("prometheus.yml");
        fs::write(&file, configuration).unwrap();

        let held = TcpSocket::new_v4().unwrap();
        held.set_reuseaddr(true).unwrap();
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let own = held.local_addr().unwrap();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", files.path().join("data").display()))
            .arg(format!("--web.listen-address={own}"));
        let process = Process::start_in(files, &mut command);
        let prometheus = Self { _process: process, base: format!("http://{own}"), _held: held };
        let ready = format!("{}/-/ready", prometheus.base);
        eventually("Prometheus is ready", async || {
            let answer = client().get(&ready).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
        prometheus
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = get(&format!("{}/api/v1/{path}", self.base)).await;
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// The states of this alert, `pending` or `firing`, and what it says.
    async fn alerts(&self, name: &str) -> Vec<(String, String)> {
        let alerts = self.ask("alerts").await;
        let alerts = alerts["data"]["alerts"].as_array().unwrap().iter();
        let named = alerts.filter(|alert| alert["labels"]["alertname"] == name);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        named.map(|it| (text(&it["state"]), text(&it["annotations"]["description"]))).collect()
    }
}

#[tokio::test]
async fn an_alert_fires_when_a_dependency_stops_and_resolves_when_it_is_back() {
    let Some(program) = installed("prometheus") else { return };
    let mut dependency = Database::up();
    let service = service(&dependency).await;
    let prometheus = Prometheus::start(&program, &service).await;
    let target = eventually("a scrape", async || {
        let targets = prometheus.ask("targets").await;
        let target = &targets["data"]["activeTargets"][0];
        // There is none at first, then one that was not scraped.
        matches!(target["health"].as_str(), Some("up" | "down")).then(|| target.clone())
    })
    .await;
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()), "{target}");
    assert_eq!(prometheus.alerts("HealthUnhealthy").await, []);

    dependency.goes_down();
    let said = eventually("the alert fires", async || {
        let alerts = prometheus.alerts("HealthUnhealthy").await;
        alerts.into_iter().find(|(state, _)| state == "firing")
    })
    .await;
    assert!(said.1.ends_with("(monitoring-api): dependency"), "{said:?}");

    dependency.comes_back();
    eventually("the alert resolves", async || {
        prometheus.alerts("HealthUnhealthy").await.is_empty().then_some(())
    })
    .await;
    let runs = "servicekit_health_check_runs_total{check=\"dependency\",outcome=\"error\"}";
    let runs = prometheus.ask(&format!("query?query={runs}")).await;
    let failed: f64 = runs["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!(failed >= 1.0, "{runs}");
}

#[tokio::test]
async fn a_drain_is_scraped_and_fires_no_alert_for_what_is_unhealthy() {
    let Some(program) = installed("prometheus") else { return };
    let dependency = Database::up();
    let service = service(&dependency).await;
    let prometheus = Prometheus::start(&program, &service).await;
    let draining = async |value: &'static str| {
        let path = "query?query=servicekit_health_draining";
        eventually(value, async || {
            let seen = prometheus.ask(path).await;
            (seen["data"]["result"][0]["value"][1] == value).then_some(())
        })
        .await;
    };
    draining("0").await;
    service.health.drain();
    draining("1").await;
    let evaluated = async || {
        let rules = prometheus.ask("rules").await;
        rules["data"]["groups"][0]["lastEvaluation"].clone()
    };
    for _ in 0..2 {
        let before = evaluated().await;
        eventually("the rules are evaluated", async || (evaluated().await != before).then_some(()))
            .await;
    }
    assert_eq!(prometheus.alerts("HealthUnhealthy").await, []);
}

/// What `promtool check metrics` exits with, and what it has to say.
fn lint(program: &Path, metrics: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(["check", "metrics", "--extended"]);
    let (status, families, complaints) = fed(&mut command, metrics);
    (status.code(), families, complaints)
}

/// Runs a program with this text on its standard input.
fn fed(command: &mut Command, text: &str) -> (ExitStatus, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    program.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status, text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_of_the_metrics() {
    let Some(program) = installed("promtool") else { return };
    let dependency = Database::up();
    let service = service(&dependency).await;
    get(&service.url("/health")).await;
    let request = client().get(service.url("/metrics")).header("accept", "text/plain");
    let metrics = request.send().await.unwrap().text().await.unwrap();
    let (code, families, complaints) = lint(&program, &metrics);
    assert_eq!((code, &*complaints), (Some(0), ""), "{metrics}");
    assert!(families.contains("servicekit_health_check_duration_seconds"), "{families}");

    // It reads the older format alone, in which a counter and its sample have one name. OpenMetrics
    // forbids that, so of this it says so for each counter, and nothing else.
    let metrics = get(&service.url("/metrics")).await.text().await.unwrap();
    let (_, _, complaints) = lint(&program, &metrics);
    let counters = ["check_runs", "requests", "transitions"];
    let expected = counters.map(|name| format!("servicekit_health_{name}_total no help text\n"));
    assert_eq!(complaints, expected.concat(), "{metrics}");
}

#[tokio::test]
async fn the_metrics_are_openmetrics_by_the_rules_of_the_standard() {
    let Some(python) = python() else { return };
    let dependency = Database::up();
    let service = service(&dependency).await;
    get(&service.url("/health")).await;
    let metrics = get(&service.url("/metrics")).await.text().await.unwrap();
    let mut command = Command::new(python);
    command.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/programs/openmetrics.py")]);
    let (status, families, complaints) = fed(&mut command, &metrics);
    assert!(status.success(), "{complaints}\n{metrics}");
    let families: Vec<_> = families.lines().collect();
    assert_eq!(families.len(), 10, "{families:?}");
    assert!(families.contains(&"counter servicekit_health_check_runs"), "{families:?}");
}
