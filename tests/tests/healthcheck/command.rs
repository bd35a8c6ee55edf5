//! `healthcheck`: exit codes, lines and times.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use servicekit_health::{CheckResult, HealthState};
use tokio::net::TcpSocket;

use super::*;

/// `healthcheck` of this URL, with further arguments.
async fn check(url: &str, arguments: &[&str]) -> Outcome {
    let mut all = vec!["healthcheck", "--url", url];
    // A busy machine must not fail a test, unless the test is about the time.
    if !arguments.contains(&"--timeout") {
        all.extend(["--timeout", "20s"]);
    }
    all.extend(arguments);
    run(SERVICE, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_and_a_degraded_service_pass_and_the_line_says_which() {
    let url = service(HealthState::Healthy).await;
    let expected = format!("healthy: {url}/health returned 200 OK\n");
    assert_eq!(check(&url, &[]).await.stdout, expected);
    for probe in ["--ready", "--live"] {
        check(&url, &[probe]).await.passed_with("healthy: ");
    }
    run(PROGRAM, &["healthcheck", "--url", &url, "--timeout", "20s"])
        .await
        .passed_with("healthy: ");

    let url = service(CheckResult::degraded("cold")).await;
    check(&url, &[]).await.passed_with("degraded: ");
    check(&url, &["--ready"]).await.passed_with("200 OK; redis degraded: cold");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_service_fails_but_for_its_liveness() {
    let url = service(CheckResult::unhealthy("Connection refused")).await;
    for arguments in [&[][..], &["--ready"]] {
        let outcome = check(&url, arguments).await;
        outcome.failed_with("unhealthy: ");
        outcome
            .failed_with("returned 503 Service Unavailable; redis unhealthy: Connection refused");
    }
    check(&url, &["--live"]).await.passed_with("/livez returned 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_may_have_a_prefix() {
    let (listener, url) = listen().await;
    let health = redis(&switch(HealthState::Healthy));
    serve(listener, Router::new().nest("/internal", health.router()));
    check(&format!("{url}/internal"), &["--ready"])
        .await
        .passed_with("/internal/readyz returned 200");
    check(&format!("{url}/internal/"), &[]).await.passed_with("/internal/health returned 200");
    let outcome = check(&url, &["--ready"]).await;
    outcome.failed_with("returned 404 Not Found; no x-health-status header");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_waits_for_a_service_that_starts_late() {
    // Bound but not listening: refused until it listens, and the port is taken.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    check(&url, &[]).await.failed_with("Connection refused");

    let waits = check(&url, &["--wait", "25s"]);
    let comes_up = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        serve(socket.listen(16).unwrap(), redis(&switch(HealthState::Healthy)).router());
    };
    let (outcome, ()) = tokio::join!(waits, comes_up);
    outcome.passed_with("healthy: ");
    assert!(outcome.took < Duration::from_secs(20), "{:?}", outcome.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_waits_for_a_service_to_recover() {
    let (listener, url) = listen().await;
    let state = switch(HealthState::Unhealthy);
    serve(listener, redis(&state).router());

    let outcome = check(&url, &["--wait", "1200ms"]).await;
    outcome.failed_with("503 Service Unavailable");
    outcome.failed_with("attempts in 1s 200ms)");
    outcome.took_between(Duration::from_millis(1200), Duration::from_millis(2200));

    let waits = check(&url, &["--wait", "25s"]);
    let recovers = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        set(&state, HealthState::Healthy);
    };
    tokio::join!(waits, recovers).0.passed_with("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_fails_after_the_timeout() {
    // Never accepted: the kernel connects, and the request is not read.
    let (_listener, url) = listen().await;
    let outcome = check(&url, &["--timeout", "300ms"]).await;
    outcome.failed_with("no complete response within 300ms");
    outcome.took_between(Duration::from_millis(300), Duration::from_secs(2));

    let outcome = run(PROGRAM, &["healthcheck", &url]).await;
    outcome.failed_with("no complete response within 1s");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_bounds_the_whole_time_whatever_the_timeout() {
    let (_listener, never_answers) = listen().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let refuses = format!("http://{}", socket.local_addr().unwrap());
    let wait = async |url, timeout| {
        run(SERVICE, &["healthcheck", url, "--wait", "2s", "--timeout", timeout]).await
    };
    let (refused, silent, silent_twice) = tokio::join!(
        wait(&refuses, "5s"),
        wait(&never_answers, "5s"),
        wait(&never_answers, "1400ms"),
    );
    refused.failed_with("Connection refused");
    refused.failed_with("(5 attempts in 2s)");
    silent.failed_with("no complete response within 2s");
    silent_twice.failed_with("(2 attempts in 2s)");
    for outcome in [refused, silent, silent_twice] {
        outcome.took_between(Duration::from_secs(2), Duration::from_millis(2900));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_service_fails_and_the_line_says_why() {
    let (listener, url) = listen().await;
    let health = redis(&switch(HealthState::Healthy));
    serve(listener, health.router());
    health.drain();
    check(&url, &["--ready"]).await.failed_with("returned 503 Service Unavailable; draining\n");
    check(&url, &["--live"]).await.passed_with("200 OK\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_may_be_positional_and_lack_its_scheme() {
    let url = service(HealthState::Healthy).await;
    let address = url.strip_prefix("http://").unwrap();
    let expected = format!("healthy: {url}/health returned 200 OK\n");
    for program in [SERVICE, PROGRAM] {
        let outcome = run(program, &["healthcheck", address, "--timeout", "20s"]).await;
        assert_eq!(outcome.stdout, expected);
    }
    check(address, &[]).await.passed_with(&expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_response_fails() {
    for (bytes, said) in [
        (&b""[..], "failed: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "failed: "),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "failed: "),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "failed: "),
        (b"HTTP/1.1 two OK\r\n\r\n", "failed: "),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "500 Internal Server Error"),
    ] {
        let url = raw(bytes, b"", Then::Close).await;
        check(&url, &[]).await.failed_with(said);
    }
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", b"", Then::Stay).await;
    check(&url, &["--timeout", "300ms"]).await.failed_with("no complete response within 300ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_fails_even_where_it_leads_to_a_healthy_service() {
    let elsewhere = service(HealthState::Healthy).await;
    let (listener, url) = listen().await;
    let redirect = Redirect::temporary(&format!("{elsewhere}/health"));
    serve(listener, Router::new().route("/health", get(async || redirect)));
    check(&url, &[])
        .await
        .failed_with("307 Temporary Redirect; redirects are not followed (location: http://");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_header_and_an_endless_body_are_read_up_to_a_limit() {
    let url = raw(b"HTTP/1.1 200 OK\r\n", b"x: yyyyyyyyyyyyyyyyyyyy\r\n", Then::Close).await;
    check(&url, &[]).await.failed_with("failed: ");
    // Without a count of what has come: `watch` logs each reason once.
    let url = raw(b"HTTP/1.1 200 OK\r\nx: ", &[b'y'; 4096], Then::Close).await;
    check(&url, &[]).await.failed_with("the response header exceeds the limit of 64 KiB");
    // A good head decides; of its body no more than needed is read.
    let head = b"HTTP/1.1 200 OK\r\nx-health-status: healthy\r\n\r\n";
    let url = raw(head, &[b' '; 4096], Then::Close).await;
    check(&url, &[]).await.passed_with("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_from_a_service_are_escaped() {
    let url = service(CheckResult::unhealthy("a\u{1b}[2J\nhealthy\u{202e}")).await;
    check(&url, &[]).await.failed_with(r"redis unhealthy: a\u{1b}[2J\nhealthy\u{202e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_settings_of_the_environment_are_ignored() {
    let url = service(HealthState::Healthy).await;
    let mut command = command(SERVICE, &["healthcheck", "--url", &url, "--timeout", "20s"]);
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    finish(command).await.passed_with("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_arguments_fail_with_1_and_say_what_is_expected() {
    for (arguments, text) in [
        (&["--redy"][..], "unknown option `--redy`; expected one of: URL, --ready, --live"),
        (&["-x"], "unknown option `-x`; expected one of: URL, --ready"),
        (&["one", "two"], "unexpected argument `two`; expected one of: URL, --ready"),
        (&["--ready", "--live"], "`--ready` cannot be used with `--live`"),
        (&["--ready=1"], "`--ready` takes no value, but `1` was given"),
        (&["--url"], "`--url` requires a value"),
        (&["--url", "http://"], "invalid URL `http://`: expected e.g. localhost:8000"),
        (&["ftp://localhost"], "unsupported scheme; expected http or https"),
        (&["http://me:secret@localhost"], "must not contain a user name or password"),
        (&["--wait", "60"], "invalid value `60` for `--wait`: expected a duration"),
        (&["--timeout", "0s"], "from 1ms to 1h, e.g. 500ms, 2s, 1m or 1h"),
        (&["--\u{1b}[2J"], r"unknown option `--\u{1b}[2J`"),
    ] {
        for program in [SERVICE, PROGRAM] {
            let arguments: Vec<_> = [&["healthcheck"], arguments].concat();
            let outcome = run(program, &arguments).await;
            outcome.failed_with(text);
            assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
        }
    }
    for arguments in [&["watch", "--chek", "a"][..], &["watch", "--check"], &["watch", "ftp://a"]] {
        run(PROGRAM, arguments).await.failed_with("servicekit-health-under-test watch: ");
    }
    let expected = "unknown command `wach`; expected one of: healthcheck, watch, --help, --version";
    run(PROGRAM, &["wach"]).await.failed_with(expected);
    let outcome = run(PROGRAM, &[]).await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(outcome.stderr.contains("Usage: "), "{}", outcome.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_passes() {
    let usage = "Usage: answers healthcheck [OPTIONS] [URL]";
    run(SERVICE, &["healthcheck", "--help"]).await.passed_with(usage);
    run(SERVICE, &["healthcheck", "-h"]).await.passed_with("http://127.0.0.1:1/default");
    run(PROGRAM, &["--help"]).await.passed_with("<COMMAND> --help` for the options of a command");
    run(PROGRAM, &["watch", "--help"]).await.passed_with("--check <NAME>");
    run(PROGRAM, &["--version"]).await.passed_with(env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_called_in_any_other_way_starts() {
    for arguments in [&[][..], &["serve"], &["--verbose", "healthcheck"], &["healthchecks"]] {
        let outcome = run(SERVICE, arguments).await;
        outcome.passed_with("");
        assert_eq!(outcome.stdout, "the service starts\n", "{arguments:?}");
    }
    run(SERVICE, &["healthcheck"]).await.failed_with("http://127.0.0.1:1/default/health: ");
}
