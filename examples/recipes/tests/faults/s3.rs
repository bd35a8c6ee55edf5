use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use recipes::s3::S3;
use servicekit_health::HealthState::{Degraded, Unhealthy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults_with;

fn serve(_: &Path, port: u16) -> Command {
    let mut command = Command::new("moto_server");
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    command
}

/// A request without a signature, which the server takes while it asks for none.
async fn request(port: u16, method: &str, path: &str, body: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
}

fn bucket(port: u16) -> S3 {
    let builder = AmazonS3Builder::new()
        .with_endpoint(format!("http://127.0.0.1:{port}"))
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("uploads")
        .with_access_key_id("app")
        .with_secret_access_key(PASSWORD);
    S3::new(builder).unwrap()
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(bucket(port));
    Watched::new("S3", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn s3_says_what_is_wrong_and_recovers() {
    if !have(&["moto_server", "iptables"]) {
        return;
    }
    // The one that this workspace is built with; a program with the feature `aws` needs no such line.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    request(port, "PUT", "/uploads", "").await;
    let mut watched = watch(port).await;

    let state = Unhealthy;
    let server = &Mutex::new(server);
    // What it holds is in its memory.
    let restored = async || {
        request(port, "PUT", "/uploads", "").await;
    };
    usual_faults_with(&mut watched, server, state, "TERM", restored).await;

    let remove = async || request(port, "DELETE", "/uploads", "").await;
    let create = async || request(port, "PUT", "/uploads", "").await;
    watched.cell("bucket removed", state, "S3: NoSuchBucket", remove, create).await;
    // From now on it knows no key, and then again each.
    let strict = async || request(port, "POST", "/moto-api/reset-auth", "0").await;
    let lax = async || request(port, "POST", "/moto-api/reset-auth", "inf").await;
    watched.cell("key withdrawn", state, "refuses the credentials", strict, lax).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", state, "does not answer within 500ms", late, quick).await;
    watched.finish();
}

/// moto takes any number of requests, so the answer of a busy S3 comes from the test.
#[tokio::test]
async fn s3_that_asks_for_fewer_requests_is_degraded() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bucket = bucket(listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>\
                    <RequestId>1</RequestId></Error>";
        let length = body.len();
        let answer = format!("HTTP/1.1 503 Slow Down\r\ncontent-length: {length}\r\n\r\n{body}");
        let read = stream.read(&mut [0; 4096]).await.unwrap();
        assert_ne!(read, 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let result = bucket.check().await.unwrap();
    let expected = "S3 asks for fewer requests: Please reduce your request rate.";
    assert_eq!((result.state(), result.message()), (Degraded, Some(expected)));
}
