//! The certificates that a server presents in a handshake.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::tcp;
use super::thread::Failure;

type Chain = Vec<CertificateDer<'static>>;

/// Shakes hands and gives what was presented, the server's own certificate first.
pub(super) fn chain(addr: &str, name: Option<&str>, limit: Duration) -> Result<Chain, Failure> {
    let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
    let name = name.unwrap_or(host).trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|_| cause("invalid server name"))?;

    let provider = Arc::new(ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let recorder = Arc::new(Recorder { schemes, chain: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(cause)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as _)
        .with_no_client_auth();

    let until = Instant::now() + limit;
    let stream = tcp::open(addr, limit).map_err(|error| failure("cannot connect", &error))?;
    let mut connection = ClientConnection::new(config.into(), name).map_err(cause)?;
    let mut stream = Bounded { stream, until };
    let outcome = shake_hands(&mut connection, &mut stream);
    let chain = std::mem::take(&mut *recorder.chain());
    match outcome {
        Ok(()) => Ok(chain),
        // A server that wants a client's certificate has presented its own before it says so.
        Err(_) if !chain.is_empty() => Ok(chain),
        Err(error) => Err(failure("no handshake", &error)),
    }
}

fn cause(error: impl fmt::Display) -> Failure {
    Failure::Cause(error.to_string())
}

fn failure(what: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Late,
        _ => Failure::Cause(format!("{what}: {error}")),
    }
}

fn shake_hands(connection: &mut ClientConnection, stream: &mut Bounded) -> io::Result<()> {
    while connection.is_handshaking() {
        connection.complete_io(stream)?;
    }
    // Without a word the server would log an error.
    connection.send_close_notify();
    connection.complete_io(stream).map(drop)
}

/// A connection on which everything ends at one time, also when bytes drip.
struct Bounded {
    stream: TcpStream,
    until: Instant,
}

impl Bounded {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Accepts every chain and remembers it: an expired one is what this is looking for. Nothing is sent
/// or believed on such a connection, so signatures are not verified either.
#[derive(Debug)]
struct Recorder {
    schemes: Vec<SignatureScheme>,
    chain: Mutex<Chain>,
}

impl Recorder {
    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = [own].into_iter().chain(intermediates);
        *self.chain() = chain.map(|certificate| certificate.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
