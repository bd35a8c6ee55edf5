//! Requests that nobody should send. The service has to live, and to hold nothing afterwards.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Visitor;
use crate::judge;
use crate::soak::Tally;

pub(super) async fn attacks(mut visitor: Visitor) {
    while visitor.soak.goes_on() {
        let epoch = visitor.target.epoch();
        let kind = visitor.rng.u8(..10);
        match attack(&mut visitor, kind).await {
            Ok(answer) => {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                visitor.soak.judge(format!("attack {kind}"), judge::no_secret(&answer));
            }
            // It may be cut off, but there has to be somebody.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                visitor.failed(epoch, "a connection", &error);
            }
            Err(_) => {}
        }
        Tally::count(&visitor.soak.tally.hostile);
        visitor.pause(300).await;
    }
}

/// What came back within a moment.
async fn attack(visitor: &mut Visitor, kind: u8) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(&visitor.target.address).await?;
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: soak\r\n{more}\r\n");
    let rng = &mut visitor.rng;
    let bytes = match kind {
        0 => (0..rng.usize(1..4096)).map(|_| rng.u8(..)).collect(),
        1 => get("/health", &format!("x-long: {}\r\n", "x".repeat(200_000))).into_bytes(),
        2 => get(&format!("/health?check={}", "x".repeat(50_000)), "").into_bytes(),
        3 => get("/health/%00%ff%2e%2e%2f$stream", "").into_bytes(),
        4 => get("/readyz", "").repeat(100).into_bytes(),
        5 => b"OPTIONS * HTTP/1.1\r\nhost: soak\r\n\r\n".to_vec(),
        6 => b"POST /health HTTP/1.1\r\nhost: soak\r\ncontent-length: 1000000\r\n\r\n{".to_vec(),
        7 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec(),
        // The first half of a request, and nothing more.
        8 => b"GET /hea".to_vec(),
        // Gone before the answer.
        _ => {
            stream.write_all(get("/health?verbose", "").as_bytes()).await?;
            return Ok(Vec::new());
        }
    };
    stream.write_all(&bytes).await?;
    let mut answer = vec![0; 64 * 1024];
    let patience = Duration::from_millis(rng.u64(100..2000));
    let read = timeout(patience, stream.read(&mut answer)).await;
    answer.truncate(read.unwrap_or(Ok(0))?);
    // Stays a little, as one that has forgotten the connection.
    sleep(Duration::from_millis(rng.u64(..500))).await;
    Ok(answer)
}
