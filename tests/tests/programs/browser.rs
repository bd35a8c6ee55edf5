//! EventSource in a real browser.

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use servicekit_health::HealthState::{Degraded, Unhealthy};

use crate::common::{Running, Service, eventually, folder, program};

/// Sends back every status that `onmessage` sees.
const PAGE: &str = r#"<!doctype html><title>health</title><script>
const source = new EventSource("STREAM");
source.onmessage = (event) =>
    fetch("/seen", { method: "POST", body: JSON.parse(event.data).status });
</script>"#;

type Seen = Arc<Mutex<Vec<String>>>;

async fn seen(State(seen): State<Seen>, status: String) {
    let mut seen = seen.lock().unwrap();
    if seen.last() != Some(&status) {
        seen.push(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn onmessage_of_an_event_source_sees_every_state() {
    let Some(chromium) = program("chromium") else { return };
    let log = Seen::default();
    let page = PAGE.replace("STREAM", "/health/$stream?poll_interval=0.2");
    let service = Service::start(|app| {
        let state = Arc::clone(&log);
        let own = Router::new().route("/", get(Html(page))).route("/seen", post(seen));
        app.merge(own.with_state(state))
    })
    .await;
    let _browser = Running::start(
        Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", folder("chromium").display()))
            .arg("--remote-debugging-port=0")
            .arg(format!("http://{}/", service.address))
            .stderr(std::process::Stdio::null()),
    );
    for (state, expected) in [
        (None, vec!["healthy"]),
        (Some(Degraded), vec!["healthy", "degraded"]),
        (Some(Unhealthy), vec!["healthy", "degraded", "unhealthy"]),
    ] {
        if let Some(state) = state {
            service.set(state);
        }
        let log = Arc::clone(&log);
        eventually(&format!("{expected:?} was seen"), move || {
            (*log.lock().unwrap() == expected).then_some(())
        })
        .await;
    }
}
