//! Tansu, a broker of one process that speaks Kafka's protocol, in the place of Kafka itself.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use recipes::kafka::Kafka;
use servicekit_health::HealthState::Unhealthy;
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults_with;

/// Clients go on to the address that the broker tells them: its own, unless set.
fn serve(port: u16, advertised: u16, strict: bool) -> Command {
    let mut command = Command::new("tansu");
    let advertised = if advertised == 0 { port } else { advertised };
    command.args(["broker", "--listener-url", &url(port), "--storage-engine", "memory://tansu/"]);
    command.args(["--advertised-listener-url", &url(advertised)]);
    if strict {
        command.arg("--authentication");
    }
    command
}

fn url(port: u16) -> String {
    format!("tcp://127.0.0.1:{port}")
}

fn create_topic(port: u16) {
    let mut command = Command::new("tansu");
    command.args(["topic", "create", "--broker", &url(port), "orders"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn topic(port: u16, topic: &str) -> Kafka {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    Kafka::new(config, topic).unwrap()
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(topic(port, "orders"));
    Watched::new("Kafka", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn kafka_says_what_is_wrong_and_recovers() {
    if !have(&["tansu", "iptables"]) {
        return;
    }
    let settings = Arc::new((AtomicU16::new(0), AtomicBool::new(false)));
    let given = Arc::clone(&settings);
    let command = move |_: &Path, port| {
        serve(port, given.0.load(Ordering::Relaxed), given.1.load(Ordering::Relaxed))
    };
    let server = Server::start(tempfile::tempdir().unwrap(), command).await;
    let port = server.port;
    create_topic(port);
    let mut watched = watch(port).await;

    let state = Unhealthy;
    let server = &Mutex::new(server);
    // What it holds is in its memory.
    let restored = async || create_topic(port);
    usual_faults_with(&mut watched, server, state, "TERM", restored).await;

    let stop = async || server.lock().await.end("TERM");
    let restart = || async {
        server.lock().await.restart().await;
        create_topic(port);
    };
    let strict = async || {
        stop().await;
        settings.1.store(true, Ordering::Relaxed);
        server.lock().await.restart().await;
    };
    let lax = async || {
        stop().await;
        settings.1.store(false, Ordering::Relaxed);
        restart().await;
    };
    // Not the cause, and all that librdkafka tells.
    let silent = "accepts connections but does not answer";
    watched.cell("asks for credentials", state, silent, strict, lax).await;
    watched.finish();

    let unknown = topic(port, "unknown").check().await.unwrap_err();
    assert!(unknown.starts_with("Kafka, topic unknown: "), "{unknown}");

    strict().await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    // Tansu takes SCRAM only, for which librdkafka would have to be built with OpenSSL.
    config.set("security.protocol", "sasl_plaintext").set("sasl.mechanism", "PLAIN");
    config.set("sasl.username", "app").set("sasl.password", PASSWORD);
    let plain = Kafka::new(config, "orders").unwrap();
    let mut message = String::new();
    for _ in 0..10 {
        message = plain.check().await.unwrap_err();
        if message.starts_with("Kafka refuses the credentials") {
            break;
        }
    }
    assert!(message.starts_with("Kafka refuses the credentials: "), "{message}");
    assert!(!message.contains(PASSWORD), "{message}");
    println!("{message}");
    settings.1.store(false, Ordering::Relaxed);

    let slow = Slow::start(port).await;
    settings.0.store(slow.port, Ordering::Relaxed);
    stop().await;
    restart().await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", state, "does not answer within 500ms", late, quick).await;
    watched.finish();
}
