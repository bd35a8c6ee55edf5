//! Redis with `fred`: the same question as with `redis`, for a client that reconnects by itself.
//!
//! ```no_run
//! use recipes::fred::Redis;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Session cache. Losing it slows the service down but does not stop it.
//! #[health_check(name = "redis", on_error = "degraded")]
//! async fn cache(redis: &Redis) -> Result<CheckResult, String> {
//!     redis.check().await
//! }
//! ```
//!
//! * While fred reconnects, it keeps commands and answers none: its default has no limit of time for a
//!   command, and 10 s for a connection. A client of the check's own has neither a policy to reconnect
//!   nor a second attempt, so it fails with the cause.
//! * `connect` is a task, which goes on when nobody waits for it any more: it is aborted with the
//!   connection.
//! * What an error's first word means is in `cause.rs`, for `redis.rs` too. `ROLE` tells a demoted
//!   primary, which answers `PONG` and refuses each write.
//! * A node of a cluster answers `PING` also where slots are missing: `CLUSTER INFO` tells.

use std::time::Duration;

use ::fred::interfaces::ClientLike;
use ::fred::prelude::{Builder, Client, Config, Error};
use ::fred::types::config::ServerConfig;
use ::fred::types::{ConnectHandle, CustomCommand, Value};
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, farewell, no_answer, redis_cause};
use crate::kept::{Kept, Opened};

/// A server, asked on a connection of the check's own.
pub struct Redis {
    config: Config,
    kept: Kept<Connection>,
    read_only_allowed: bool,
    cluster: bool,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("server", &self.config.server).finish_non_exhaustive()
    }
}

struct Connection {
    client: Client,
    task: ConnectHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server says of itself.
struct Status {
    role: Option<String>,
    cluster: Option<String>,
}

impl Redis {
    /// The server at a URL such as `redis://:password@127.0.0.1:6379/0`.
    ///
    /// # Errors
    /// Where the URL is not one of a Redis server.
    pub fn new(url: &str) -> Result<Self, Error> {
        let config = Config::from_url_centralized(url)?;
        Ok(Self { config, kept: Kept::new(), read_only_allowed: false, cluster: false })
    }

    /// A replica is healthy too: this service only reads.
    #[must_use]
    pub const fn allow_replica(mut self) -> Self {
        self.read_only_allowed = true;
        self
    }

    /// The server is a node of a cluster, whose state counts.
    #[must_use]
    pub const fn cluster(mut self) -> Self {
        self.cluster = true;
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
        let address = match &self.config.server {
            ServerConfig::Centralized { server } => Some((&*server.host, server.port)),
            _ => None,
        };
        match timeout(LIMIT, self.status()).await {
            Ok(Ok(status)) => self.verdict(status),
            Ok(Err(error)) => failed(&error, address).await,
            Err(_) => Err(match address {
                Some((host, port)) => no_answer("Redis", host, port).await,
                None => format!("Redis does not answer within {LIMIT:?}"),
            }),
        }
    }

    async fn status(&self) -> Result<Status, Error> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The connection is lost; a new one tells how the server is now.
                Err(error) if code(&error).is_none() => {}
                result => return result,
            },
            None => {}
        }
        let result = match self.connect() {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => Err(error),
        };
        if let (Err(_), Some(old)) = (&result, old) {
            self.kept.put(old);
        }
        result
    }

    fn connect(&self) -> Result<Connection, Error> {
        let client = Builder::from_config(self.config.clone())
            .with_connection_config(|config| {
                config.connection_timeout = LIMIT;
                config.internal_command_timeout = LIMIT;
                config.max_command_attempts = 1;
            })
            .build()?;
        let task = client.connect();
        Ok(Connection { client, task })
    }

    async fn ask(&self, mut opened: Opened<Connection>) -> Result<Status, Error> {
        let Connection { client, task } = &mut opened.connection;
        tokio::select! {
            // Where the connection fails, the commands that wait for it are not told why.
            ended = task => match ended {
                Ok(Err(error)) => Err(error),
                _ => Err(Error::new_canceled()),
            },
            status = status(client, self.cluster) => {
                if status.as_ref().err().is_none_or(|error| code(error).is_some()) {
                    self.kept.put(opened);
                }
                status
            }
        }
    }

    fn verdict(&self, status: Status) -> Result<CheckResult, String> {
        if let Some(info) = status.cluster
            && !info.contains("cluster_state:ok")
        {
            return Err(
                "Redis cluster is down: slots are without a node, or most primaries cannot \
                 be reached"
                    .to_owned(),
            );
        }
        let result = match status.role.as_deref() {
            Some("slave") if !self.read_only_allowed => {
                CheckResult::degraded("Redis accepts no writes: this server is a replica")
            }
            _ => CheckResult::healthy(),
        };
        Ok(match status.role {
            Some(role) => result.with_detail("role", role),
            None => result,
        })
    }
}

async fn status(client: &Client, cluster: bool) -> Result<Status, Error> {
    let () = client.ping(None).await?;
    let role = CustomCommand::new_static("ROLE", None, false);
    // An access list may forbid it, and the answer to `PING` is enough.
    let role: Option<Vec<Value>> = client.custom(role, Vec::<Value>::new()).await.ok();
    let role = role.and_then(|role| role.first()?.as_string());
    let mut status = Status { role, cluster: None };
    if cluster {
        let info = CustomCommand::new_static("CLUSTER", None, false);
        status.cluster = Some(client.custom(info, vec!["INFO"]).await?);
    }
    Ok(status)
}

/// The first word of an error that the server sent; none where the connection failed.
fn code(error: &Error) -> Option<&str> {
    let word = error.details().split(' ').next()?;
    (word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(word)
}

async fn failed(error: &Error, address: Option<(&str, u16)>) -> Result<CheckResult, String> {
    let text = error.details();
    if let Some(cause) = code(error).and_then(redis_cause) {
        return Err(cause.to_owned());
    }
    let full = "max number of clients";
    let is_full = match address {
        _ if text.contains(full) => true,
        // It says so and closes, and fred may have seen only that.
        Some((host, port)) if code(error).is_none() && !text.contains("Refused") => {
            farewell(host, port).await.is_some_and(|said| said.contains(full))
        }
        _ => false,
    };
    if is_full {
        let message = "Redis has no connection left: max number of clients reached";
        return Ok(CheckResult::degraded(message));
    }
    if code(error).is_some() {
        return Err(format!("Redis: {text}"));
    }
    // fred has the `Debug` form of an error of the system.
    let text = if text.contains("ConnectionRefused") { "Connection refused" } else { text };
    Err(format!("Redis cannot be reached: {text}"))
}
