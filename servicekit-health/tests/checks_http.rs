//! `checks::http` against servers that behave and servers that do not.
#![cfg(feature = "check-http")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use servicekit_health::{CheckResult, HealthState, checks};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Another service, for as long as the test's runtime lives.
async fn service() -> String {
    let state = |state: &'static str| [("x-health-status", state)];
    let app = Router::new()
        .route("/readyz", get(move || async move { (state("degraded"), "cache: slow") }))
        .route("/health", get(|| async { "fine" }))
        .route("/broken", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "no") }))
        .route("/moved", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/readyz")]) }));
    let (listener, addr) = bind().await;
    tokio::spawn(axum::serve(listener, app).into_future());
    format!("http://{addr}")
}

/// A server that sends this to each connection and then keeps it open.
async fn says(bytes: &'static [u8]) -> String {
    let (listener, addr) = bind().await;
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(bytes).await;
            open.push(stream);
        }
    });
    format!("http://{addr}/readyz")
}

fn message(result: &CheckResult) -> &str {
    result.message().unwrap_or_default()
}

#[tokio::test]
async fn any_2xx_is_healthy_with_what_the_other_says_of_itself() {
    let service = service().await;
    let result = checks::http(format!("{service}/readyz")).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    assert_eq!(result.details()["status"], 200);
    assert_eq!(result.details()["upstream_state"], "degraded");
    assert!(result.details()["answer_ms"].as_f64().is_some());
    assert!(!result.details().contains_key("warning"));
}

#[tokio::test]
async fn another_status_fails_and_is_named() {
    let service = service().await;
    let result = checks::http(format!("{service}/broken?token=hunter2")).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    let expected = format!("`{service}/broken` answered 503 Service Unavailable");
    assert_eq!(message(&result), expected);
    let result = checks::http(format!("{service}/broken")).on_error(HealthState::Degraded).await;
    assert_eq!(result.state(), HealthState::Degraded);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let service = service().await;
    let result = checks::http(format!("{service}/moved")).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).ends_with("answered 302 Found; redirects are not followed"));
}

#[tokio::test]
async fn a_body_must_contain_the_text_where_one_is_asked_for() {
    let service = service().await;
    let check = |text| checks::http(format!("{service}/readyz")).body_contains(text);
    assert_eq!(check("slow").await.state(), HealthState::Healthy);
    let result = check("fast").await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).ends_with("answered 200 OK, but its body lacks `fast`"), "{result:?}");
}

#[tokio::test]
async fn a_deep_check_works_with_a_warning() {
    let service = service().await;
    let result = checks::http(format!("{service}/health")).await;
    assert_eq!(result.state(), HealthState::Healthy);
    assert!(result.details()["warning"].as_str().unwrap().starts_with("a deep check"));
}

#[tokio::test]
async fn a_refused_connection_names_its_cause() {
    let (_, addr) = bind().await;
    let result = checks::http(format!("http://{addr}/readyz")).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    let begin = format!("no answer from `http://{addr}/readyz`: ");
    assert!(message(&result).starts_with(&begin), "{result:?}");
    assert!(message(&result).contains("refused"), "{result:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_fails_within_the_time() {
    for begun in [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
        let url = says(begun).await;
        let started = Instant::now();
        let check = checks::http(&*url).body_contains("x").timeout(Duration::from_millis(150));
        let result = check.await;
        let took = started.elapsed();
        assert_eq!(result.state(), HealthState::Unhealthy);
        assert!(message(&result).contains("150ms"), "{result:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn a_header_that_never_ends_has_one_message_however_much_has_come() {
    let head = b"HTTP/1.1 200 OK\r\nx-long: ".to_vec();
    let long = says([head, vec![b'a'; 4 * 1024 * 1024]].concat().leak()).await;
    let result = checks::http(&*long).timeout(Duration::from_secs(10)).await;
    let cause = "the header of the answer exceeds the limit of 64 KiB";
    assert_eq!(message(&result), format!("no answer from `{long}`: {cause}"));
}

#[tokio::test]
async fn the_longest_timeout_can_be_set() {
    let url = format!("{}/readyz", service().await);
    let result = checks::http(url).timeout(Duration::MAX).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_told_from_none() {
    let result = checks::http(says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).contains("the answer is not HTTP/1.1"), "{result:?}");
}

#[tokio::test]
async fn a_url_with_a_password_is_refused_without_repeating_it() {
    let result = checks::http("http://app:hunter2@127.0.0.1/readyz").await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).starts_with("invalid URL: it must not contain a user or password"));
    assert!(!message(&result).contains("hunter2"));
}

#[cfg(feature = "check-http-tls")]
mod tls {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};

    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// A server that answers one request, and the certificate that it presents, in PEM.
    fn serve() -> (SocketAddr, String, JoinHandle<()>) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            if stream.read(&mut [0; 1024]).is_ok() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        });
        (addr, own.cert.pem(), server)
    }

    #[tokio::test]
    async fn an_authority_of_ones_own_can_be_trusted() {
        let (addr, pem, server) = serve();
        let check = checks::http(format!("https://{addr}/readyz")).root_certificates(pem);
        let result = check.timeout(Duration::from_secs(10)).await;
        assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
        server.join().unwrap();
    }

    #[tokio::test]
    async fn a_certificate_of_an_unknown_authority_fails_with_the_cause() {
        let (addr, _, server) = serve();
        let check = checks::http(format!("https://{addr}/readyz")).timeout(Duration::from_secs(10));
        let result = check.await;
        assert_eq!(result.state(), HealthState::Unhealthy);
        assert!(message(&result).to_lowercase().contains("certificate"), "{result:?}");
        server.join().unwrap();
    }

    #[tokio::test]
    async fn roots_that_are_no_certificates_are_refused() {
        for pem in ["", "hunter2"] {
            let result = checks::http("https://127.0.0.1/readyz").root_certificates(pem).await;
            assert_eq!(result.state(), HealthState::Unhealthy);
            assert!(message(&result).starts_with("invalid root certificates: "), "{result:?}");
        }
    }
}

#[cfg(not(any(feature = "check-http-tls", feature = "healthcheck-tls")))]
#[tokio::test]
async fn https_names_the_feature_that_it_needs() {
    let result = checks::http("https://127.0.0.1/readyz").await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).ends_with("needs the feature `check-http-tls`"), "{result:?}");
}
