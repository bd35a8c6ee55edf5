//! HAProxy takes a service out and back in by its health.

use std::fs;
use std::process::Command;

use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};

use crate::common::{Running, Service, ask, eventually, folder, free_port, program};

/// Three ways in which HAProxy is commonly told to check, and its statistics as CSV.
fn configuration(service: u16, statistics: u16) -> String {
    let server = format!("server one 127.0.0.1:{service} check inter 100ms fall 2 rise 2");
    format!(
        "defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s

frontend statistics
    bind 127.0.0.1:{statistics}
    stats enable
    stats uri /

# Its default: OPTIONS, HTTP/1.0, no Host.
backend options
    option httpchk OPTIONS /readyz
    {server}

backend get
    option httpchk
    http-check send meth GET uri /readyz
    http-check expect status 200
    {server}

# Out as soon as anything is less than healthy.
backend strict
    option httpchk
    http-check send meth GET uri /health
    http-check expect hdr name x-health-status value healthy
    {server}
"
    )
}

/// Waits until the three backends are in these states.
async fn backends(statistics: u16, expected: [&'static str; 3]) {
    let what = format!("options, get and strict are {expected:?}");
    eventually(&what, move || {
        let csv = ask(statistics, "GET /;csv HTTP/1.0");
        let state = |backend: &str| {
            let line = csv.lines().find(|line| line.starts_with(&format!("{backend},one,")))?;
            line.split(',').nth(17).map(str::to_owned)
        };
        let states = ["options", "get", "strict"].map(|backend| state(backend).unwrap_or_default());
        (states == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_follows_the_health_of_a_service() {
    let Some(haproxy) = program("haproxy") else { return };
    let service = Service::start(|app| app).await;
    let statistics = free_port();
    let file = folder("haproxy").join("haproxy.cfg");
    fs::write(&file, configuration(service.address.port(), statistics)).unwrap();
    let _haproxy = Running::start(Command::new(haproxy).args(["-db", "-q", "-f"]).arg(file));

    backends(statistics, ["UP", "UP", "UP"]).await;
    service.set(Unhealthy);
    backends(statistics, ["DOWN", "DOWN", "DOWN"]).await;
    service.set(Degraded);
    backends(statistics, ["UP", "UP", "DOWN"]).await;
    service.set(Healthy);
    backends(statistics, ["UP", "UP", "UP"]).await;
    service.health.drain();
    backends(statistics, ["DOWN", "DOWN", "DOWN"]).await;
}
