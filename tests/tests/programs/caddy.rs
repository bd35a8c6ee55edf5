//! Caddy with `examples/deploy/caddy/Caddyfile`.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use crate::balancing::{Balanced, Place};
use crate::common::{Events, Process, get, installed};
use crate::deploy;

async fn balanced() -> Option<Balanced> {
    let program = installed("caddy")?;
    let admin = Place::free();
    let start = |entrance: SocketAddr, [one, two]: [SocketAddr; 2]| {
        let files = tempfile::tempdir().unwrap();
        let [one, two] = [one, two].map(|address| address.to_string());
        let text = deploy::placed(
            "caddy/Caddyfile",
            &[
                ("localhost:2019", &admin.address.to_string()),
                ("default_bind 0.0.0.0", "default_bind 127.0.0.1"),
                ("http://:8080", &format!("http://:{}", entrance.port())),
                ("10.0.0.11:8080", &one),
                ("10.0.0.12:8080", &two),
            ],
        );
        let file = files.path().join("Caddyfile");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        // It keeps its state in the home directory.
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, files.path());
        }
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        Process::start_in(files, &mut command)
    };
    Some(Balanced::start(&[], start).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_instance_gets_no_request_until_it_recovers() {
    let Some(caddy) = balanced().await else { return };
    caddy.an_unhealthy_instance_gets_no_request_until_it_recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_instance_keeps_its_traffic() {
    let Some(caddy) = balanced().await else { return };
    caddy.a_degraded_instance_keeps_its_traffic().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_loses_no_request() {
    let Some(mut caddy) = balanced().await else { return };
    caddy.a_deploy_loses_no_request().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_stream_come_through_as_they_are_sent() {
    let Some(caddy) = balanced().await else { return };
    let start = Instant::now();
    let mut events = Events::of(get(&caddy.url("/health/$stream?poll_interval=1")).await);
    for _ in 0..3 {
        assert_eq!(events.event().await.unwrap()["status"], "healthy");
    }
    assert!((1500..3500).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}
