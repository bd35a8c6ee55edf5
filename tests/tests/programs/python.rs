//! Python's httpx, as services of the original package use it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use servicekit_health::HealthState::{Degraded, Unhealthy};

use crate::common::{Service, python};

const CLIENT: &str = r#"
import json, sys
import httpx
from httpx_sse import connect_sse

base = sys.argv[1]
with httpx.Client(base_url=base, timeout=5) as client:
    plain = client.get("/health")
    assert plain.status_code == 200, plain
    assert plain.json() == {
        "status": "degraded",
        "checks": {
            "database": {"state": "healthy"},
            "redis": {"state": "degraded", "message": "one replica left"},
        },
    }, plain.text
    assert plain.headers["content-type"] == "application/json"
    verbose = client.get("/health", params={"verbose": "true"}).json()
    assert verbose["checks"]["redis"]["tags"] == ["storage", "cache"], verbose
    several = client.get("/health", params={"check": ["database", "redis"], "exclude": "redis"})
    assert several.json() == {"status": "healthy", "checks": {"database": {"state": "healthy"}}}
    bad = client.get("/health/$stream", params={"poll_interval": 0})
    assert bad.status_code == 400 and "poll_interval" in bad.json()["detail"], bad.text

    states = []
    with connect_sse(client, "GET", "/health/$stream", params={"poll_interval": 0.1}) as source:
        for event in source.iter_sse():
            assert event.event == "message", event
            state = json.loads(event.data)["status"]
            if not states or states[-1] != state:
                states.append(state)
                print(state, flush=True)
            if states == ["degraded", "unhealthy"]:
                break
    down = client.get("/health/redis")
    assert down.status_code == 503, down
    assert down.json()["checks"]["redis"]["message"] == "Connection refused"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn httpx_reads_reports_and_streams() {
    let Some(python) = python() else { return };
    let service = Service::start(|app| app).await;
    service.set(Degraded);
    let address = service.address;
    let mut client = Command::new(python)
        .args(["-c", CLIENT, &format!("http://{address}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(client.stdout.take().unwrap()).lines();
    let first = tokio::task::spawn_blocking(move || (told.next().map(Result::unwrap), told));
    let (first, _told) = first.await.unwrap();
    service.set(Unhealthy);
    let output = tokio::task::spawn_blocking(move || client.wait_with_output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(first.as_deref(), Some("degraded"), "the first event of the stream");
}
