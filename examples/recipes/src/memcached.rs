//! memcached without a driver: its text protocol is one line each way.
//!
//! ```no_run
//! use recipes::memcached::Memcached;
//! use servicekit_health::{CheckResult, health_check};
//!
//! #[health_check(name = "memcached", on_error = "degraded")]
//! async fn cache(cache: &Memcached) -> Result<CheckResult, String> {
//!     cache.check().await
//! }
//! ```
//!
//! `version` is answered by each release, without touching an item. A server at its limit of
//! connections (`-c`) accepts new ones in the kernel only, so a connection each time finds it out;
//! memcached has no handshake, which makes that as cheap as a kept one.

use std::io;

use servicekit_health::CheckResult;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};

/// A server.
#[derive(Debug)]
pub struct Memcached {
    host: String,
    port: u16,
}

impl Memcached {
    /// The server at this address.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the server does not answer.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.version()).await {
            Ok(Ok(line)) => match line.trim_end().strip_prefix("VERSION ") {
                Some(version) => Ok(CheckResult::healthy().with_detail("version", version)),
                None if line.is_empty() => Err("memcached closes the connection".to_owned()),
                None => Err(format!("memcached: {}", line.trim_end())),
            },
            Ok(Err(error)) => Err(format!("memcached cannot be reached: {error}")),
            Err(_) => Err(no_answer("memcached", &self.host, self.port).await),
        }
    }

    async fn version(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.write_all(b"version\r\n").await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        Ok(line)
    }
}
