//! `checks::tls` and `checks::tls_file`, with certificates made for the test.
#![cfg(feature = "check-tls")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use servicekit_health::{CheckResult, HealthState, checks};

const DAY: Duration = Duration::from_secs(86_400);

/// For `shop.example`, valid since so many days and for so many more.
fn params(since: i32, left: i32) -> CertificateParams {
    let names = ["shop.example".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    let now = SystemTime::now();
    let day = |number: i32| match u32::try_from(number) {
        Ok(after) => now + DAY * after,
        Err(_) => now - DAY * number.unsigned_abs(),
    };
    params.not_before = day(-since).into();
    params.not_after = (day(left) + Duration::from_secs(60)).into();
    params
}

fn message(result: &CheckResult) -> &str {
    result.message().unwrap_or_default()
}

/// A file with this content, and its directory.
fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tls.crt");
    fs::write(&path, content).unwrap();
    (directory, path)
}

async fn check_pem(params: CertificateParams) -> CheckResult {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    // As HAProxy wants it: the key stands in the same file.
    let (_directory, path) = file(key.serialize_pem() + &certificate.pem());
    checks::tls_file(path).await
}

#[tokio::test]
async fn a_certificate_that_is_far_from_its_end_is_healthy() {
    let result = check_pem(params(1, 89)).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    assert_eq!(result.details()["days_left"], 89);
    assert_eq!(result.details()["names"][0], "shop.example");
    assert_eq!(result.details()["names"][1], "127.0.0.1");
    assert_eq!(result.details()["certificates"], 1);
    assert!(result.details()["not_after"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_certificate_near_its_end_is_degraded() {
    let result = check_pem(params(80, 10)).await;
    assert_eq!(result.state(), HealthState::Degraded);
    assert!(message(&result).starts_with("the certificate of `shop.example` expires at "));
}

#[tokio::test]
async fn a_short_lived_certificate_is_healthy_until_a_third_is_left() {
    assert_eq!(check_pem(params(1, 5)).await.state(), HealthState::Healthy);
    assert_eq!(check_pem(params(5, 1)).await.state(), HealthState::Degraded);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_is_unhealthy() {
    let expired = check_pem(params(90, -2)).await;
    assert_eq!(expired.state(), HealthState::Unhealthy);
    assert!(message(&expired).starts_with("the certificate of `shop.example` expired at "));
    assert_eq!(expired.details()["days_left"], -2);
    let future = check_pem(params(-2, 90)).await;
    assert_eq!(future.state(), HealthState::Unhealthy);
    assert!(message(&future).contains("is not valid before"), "{future:?}");
}

#[tokio::test]
async fn a_file_may_be_der() {
    let key = KeyPair::generate().unwrap();
    let (_directory, path) = file(params(1, 89).self_signed(&key).unwrap().der());
    assert_eq!(checks::tls_file(path).await.details()["days_left"], 89);
}

#[tokio::test]
async fn a_file_without_a_certificate_is_degraded_and_its_content_stays_in_it() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let cases = [
        (key.into_bytes(), "expected a certificate in PEM or DER"),
        (b"hunter2".to_vec(), "expected a certificate in PEM or DER"),
        (b"\x30\x82hunter2".to_vec(), "not a valid certificate: "),
        (b"-----BEGIN CERTIFICATE-----\nhunter2\n".to_vec(), "the file is not valid PEM"),
        (vec![b' '; 2 * 1024 * 1024], "the file exceeds the limit of 1 MiB"),
    ];
    for (content, expected) in cases {
        let (_directory, path) = file(content);
        let result = checks::tls_file(&path).await;
        assert_eq!(result.state(), HealthState::Degraded, "{result:?}");
        let text = message(&result);
        assert!(text.contains(expected) && !text.contains("hunter2"), "{text}");
        assert!(text.starts_with(&format!("no certificate from `{}`: ", path.display())), "{text}");
    }
    let gone = checks::tls_file("/not/there.crt").on_error(HealthState::Unhealthy).await;
    assert_eq!(gone.state(), HealthState::Unhealthy);
}

/// A chain of an intermediate's and a server's certificate, the server's first, and its key.
fn chain(
    own: &CertificateParams,
    authority: CertificateParams,
) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let mut authority = authority;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.subject_alt_names.clear();
    authority.distinguished_name.push(DnType::CommonName, "Intermediate");
    let mut root = CertificateParams::new([]).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "Root");
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let authority =
        CertifiedIssuer::signed_by(authority, KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = own.signed_by(&key, &authority).unwrap();
    (vec![own.der().clone(), authority.der().clone()], key)
}

/// A server that presents this chain to one client, and tells whether the connection ended well.
fn serve(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    wants_certificate: bool,
    version: &'static SupportedProtocolVersion,
) -> (SocketAddr, thread::JoinHandle<bool>) {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(default_provider().into());
    let config = config.with_protocol_versions(&[version]).unwrap();
    let config = if wants_certificate {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(chain[1].clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            roots.into(),
            default_provider().into(),
        );
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    let config = Arc::new(config.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        stream.read_to_end(&mut Vec::new()).is_ok()
    });
    (addr, server)
}

#[tokio::test]
async fn the_earliest_of_a_served_chain_counts() {
    let (chain, key) = chain(&params(1, 89), params(1000, 10));
    let (addr, server) = serve(chain, &key, false, &TLS13);
    let result = checks::tls(addr).timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Degraded, "{result:?}");
    assert!(message(&result).starts_with("the certificate of `Intermediate` expires at "));
    assert_eq!(result.details()["days_left"], 10);
    assert_eq!(result.details()["certificates"], 2);
    assert_eq!(result.details()["names"][0], "shop.example");
    assert!(server.join().unwrap(), "the server sees an orderly end");
}

#[tokio::test]
async fn an_expired_certificate_is_seen_although_clients_refuse_it() {
    let (chain, key) = chain(&params(90, -1), params(1, 1000));
    let (addr, server) = serve(chain, &key, false, &TLS13);
    let check = checks::tls(addr).server_name("shop.example");
    let result = check.timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Unhealthy, "{result:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_that_wants_a_clients_certificate_shows_its_own_all_the_same() {
    // With 1.3 the handshake is over before the server says so, with 1.2 it fails.
    for version in [&TLS13, &TLS12] {
        let (chain, key) = chain(&params(1, 89), params(1, 1000));
        let (addr, server) = serve(chain, &key, true, version);
        let result = checks::tls(addr).timeout(Duration::from_secs(10)).await;
        assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
        assert_eq!(result.details()["days_left"], 89);
        assert!(!server.join().unwrap());
    }
}

#[tokio::test]
async fn a_server_without_tls_is_degraded_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = stream.read(&mut [0; 1024]);
    });
    let result = checks::tls(addr).timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Degraded);
    assert!(message(&result).contains("no handshake: "), "{result:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_that_is_silent_or_gone_fails_within_the_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let check = || checks::tls(addr).timeout(Duration::from_millis(150));
    let result = check().await;
    assert_eq!(result.state(), HealthState::Degraded);
    assert!(message(&result).contains("within 150ms"), "{result:?}");
    drop(listener);
    // The first attempt may be under way still, by a hair.
    let result = check().timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Degraded, "{result:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_has_one_message() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // Who waits and who shakes hands give up at the same moment: either may be first.
    for _ in 0..30 {
        let result = checks::tls(addr).timeout(Duration::from_millis(20)).await;
        assert_eq!(message(&result), format!("no TLS handshake with `{addr}` within 20ms"));
    }
}

#[tokio::test]
async fn the_longest_timeout_can_be_set() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let result = checks::tls(addr).timeout(Duration::MAX).await;
    assert!(message(&result).contains("cannot connect: "), "{result:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_device_that_never_ends_is_read_up_to_the_limit() {
    let result = checks::tls_file("/dev/zero").timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Degraded);
    assert!(message(&result).ends_with("the file exceeds the limit of 1 MiB"), "{result:?}");
}

#[tokio::test]
async fn an_address_without_a_port_is_refused() {
    let result = checks::tls("https://shop.example").await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(message(&result).starts_with("invalid address: expected `host:port`"), "{result:?}");
}
