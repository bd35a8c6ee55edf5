//! `checks::tcp` and `checks::dns`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use servicekit_health::{CheckResult, HealthState, checks};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const SHORT: Duration = Duration::from_millis(100);
const LOOPBACK: &str = "127.0.0.1:0";

fn message(result: &CheckResult) -> &str {
    result.message().unwrap_or_default()
}

/// A listener that accepts nothing and has no room left, as a server behind a firewall that drops.
async fn black_hole() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(LOOPBACK.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let pause = Duration::from_millis(500);
    while let Ok(Ok(stream)) = tokio::time::timeout(pause, TcpStream::connect(addr)).await {
        queued.push(stream);
        assert!(queued.len() < 16, "the backlog never fills");
    }
    (listener, addr, queued)
}

#[tokio::test]
async fn a_listener_that_accepts_is_healthy() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let result = checks::tcp(addr).await;
    assert_eq!(result.state(), HealthState::Healthy);
    assert_eq!(result.details()["address"], addr.to_string());
    assert!(result.details()["connect_ms"].as_f64().is_some());
}

#[tokio::test]
async fn each_address_of_a_host_is_tried() {
    // `localhost` may be `::1` first.
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let result = checks::tcp(format!("localhost:{port}")).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_the_cause() {
    let addr = TcpListener::bind(LOOPBACK).await.unwrap().local_addr().unwrap();
    let result = checks::tcp(addr).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    let text = message(&result);
    let begin = format!("cannot connect to `{addr}`: ");
    assert!(text.starts_with(&begin) && text.contains("refused"), "{text}");

    let result = checks::tcp(addr).on_error(HealthState::Degraded).await;
    assert_eq!(result.state(), HealthState::Degraded);
}

#[tokio::test]
async fn an_address_that_does_not_answer_fails_within_the_time() {
    let (_listener, addr, _queued) = black_hole().await;
    let started = Instant::now();
    let result = checks::tcp(addr).timeout(Duration::from_millis(150)).await;
    let took = started.elapsed();
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).contains("within 150ms"), "{result:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn an_address_that_does_not_answer_has_one_message() {
    let (_listener, addr, _queued) = black_hole().await;
    // Who waits and who connects give up at the same moment: either may be first.
    for _ in 0..30 {
        let result = checks::tcp(addr).timeout(Duration::from_millis(20)).await;
        assert_eq!(message(&result), format!("no connection to `{addr}` within 20ms"));
    }
}

#[tokio::test]
async fn an_attempt_with_less_time_is_not_the_one_of_a_check_with_more() {
    let (_listener, addr, _queued) = black_hole().await;
    let short = tokio::spawn(async move { checks::tcp(addr).timeout(SHORT).await });
    let long = tokio::spawn(async move { checks::tcp(addr).timeout(8 * SHORT).await });
    assert!(message(&short.await.unwrap()).contains("within 100ms"));
    let result = long.await.unwrap();
    assert!(message(&result).contains("within 800ms"), "{result:?}");
}

#[tokio::test]
async fn the_longest_timeout_can_be_set() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let result = checks::tcp(addr).timeout(Duration::MAX).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
}

#[tokio::test]
async fn an_invalid_address_is_refused_without_repeating_it() {
    let result = checks::tcp("redis://:hunter2@cache:6379").on_error(HealthState::Degraded).await;
    assert_eq!(result.state(), HealthState::Unhealthy, "a mistake is no outage to be tolerated");
    let expected = "invalid address: expected `host:port`, such as `db.internal:5432`";
    assert_eq!(message(&result), expected);
}

#[tokio::test]
async fn a_name_that_resolves_is_healthy() {
    let result = checks::dns("localhost").timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    assert!(!result.details()["addresses"].as_array().unwrap().is_empty());
    assert_eq!(checks::dns("::1").await.details()["addresses"][0], "::1");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_named() {
    // A label of more than 63 characters (RFC 1035, 2.3.4): no resolver is asked.
    let host = "a".repeat(64);
    let result = checks::dns(&*host).timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).starts_with(&format!("cannot resolve `{host}`: ")), "{result:?}");
}

#[tokio::test]
async fn an_invalid_host_is_refused_without_repeating_it() {
    for host in ["", "db:5432", "http://app:hunter2@db", "app:hunter2@db"] {
        let result = checks::dns(host).await;
        assert_eq!(result.state(), HealthState::Unhealthy);
        assert!(message(&result).starts_with("invalid host: expected a name without a port"));
    }
}
