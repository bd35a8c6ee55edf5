//! Redis with the `redis` crate: what it answers says why it does not serve.
//!
//! ```no_run
//! use recipes::redis::Redis;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Session cache. Losing it slows the service down but does not stop it.
//! #[health_check(name = "redis", on_error = "degraded")]
//! async fn cache(redis: &Redis) -> Result<CheckResult, String> {
//!     redis.check().await
//! }
//! ```
//!
//! * `LOADING`, `MASTERDOWN`, `BUSY`, `NOAUTH` and `WRONGPASS` are five causes for five people: wait,
//!   mend the replication, end the script, configure the client, change the secret.
//! * A demoted primary answers `PONG` and refuses each write: `ROLE` tells.
//! * A multiplexed connection stays broken after it is lost, and a connection manager waits between
//!   its attempts to reconnect, so neither is as quick to recover as a new connection for this run.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError,
    RedisResult, Value, cmd,
};
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, farewell, no_answer, redis_cause};
use crate::kept::{Kept, Opened};

/// A server, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Redis {
    client: Client,
    kept: Kept<MultiplexedConnection>,
    read_only_allowed: bool,
}

impl Redis {
    /// The server at a URL such as `redis://:password@127.0.0.1:6379/0`.
    ///
    /// # Errors
    /// Where the URL is not one of a Redis server.
    pub fn new(url: impl IntoConnectionInfo) -> RedisResult<Self> {
        Ok(Self { client: Client::open(url)?, kept: Kept::new(), read_only_allowed: false })
    }

    /// A replica is healthy too: this service only reads.
    #[must_use]
    pub const fn allow_replica(mut self) -> Self {
        self.read_only_allowed = true;
        self
    }

    /// How long a connection is used; 30 s unless set.
    #[must_use]
    pub fn reconnect_every(mut self, age: Duration) -> Self {
        self.kept = self.kept.reconnect_every(age);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the server does not serve.
    pub async fn check(&self) -> Result<CheckResult, String> {
        let outcome = timeout(LIMIT, self.role()).await;
        let address = match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((&**host, *port))
            }
            _ => None,
        };
        match outcome {
            Ok(Ok(role)) => Ok(self.verdict(role)),
            Ok(Err(error)) => failed(&error, address).await,
            Err(_) => Err(match address {
                Some((host, port)) => no_answer("Redis", host, port).await,
                None => format!("Redis does not answer within {LIMIT:?}"),
            }),
        }
    }

    async fn role(&self) -> RedisResult<Option<String>> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The connection is lost; a new one tells how the server is now.
                Err(error) if error.is_io_error() => {}
                result => return result,
            },
            None => {}
        }
        // The limit of the whole run is the only one.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    async fn ask(&self, mut opened: Opened<MultiplexedConnection>) -> RedisResult<Option<String>> {
        let () = cmd("PING").query_async(&mut opened.connection).await?;
        // An access list may forbid it, and the answer to `PING` is enough.
        let role: RedisResult<Vec<Value>> = cmd("ROLE").query_async(&mut opened.connection).await;
        self.kept.put(opened);
        let role = role.ok().and_then(|role| role.into_iter().next());
        Ok(role.and_then(|role| ::redis::from_redis_value(role).ok()))
    }

    fn verdict(&self, role: Option<String>) -> CheckResult {
        let result = match role.as_deref() {
            Some("slave") if !self.read_only_allowed => {
                CheckResult::degraded("Redis accepts no writes: this server is a replica")
            }
            _ => CheckResult::healthy(),
        };
        match role {
            Some(role) => result.with_detail("role", role),
            None => result,
        }
    }
}

async fn failed(error: &RedisError, address: Option<(&str, u16)>) -> Result<CheckResult, String> {
    let text = error.to_string();
    let cause = match error.code().and_then(redis_cause) {
        Some(cause) => cause,
        _ if error.kind() == ErrorKind::AuthenticationFailed => "Redis refuses the credentials",
        _ if !error.is_io_error() => return Err(format!("Redis: {text}")),
        // At its limit of clients it says so and closes, before the driver has sent anything.
        _ => match address {
            Some((host, port)) if !error.is_connection_refusal() => {
                let said = farewell(host, port).await.unwrap_or_default();
                if said.contains("max number of clients") {
                    let message = "Redis has no connection left: max number of clients reached";
                    return Ok(CheckResult::degraded(message));
                }
                return Err(format!("Redis cannot be reached: {text}"));
            }
            _ => return Err(format!("Redis cannot be reached: {text}")),
        },
    };
    Err(cause.to_owned())
}
