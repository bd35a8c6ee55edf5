use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::grpc::Grpc;
use servicekit_health::HealthState::{Degraded, Unhealthy};
use tokio::sync::Mutex;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::cell::Watched;
use crate::process::{Server, have, have_python};
use crate::proxy::Slow;
use crate::usual::usual_faults;

fn serve(dir: &Path, port: u16) -> Command {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/servers/upstream.py"));
    command.arg(port.to_string()).arg(dir);
    command
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap()
}

fn recipe(port: u16) -> Grpc {
    Grpc::new(endpoint(port)).service("readiness").reconnect_every(Duration::from_secs(1))
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(recipe(port));
    Watched::new("gRPC", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn grpc_says_what_is_wrong_and_recovers() {
    if !have(&["iptables"]) || !have_python("grpc_health.v1") {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let dir = server.dir.path().to_owned();
    let mut watched = watch(port).await;
    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let held = Mutex::new(Vec::new());
    let take_all = async || {
        let mut client = HealthClient::new(endpoint(port).connect().await.unwrap());
        for _ in 0..4 {
            let service = "readiness".to_owned();
            let calls = client.watch(HealthCheckRequest { service }).await.unwrap();
            held.lock().await.push(calls);
        }
    };
    let give_back = async || held.lock().await.clear();
    watched.cell("full (calls)", Degraded, "is at its limit", take_all, give_back).await;
    let take_down = async || fs::write(dir.join("down"), "").unwrap();
    let bring_back = async || fs::remove_file(dir.join("down")).unwrap();
    watched.cell("not ready", Unhealthy, "says NOT_SERVING", take_down, bring_back).await;
    let lock = async || fs::write(dir.join("locked"), "").unwrap();
    let reopen = async || fs::remove_file(dir.join("locked")).unwrap();
    let credentials = "refuses the credentials: token expired";
    watched.cell("asks for credentials", Unhealthy, credentials, lock, reopen).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();

    let unknown = recipe(port).service("nobody");
    let expected = "gRPC upstream knows no service `nobody`";
    assert_eq!(unknown.check().await.unwrap_err(), expected);
}
