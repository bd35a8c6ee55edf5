//! Python reads health with `httpx`, and the stream with `httpx-sse`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use servicekit_health::CheckResult;
use tokio::time::sleep;

use crate::common::{Process, Service, eventually, python};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/client.py");

fn run(python: &Path, function: &str, services: &[&Service]) -> Process {
    let urls = services.iter().map(|service| service.url(""));
    // Without `-B` it would write beside the sources.
    Process::start(Command::new(python).args(["-B", CLIENT, function]).args(urls))
}

async fn ends_well(mut process: Process) {
    let status = eventually("the end", async || process.status()).await;
    assert!(status.success(), "{}", process.said());
}

#[tokio::test]
async fn the_states_come_with_their_codes() {
    let Some(python) = python() else { return };
    let [healthy, degraded, unhealthy] =
        [Service::start().await, Service::start().await, Service::start().await];
    degraded.redis(CheckResult::degraded("no replica"));
    unhealthy.database(CheckResult::unhealthy("gone"));
    ends_well(run(&python, "states", &[&healthy, &degraded, &unhealthy])).await;
}

#[tokio::test]
async fn the_verbose_form_is_selected_and_its_times_are_parsed() {
    let Some(python) = python() else { return };
    ends_well(run(&python, "verbose", &[&Service::start().await])).await;
}

#[tokio::test]
async fn the_stream_is_read_at_the_interval_that_was_asked_for() {
    let Some(python) = python() else { return };
    ends_well(run(&python, "stream", &[&Service::start().await])).await;
}

#[tokio::test]
async fn a_quiet_stream_outlives_the_patience_of_the_client_and_ends_with_the_drain() {
    let Some(python) = python() else { return };
    let service = Service::start().await;
    let mut client = run(&python, "changes", &[&service]);
    let said = async |client: &Process, line: &str| {
        eventually(line, async || client.said().lines().any(|said| said == line).then_some(()))
            .await;
    };
    said(&client, "healthy serving").await;
    sleep(Duration::from_secs(7)).await;
    assert_eq!(client.status(), None, "{}", client.said());
    service.redis(CheckResult::degraded("no replica"));
    said(&client, "degraded serving").await;

    service.health.drain();
    said(&client, "unhealthy draining").await;
    ends_well(client).await;
    eventually("the end of the service", async || service.has_ended().then_some(())).await;
}
