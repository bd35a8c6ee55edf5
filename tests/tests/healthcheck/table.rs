//! `watch` in a terminal: a live table.

use std::process::Command;

use rustix::process::Signal;
use servicekit_health::{CheckResult, HealthState};

use super::pty::Pty;
use super::*;

fn watch(urls: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("watch").args(urls).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// The words of the row that begins with this name.
fn row(screen: &str, name: &str) -> Option<Vec<String>> {
    let mut rows = screen.lines().map(|line| line.split_whitespace().map(str::to_owned).collect());
    rows.find(|row: &Vec<String>| row.first().is_some_and(|first| first == name))
}

fn state(screen: &str, name: &str) -> Option<String> {
    row(screen, name)?.get(1).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_follows_the_services_and_leaves_the_terminal_as_it_was() {
    let (listener, url) = listen().await;
    let redis_state = switch(HealthState::Healthy);
    let health = redis(&redis_state);
    serve(listener, health.router());
    let address = url.strip_prefix("http://").unwrap().to_owned();
    let down = "127.0.0.1:1";

    let mut pty = Pty::start(&mut watch(&[&address, down]), 12, 100);
    pty.shows("both services", |screen| {
        let text = screen.contents();
        state(&text, &address).as_deref() == Some("healthy")
            && state(&text, down).as_deref() == Some("unreachable")
            && screen.alternate_screen()
            && screen.hide_cursor()
    })
    .await;
    let text = pty.screen();
    assert!(text.starts_with("2 services (1 not connected), 1 check: 1 healthy "), "{text}");
    let redis = row(&text, "redis").unwrap();
    assert!(redis.len() >= 4 && redis.last().unwrap().ends_with("ms"), "since, latency: {text}");
    assert!(row(&text, down).unwrap().join(" ").contains("Connection refused"), "{text}");
    assert!(pty.written().contains("\x1b[32mhealthy\x1b[0m"), "{:?}", pty.written());

    set(&redis_state, CheckResult::degraded("a\u{1b}[2Jb\nc\u{202e}"));
    pty.shows("the escaped message", |screen| {
        let text = screen.contents();
        row(&text, "redis").is_some_and(|row| row.last().unwrap() == r"a\u{1b}[2Jb\nc\u{202e}")
    })
    .await;

    pty.resize(5, 40);
    pty.shows("a smaller table", |screen| {
        let text = screen.contents();
        text.lines().all(|line| line.chars().count() <= 40)
            && row(&text, "SERVICE").is_some_and(|row| row[1..] == ["STATE", "MESSAGE"])
            && state(&text, "redis").as_deref() == Some("degraded")
    })
    .await;

    pty.signal(Signal::INT);
    assert_eq!(pty.ended().await.code(), Some(0));
    pty.shows("the last table on the first screen", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("redis")
    })
    .await;
    assert!(pty.written().contains("\x1b[?7h"), "lines wrap again");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_color_keeps_the_table_and_drops_its_colors() {
    let url = service(HealthState::Healthy).await;
    let pty = Pty::start(watch(&[&url]).env("NO_COLOR", "1"), 10, 80);
    pty.shows("the check", |screen| state(&screen.contents(), "redis").is_some()).await;
    let written = pty.written();
    assert!(written.contains("\x1b[H") && !written.contains("\x1b[32m"), "{written:?}");
    assert!(!written.contains("\x1b[1m"), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_not_a_health_stream_leaves_the_terminal_with_its_error() {
    let page = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let url = raw(page, b"", Then::Close).await;
    let mut pty = Pty::start(&mut watch(&[&url]), 10, 160);
    assert_eq!(pty.ended().await.code(), Some(1));
    pty.shows("the error alone", |screen| {
        let text = screen.contents();
        text.starts_with("failed: ")
            && text.contains("returned 404 Not Found")
            && text.trim_end().lines().count() == 1
            && !screen.alternate_screen()
            && !screen.hide_cursor()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_move_its_cursor_gets_the_log() {
    let url = service(HealthState::Healthy).await;
    let mut command = watch(&[&url]);
    let pty = Pty::start_with_term(&mut command, "dumb", 10, 100);
    pty.shows("the log", |screen| screen.contents().contains("redis healthy")).await;
    assert!(!pty.written().contains('\x1b'), "{:?}", pty.written());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_floods_its_stream_neither_hides_the_others_nor_holds_up_the_end() {
    let healthy = service(HealthState::Healthy).await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let flood = raw(head, b"data: {\"status\":\"degraded\"}\n\n", Then::Close).await;
    let mut pty = Pty::start(&mut watch(&[&flood, &healthy]), 10, 80);
    let label = flood.strip_prefix("http://").unwrap().to_owned();
    pty.shows("both services", |screen| {
        let text = screen.contents();
        state(&text, &label).as_deref() == Some("degraded")
            && state(&text, "redis").as_deref() == Some("healthy")
    })
    .await;
    pty.signal(Signal::INT);
    assert_eq!(pty.ended().await.code(), Some(0));
    pty.shows("the first screen", |screen| !screen.alternate_screen() && !screen.hide_cursor())
        .await;
}
