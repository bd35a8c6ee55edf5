//! Losing the cache makes the service slower and does not stop it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::process::{Server, have};
use crate::service::{PASSWORD, Service, tell};

const CHECK: &str = "redis";

fn serve(dir: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]).arg("--dir").arg(dir);
    command.args(["--requirepass", PASSWORD, "--save", ""]);
    command
}

async fn start() -> Option<(Service, Server)> {
    if !have(&["redis-server"]) {
        return None;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", server.port);
    let service = Service::start(&[("REDIS_URL", &url)]).await;
    service.says(CHECK, "healthy", "").await;
    Some((service, server))
}

/// Commands on a connection of their own, which is given back.
async fn run(port: u16, commands: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text = format!("AUTH {PASSWORD}\r\n{commands}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"+OK"), "{:?}", String::from_utf8_lossy(&answer));
    stream
}

/// What every fault of the cache is: seen, and no caller is refused or kept waiting.
async fn is_only_seen(service: &Service, cause: &str) -> Duration {
    let noticed = service.says(CHECK, "degraded", cause).await;
    service.stays_ready("degraded").await;
    let asked = Instant::now();
    let answer = service.ask("/api/incidents").await;
    assert_eq!(answer.code, 200, "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    noticed
}

async fn is_over(service: &Service) -> Duration {
    let recovered = service.says(CHECK, "healthy", "").await;
    service.serves_many().await;
    recovered
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_killed() {
    let Some((service, mut server)) = start().await else { return };
    for kill in [false, true] {
        if kill {
            server.kill();
        } else {
            server.end("TERM");
        }
        let noticed = is_only_seen(&service, "Redis cannot be reached: Connection refused").await;
        server.restart().await;
        tell(if kill { "Redis killed" } else { "Redis stopped" }, noticed, is_over(&service).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_and_slow() {
    let Some((service, server)) = start().await else { return };
    let cause = "accepts connections but does not answer within 500ms";
    server.signal("STOP");
    let noticed = is_only_seen(&service, cause).await;
    server.signal("CONT");
    tell("Redis frozen", noticed, is_over(&service).await);

    // Each command waits until then.
    let end = Instant::now() + Duration::from_secs(4);
    let paused = run(server.port, "CLIENT PAUSE 4000 ALL").await;
    let noticed = is_only_seen(&service, cause).await;
    sleep_until(end).await;
    tell("Redis slow", noticed, is_over(&service).await);
    drop(paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_connections() {
    let Some((service, server)) = start().await else { return };
    // Its own connections go, and no new one is left.
    let mut held = vec![run(server.port, "CONFIG SET maxclients 3").await];
    held.push(run(server.port, "CLIENT KILL TYPE normal SKIPME yes").await);
    while let Ok(stream) = TcpStream::connect(("127.0.0.1", server.port)).await
        && held.len() < 20
    {
        held.push(stream);
    }
    let noticed = is_only_seen(&service, "max number of clients reached").await;
    drop(held);
    tell("Redis out of connections", noticed, is_over(&service).await);
}
