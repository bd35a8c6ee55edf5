use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::connection::State;
use recipes::nats::Nats;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

fn configure(dir: &Path, port: u16, password: &str, connections: u16) {
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_connections: {connections}\nauthorization {{ users = [\n\
         {{user: app, password: {password}}}\n\
         {{user: ops, password: ops}}\n\
         {{user: mute, password: mute, permissions: {{publish: {{deny: \"_INBOX.>\"}}}}}}\n] }}\n"
    );
    fs::write(dir.join("nats.conf"), config).unwrap();
}

fn serve(dir: &Path, port: u16) -> Command {
    configure(dir, port, PASSWORD, 100);
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(dir.join("nats.conf"));
    command
}

async fn connect(port: u16, user: &str, password: &str) -> Nats {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    Nats::connect(&format!("nats://127.0.0.1:{port}"), options).await.unwrap()
}

async fn watch(port: u16, recipe: &Arc<Nats>) -> Watched {
    let recipe = Arc::clone(recipe);
    Watched::new("NATS", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn nats_says_what_is_wrong_and_recovers() {
    if !have(&["nats-server", "iptables"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let recipe = Arc::new(connect(port, "app", PASSWORD).await);
    let mut watched = watch(port, &recipe).await;
    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let reload = async |password: &str, connections| {
        let server = server.lock().await;
        configure(server.dir.path(), port, password, connections);
        server.signal("HUP");
    };
    let held = Mutex::new(Vec::new());
    let take_all = async || loop {
        for _ in 0..20 {
            // Once it is refused it does not try again.
            let ops = ConnectOptions::with_user_and_password("ops".into(), "ops".into());
            let ops = ops.max_reconnects(1).connect(format!("127.0.0.1:{port}")).await;
            held.lock().await.push(ops.unwrap());
        }
        // The server keeps one connection of its choice, which must not be ours.
        reload(PASSWORD, 1).await;
        sleep(Duration::from_millis(300)).await;
        if recipe.client().connection_state() != State::Connected {
            break;
        }
        reload(PASSWORD, 100).await;
        sleep(Duration::from_secs(1)).await;
    };
    let give_back = async || {
        held.lock().await.clear();
        reload(PASSWORD, 100).await;
    };
    let full = "no connection left";
    watched.cell("out of connections", Unhealthy, full, take_all, give_back).await;

    let change = async || reload("changed", 100).await;
    let change_back = async || reload(PASSWORD, 100).await;
    let credentials = "refuses the credentials";
    watched.cell("another password", Unhealthy, credentials, change, change_back).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let recipe = Arc::new(connect(slow.port, "app", PASSWORD).await);
    let mut watched = watch(slow.port, &recipe).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();
}

#[tokio::test]
async fn nats_tells_of_dropped_messages_and_of_a_forbidden_inbox() {
    if !have(&["nats-server"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;

    let mute = connect(server.port, "mute", "mute").await;
    let mut message = String::new();
    for _ in 0..20 {
        message = mute.check().await.unwrap_err();
        if message.contains("inbox") {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(message.starts_with("NATS refuses messages between this user and its own inbox"));

    let options = ConnectOptions::with_user_and_password("app".into(), PASSWORD.into());
    let address = format!("nats://127.0.0.1:{}", server.port);
    let nats = Nats::connect(&address, options.subscription_capacity(1)).await.unwrap();
    let client = nats.client();
    let _not_read = client.subscribe("news").await.unwrap();
    for _ in 0..10 {
        client.publish("news", "x".into()).await.unwrap();
    }
    let mut result = nats.check().await;
    for _ in 0..20 {
        if result.as_ref().is_ok_and(|result| result.state() != Healthy) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        result = nats.check().await;
    }
    let result = result.unwrap();
    assert_eq!(result.state(), Degraded);
    assert_eq!(
        result.message(),
        Some("NATS messages are dropped: a subscription does not keep up")
    );
}
