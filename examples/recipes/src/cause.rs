//! Why a server did not answer in time: a driver says only that it waited.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a run may take before the cause is looked for.
pub const LIMIT: Duration = Duration::from_millis(500);

/// How long the look at the address may take: a host in reach accepts within a round trip.
const CONNECT: Duration = Duration::from_millis(200);

/// The message of a run that did not end within [`LIMIT`].
///
/// The kernel accepts connections for a program that is frozen, and nothing comes back from a host
/// that is down or behind a firewall that drops, so one more TCP connection tells them apart.
pub async fn no_answer(server: &str, host: &str, port: u16) -> String {
    match timeout(CONNECT, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => format!(
            "{server} at {host}:{port} accepts connections but does not answer within {LIMIT:?}: \
             overloaded or frozen"
        ),
        Ok(Err(error)) => format!("{server} at {host}:{port} cannot be reached: {error}"),
        Err(_) => format!(
            "{server} at {host}:{port} cannot be reached: no reply to a TCP connection, so the host \
             is down or a firewall drops packets"
        ),
    }
}

/// What a server says before it closes a connection, unasked. A driver that is about to send sees
/// only that the connection is gone.
pub async fn farewell(host: &str, port: u16) -> Option<String> {
    let read = async {
        let stream = TcpStream::connect((host, port)).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.ok()?;
        Some(line)
    };
    timeout(CONNECT, read).await.ok()?
}

/// What the first word of an error from Redis means: five causes for five people, who wait, mend the
/// replication, end the script, configure the client or change the secret.
#[cfg(any(feature = "redis", feature = "fred"))]
pub(crate) fn redis_cause(code: &str) -> Option<&'static str> {
    Some(match code {
        "LOADING" => "Redis is loading its data set from disk",
        "MASTERDOWN" => "Redis is a replica that has lost its primary",
        "BUSY" => "Redis is blocked by a script or function",
        "NOAUTH" => "Redis asks for a password and none is configured",
        "WRONGPASS" | "NOPERM" => "Redis refuses the credentials",
        _ => return None,
    })
}
