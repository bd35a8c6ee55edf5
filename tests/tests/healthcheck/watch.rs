//! `watch` where stdout is not a terminal: a log.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use servicekit_health::{self as health, Check, CheckResult, HealthState};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::*;
use crate::common::{Process, eventually};

/// `watch`, read line by line.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(arguments: &[&str]) -> Self {
        let mut command = command(PROGRAM, &[&["watch"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line without its time.
    async fn next(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        let line = line.unwrap().expect("a line");
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        text.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_is_logged_then_each_change_and_then_the_next_process() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let first = TcpListener::from_std(socket.try_clone().unwrap()).unwrap();
    let state = switch(HealthState::Healthy);
    let health = redis(&state);
    let server =
        axum::serve(first, health.router()).with_graceful_shutdown(health.shutdown_signal());
    let server = tokio::spawn(async move { server.await });

    let mut watch = Watch::start(&["--url", &url]);
    assert_eq!(watch.next().await, format!("connected to {url}: healthy"));
    assert_eq!(watch.next().await, "redis healthy");
    set(&state, CheckResult::degraded("refused"));
    assert_eq!(watch.next().await, "redis healthy -> degraded: refused");
    set(&state, CheckResult::degraded("timed out"));
    assert_eq!(watch.next().await, "redis degraded: timed out");
    set(&state, HealthState::Healthy);
    assert_eq!(watch.next().await, "redis degraded -> healthy");

    health.drain();
    assert_eq!(watch.next().await, "draining: the service is shutting down");
    server.await.unwrap().unwrap();

    let second = TcpListener::from_std(socket).unwrap();
    serve(second, redis(&switch(CheckResult::unhealthy("gone"))).router());
    let mut line = watch.next().await;
    while line.starts_with("disconnected: ") {
        line = watch.next().await;
    }
    assert_eq!(line, format!("connected to {url}: unhealthy"));
    assert_eq!(watch.next().await, "redis unhealthy: gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_running_yet_is_waited_for_and_that_is_logged_once() {
    // Bound but not listening: refused until it listens, and the port is taken.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let mut watch = Watch::start(&[url.strip_prefix("http://").unwrap()]);
    let line = watch.next().await;
    assert!(line.starts_with(&format!("waiting for {url}: Connection refused")), "{line}");
    assert!(line.ends_with("; retrying"), "{line}");
    // Time for two more attempts.
    assert!(timeout(Duration::from_secs(2), watch.lines.next_line()).await.is_err());
    serve(socket.listen(16).unwrap(), redis(&switch(HealthState::Healthy)).router());
    assert_eq!(watch.next().await, format!("connected to {url}: healthy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_is_disconnected_at_once() {
    let mut service = std::process::Command::new(env!("CARGO_BIN_EXE_service"));
    let service = Process::start(&mut service);
    let url = eventually("an address", async || {
        let said = service.said();
        let line = said.lines().find(|line| line.starts_with("http://"))?;
        line.strip_suffix('/').map(str::to_owned)
    })
    .await;
    let mut watch = Watch::start(&[&url]);
    assert_eq!(watch.next().await, format!("connected to {url}: healthy"));
    for check in ["alive", "damped", "target"] {
        assert_eq!(watch.next().await, format!("{check} healthy"));
    }
    drop(service);
    let line = watch.next().await;
    assert!(line.starts_with("disconnected: ") && line.ends_with("; reconnecting"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_in_any_way_is_opened_again() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let event = |state| format!("{HEAD}data: {{\"status\":\"{state}\"}}\n\n");
        let again = event("healthy");
        for answer in [
            event("healthy").as_str(),
            // A regular end is no outage.
            &(event("unhealthy") + "data: {\"status\":\"unheal"),
            "",
            &again,
            "not HTTP at all\r\n\r\n",
            &again,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            &again,
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            &again,
            // Half of a chunk.
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
             transfer-encoding: chunked\r\n\r\n99\r\ndata: ",
            &again,
        ] {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let mut watch = Watch::start(&[&url]);
    let connected = format!("connected to {url}: healthy");
    assert_eq!(watch.next().await, connected);
    assert_eq!(watch.next().await, "status healthy -> unhealthy");
    for reason in ["", "invalid HTTP/1.1", "404 Not Found", "503 Service Unavailable", ""] {
        let line = watch.next().await;
        assert!(line.starts_with("disconnected: ") && line.contains(reason), "{line}");
        assert_eq!(watch.next().await, connected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_selected_checks_are_watched() {
    let (listener, url) = listen().await;
    let fixed = |name| Check::new(name, || async { HealthState::Healthy });
    let health = health::builder().check(fixed("queue")).check(fixed("redis")).check(fixed("disk"));
    serve(listener, health.router());
    let mut watch = Watch::start(&[&url, "--check", "redis", "--check", "disk"]);
    assert!(watch.next().await.starts_with("connected "));
    assert_eq!(watch.next().await, "disk healthy");
    assert_eq!(watch.next().await, "redis healthy");
    run(PROGRAM, &["watch", &url, "--check", "reddis"]).await.failed_with("400 Bad Request: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_names_its_service_where_there_are_several() {
    let one = service(HealthState::Healthy).await;
    let two = service(CheckResult::unhealthy("gone")).await;
    let mut watch = Watch::start(&[&one, &two]);
    let mut lines = Vec::new();
    while lines.len() < 4 {
        lines.push(watch.next().await);
    }
    let label = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    assert!(lines.contains(&format!("{} redis healthy", label(&one))), "{lines:?}");
    assert!(lines.contains(&format!("{} redis unhealthy: gone", label(&two))), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_not_a_health_stream_fails() {
    let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi";
    let news = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: \x1b[2J news\n\n";
    let moved = b"HTTP/1.1 308 Permanent Redirect\r\nlocation: https://host/\r\n\r\n";
    for (bytes, text) in [
        (&page[..], "returned 200 OK with text/html"),
        (news, r"not a health stream: unexpected event `\u{1b}[2J news`"),
        (moved, "308 Permanent Redirect: redirects are not followed (location: https://host/)"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "returned 404 Not Found"),
        (b"220 mail.example ESMTP\r\n", "invalid HTTP/1.1 response"),
    ] {
        let url = raw(bytes, b"", Then::Close).await;
        run(PROGRAM, &["watch", &url]).await.failed_with(text);
    }
    let url = raw(b"HTTP/1.1 200 OK\r\n", b"x: yyyyyyyyyyyyyyyyyyyy\r\n", Then::Close).await;
    run(PROGRAM, &["watch", &url]).await.failed_with("failed: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_urls_fail_only_where_none_is_a_health_stream() {
    let page = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let (one, two) = (raw(page, b"", Then::Close).await, raw(page, b"", Then::Close).await);
    let outcome = run(PROGRAM, &["watch", &one, &two]).await;
    assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(1), 2), "{}", outcome.stderr);

    let healthy = service(HealthState::Healthy).await;
    let mut watch = Watch::start(&[&one, &healthy]);
    let mut lines = [watch.next().await, watch.next().await, watch.next().await];
    lines.sort_by_key(|line| line.contains("404"));
    assert!(lines[1].ends_with(" redis healthy") && lines[2].contains("404"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_colored_only_where_colors_are_wanted() {
    let url = service(HealthState::Healthy).await;
    for (forced, colored) in [(false, false), (true, true)] {
        let mut command = command(PROGRAM, &["watch", &url]);
        if forced {
            command.env("CLICOLOR_FORCE", "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert_eq!(line.contains('\u{1b}'), colored, "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_output_ends_it() {
    let (listener, url) = listen().await;
    let state = switch(HealthState::Healthy);
    serve(listener, redis(&state).router());
    let Watch { mut child, mut lines } = Watch::start(&[&url]);
    lines.next_line().await.unwrap();
    drop(lines);
    set(&state, HealthState::Degraded);
    let status = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
}
