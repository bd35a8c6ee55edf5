//! The newest incidents, for a second, in Redis.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client, RedisResult};
use servicekit_health::{CheckResult, health_check};
use tokio::time::timeout;

/// How long a list is served again, in seconds.
const SECONDS: u64 = 1;

/// A cache that is slower than the database is none; its client would go on trying to reconnect.
const LIMIT: Duration = Duration::from_millis(100);

/// The key of the list.
const KEY: &str = "monitoring_api:incidents";

/// The cache, and the connection on which its check asks.
#[derive(Clone)]
pub(crate) struct Cache {
    connection: ConnectionManager,
    server: Arc<recipes::redis::Redis>,
}

/// Losing the cache makes the service slower and does not stop it.
#[health_check(name = "redis", on_error = "degraded", tags = "cache")]
async fn ping(cache: &Cache) -> Result<CheckResult, String> {
    cache.server.check().await
}

impl Cache {
    /// Connects with the first use.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        // Not repeated: a URL may hold a password.
        let expected = "invalid REDIS_URL: expected redis://:password@host:6379/0";
        let client = Client::open(url).map_err(|_| expected)?;
        let config = redis::aio::ConnectionManagerConfig::new();
        let connection = client.get_connection_manager_lazy(config).map_err(|_| expected)?;
        let server = recipes::redis::Redis::new(url).map_err(|_| expected)?;
        Ok(Self { connection, server: Arc::new(server) })
    }

    /// The list, as JSON; `None` also where the cache does not answer in time.
    pub(crate) async fn get(&self) -> Option<String> {
        within(self.connection.clone().get(KEY)).await.flatten()
    }

    /// Keeps a list.
    pub(crate) async fn set(&self, json: &str) {
        within::<()>(self.connection.clone().set_ex(KEY, json, SECONDS)).await;
    }

    /// Forgets the list: it has changed. Without an answer, it is served for the second it lives.
    pub(crate) async fn clear(&self) {
        within::<()>(self.connection.clone().del(KEY)).await;
    }
}

/// What the cache answers within [`LIMIT`]. Why it does not is on `/health`.
async fn within<T>(command: impl Future<Output = RedisResult<T>>) -> Option<T> {
    match timeout(LIMIT, command).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the cache failed");
            None
        }
        Err(_) => {
            tracing::debug!("the cache did not answer in time");
            None
        }
    }
}
