use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::memcached::Memcached;
use servicekit_health::HealthState::Unhealthy;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::cell::Watched;
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

fn serve(_: &Path, port: u16) -> Command {
    let mut command = Command::new("memcached");
    command.args(["-l", "127.0.0.1", "-u", "root", "-c", "40", "-t", "1", "-p", &port.to_string()]);
    command
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(Memcached::new("127.0.0.1", port));
    Watched::new("memcached", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn memcached_says_what_is_wrong_and_recovers() {
    if !have(&["memcached", "iptables"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let mut watched = watch(port).await;

    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let held = Mutex::new(Vec::new());
    let take_all = async || {
        for _ in 0..45 {
            held.lock().await.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
    };
    let give_back = async || held.lock().await.clear();
    let message = "Too many open connections";
    watched.cell("out of connections", Unhealthy, message, take_all, give_back).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();
}
