//! A page in a browser listens with the plain `onmessage` of an `EventSource`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use servicekit_health::{CheckResult, HealthBuilder};

use crate::common::{Database, Example, Process, Service, eventually, installed};

/// A page that listens to the stream of its query, and tells what it gets in the order it came.
const PAGE: &str = r#"<!doctype html>
<title>dashboard</title>
<script>
    let told = Promise.resolve();
    const tell = body => told = told.then(() => fetch("/seen", { method: "POST", body }));
    const source = new EventSource(decodeURIComponent(location.search.slice(1)));
    source.onmessage = event => tell(event.data);
    source.onerror = () => tell(JSON.stringify("error"));
</script>
"#;

/// What the page has got, and how much of it the test has looked at.
#[derive(Default)]
struct Seen {
    all: Arc<Mutex<Vec<Value>>>,
    looked: usize,
}

impl Seen {
    fn routes(&self) -> Router {
        let seen = Arc::clone(&self.all);
        let note = async move |body: String| {
            seen.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        };
        Router::new().route("/", get(async || Html(PAGE))).route("/seen", post(note))
    }

    /// The next that the page gets.
    async fn next(&mut self) -> Value {
        let looked = self.looked;
        let look = async || self.all.lock().unwrap().get(looked).cloned();
        let next = eventually("the page gets something", look).await;
        self.looked += 1;
        next
    }
}

/// Opens the page of this service on the stream at `url`.
fn open(program: &Path, page: SocketAddr, url: &str) -> Process {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        // Nothing but loopback.
        .args(["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
        // Keeps it open.
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://{page}/?{url}"));
    Process::start_in(profile, &mut command)
}

#[tokio::test]
async fn onmessage_gets_every_state_and_that_the_service_drains() {
    let Some(program) = installed("chromium") else { return };
    let mut seen = Seen::default();
    let slow = |builder: HealthBuilder| builder.drain_delay(Duration::from_secs(60));
    let service = Service::start_with(slow, seen.routes()).await;
    let url = "/health/$stream?on=change%26poll_interval=0.1";
    let _browser = open(&program, service.address, url);

    let up = json!({"state": "healthy"});
    assert_eq!(
        seen.next().await,
        json!({"status": "healthy", "checks": {"database": up, "redis": up}})
    );
    service.redis(CheckResult::degraded("no replica"));
    let weak = json!({"state": "degraded", "message": "no replica"});
    assert_eq!(
        seen.next().await,
        json!({"status": "degraded", "checks": {"database": up, "redis": weak}})
    );
    service.database(CheckResult::unhealthy("gone\n\ndata: {}"));
    let down = json!({"state": "unhealthy", "message": "gone\n\ndata: {}"});
    assert_eq!(
        seen.next().await,
        json!({"status": "unhealthy", "checks": {"database": down, "redis": weak}})
    );
    service.database(CheckResult::healthy());
    service.redis(CheckResult::healthy());
    while seen.next().await["status"] != "healthy" {}

    service.health.drain();
    for _ in ["the open stream", "the one that the browser opens instead"] {
        let last = seen.next().await;
        assert_eq!(last["checks"]["$drain"], json!({"state": "unhealthy", "message": "draining"}));
        assert_eq!(seen.next().await, json!("error"), "it ends");
    }
}

#[tokio::test]
async fn a_page_of_the_dashboard_reads_the_stream_of_another_origin() {
    let Some(program) = installed("chromium") else { return };
    let (mut ours, mut theirs) = (Seen::default(), Seen::default());
    let dashboard = Service::start_with(|builder| builder, ours.routes()).await;
    let elsewhere = Service::start_with(|builder| builder, theirs.routes()).await;
    let mut database = Database::up();
    let variables = [("DASHBOARD", &*dashboard.url("")), ("DATABASE", &*database.address())];
    let example = Example::start("cors", &variables).await;

    let _browser = open(&program, dashboard.address, &example.url("/health/$stream"));
    assert_eq!(ours.next().await["status"], "healthy");
    database.goes_down();
    while ours.next().await["status"] != "unhealthy" {}

    let _other = open(&program, elsewhere.address, &example.url("/health/$stream"));
    assert_eq!(theirs.next().await, json!("error"), "not a page of the dashboard");
}
