//! What a person at a terminal asks, and a script that goes by the exit status.

use std::path::Path;

use servicekit_health::CheckResult;
use tokio::process::Command;

use crate::common::{Service, installed};

struct Said {
    exit: Option<i32>,
    text: String,
}

async fn curl(program: &Path, arguments: &[&str], url: String) -> Said {
    let mut command = Command::new(program);
    // `-q` leaves out the configuration of who runs it.
    command.args(["-q", "--silent", "--noproxy", "*", "--max-time", "20"]);
    let output = command.args(arguments).arg(url).kill_on_drop(true).output().await.unwrap();
    Said { exit: output.status.code(), text: String::from_utf8(output.stdout).unwrap() }
}

#[tokio::test]
async fn head_and_options_end_at_once_with_the_status_of_get() {
    let Some(program) = installed("curl") else { return };
    let service = Service::start().await;
    for (state, code) in [("healthy", "200 OK"), ("unhealthy", "503 Service Unavailable")] {
        if state == "unhealthy" {
            service.database(CheckResult::unhealthy("gone"));
        }
        for arguments in [&["--head"][..], &["--include", "-X", "OPTIONS"]] {
            for path in ["/health", "/health/database", "/readyz"] {
                let said = curl(&program, arguments, service.url(path)).await;
                let lines: Vec<_> = said.text.lines().collect();
                assert_eq!(lines[0], format!("HTTP/1.1 {code}"), "{arguments:?} {path}");
                assert!(lines.contains(&&*format!("x-health-status: {state}")), "{}", said.text);
                assert!(lines.contains(&"allow: GET, HEAD, OPTIONS"), "{}", said.text);
                assert_eq!(lines.last(), Some(&""), "no body: {}", said.text);
                assert_eq!(said.exit, Some(0));
            }
            let said = curl(&program, arguments, service.url("/health/$stream")).await;
            assert!(said.text.starts_with("HTTP/1.1 200 OK\r\n"), "{}", said.text);
            assert_eq!(said.exit, Some(0), "a stream's head has an end");
        }
    }
}

#[tokio::test]
async fn the_exit_status_of_fail_is_that_of_the_service() {
    let Some(program) = installed("curl") else { return };
    let service = Service::start().await;
    let exit =
        async || curl(&program, &["--fail", "-o", "/dev/null"], service.url("/readyz")).await.exit;
    assert_eq!(exit().await, Some(0));
    service.redis(CheckResult::degraded("no replica"));
    assert_eq!(exit().await, Some(0));
    service.database(CheckResult::unhealthy("gone"));
    assert_eq!(exit().await, Some(22), "curl's own for an answer of 400 and above");
}

#[tokio::test]
async fn a_stream_is_shown_as_it_comes_until_the_service_drains() {
    let Some(program) = installed("curl") else { return };
    let service = Service::start().await;
    let reader = curl(&program, &["--no-buffer"], service.url("/health/$stream?poll_interval=60"));
    let drains = async {
        service.asked_again(1, "GET /health/$stream").await;
        service.health.drain();
    };
    let (said, ()) = tokio::join!(reader, drains);
    assert_eq!(said.exit, Some(0));
    let events: Vec<_> = said.text.split_terminator("\n\n").collect();
    assert!(events.last().unwrap().contains("$drain"), "{}", said.text);
    assert!(events.iter().all(|event| event.starts_with("data: {")), "{}", said.text);
}

#[tokio::test]
async fn accept_text_is_for_people() {
    let Some(program) = installed("curl") else { return };
    let service = Service::start().await;
    service.redis(CheckResult::degraded("no replica"));
    let said = curl(&program, &["-H", "accept: text/plain"], service.url("/health")).await;
    let expected = "[+]database ok\n[!]redis degraded: no replica\nhealth check passed\n";
    assert_eq!(said.text, expected);
}
