//! Kafka with rdkafka: the topic is there, and each of its partitions has a leader.
//!
//! Run against Tansu, a broker of one process with Kafka's protocol; not against Kafka itself.
//!
//! ```no_run
//! use rdkafka::ClientConfig;
//! use recipes::kafka::Kafka;
//! use servicekit_health::{CheckResult, health_check};
//!
//! fn orders() -> Result<Kafka, rdkafka::error::KafkaError> {
//!     let mut config = ClientConfig::new();
//!     config.set("bootstrap.servers", "127.0.0.1:9092");
//!     Kafka::new(config, "orders")
//! }
//!
//! /// Every replica has the same cluster, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn orders_topic(orders: &Kafka) -> Result<CheckResult, String> {
//!     orders.check().await
//! }
//! ```
//!
//! * Metadata, never a message: one that is produced by each replica each second has to be stored,
//!   replicated and skipped by every consumer, and says no more about the cluster.
//! * Of one topic: that of all grows with the cluster. By a consumer: a producer's question creates the
//!   topic that it is about.
//! * A partition without a leader takes no messages; the others work on, so that is degraded.
//! * One client for as long as the program runs, since each has a thread for each broker. It connects
//!   anew by itself; its defaults for that (10 s between two attempts, 30 s for one, a minute for an
//!   answer) are those of a consumer that has time.
//! * Credentials are checked when a connection is opened, so a changed password shows only then. Of a
//!   broker that closes each connection, as one does that is spoken to without any, librdkafka says
//!   nothing: it looks like one that does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use servicekit_health::CheckResult;
use tokio::task::spawn_blocking;

use crate::cause::{LIMIT, no_answer};

/// More than librdkafka says within a run.
const EVENTS: usize = 32;

/// A topic, asked for by a client of the check's own.
pub struct Kafka {
    consumer: Arc<BaseConsumer<Refusal>>,
    topic: Arc<str>,
    host: String,
    port: u16,
}

impl Kafka {
    /// This topic of the cluster at `bootstrap.servers`.
    ///
    /// # Errors
    /// Where librdkafka does not take the configuration.
    pub fn new(mut config: ClientConfig, topic: &str) -> KafkaResult<Self> {
        config.set("client.id", "health");
        for (key, milliseconds) in [
            ("reconnect.backoff.max.ms", "500"),
            ("socket.connection.setup.timeout.ms", "1000"),
            ("socket.timeout.ms", "1000"),
        ] {
            config.set(key, milliseconds);
        }
        let servers = config.get("bootstrap.servers").unwrap_or_default();
        let first = servers.split(',').next().unwrap_or_default();
        let first = first.rsplit_once("://").map_or(first, |(_, address)| address);
        let (host, port) = first.rsplit_once(':').unwrap_or((first, "9092"));
        let (host, port) = (host.to_owned(), port.parse().unwrap_or(9092));
        let consumer = BaseConsumer::from_config_and_context(&config, Refusal::default())?;
        Ok(Self { consumer: Arc::new(consumer), topic: topic.into(), host, port })
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where no broker can be asked or the topic is not there.
    pub async fn check(&self) -> Result<CheckResult, String> {
        let (consumer, topic) = (Arc::clone(&self.consumer), Arc::clone(&self.topic));
        // The driver blocks, and keeps to the limit by itself.
        let metadata = spawn_blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&topic), LIMIT);
            // Errors of connections are told here only, one a call; an empty queue looks no different.
            for _ in 0..EVENTS {
                consumer.poll(Duration::ZERO);
            }
            metadata
        });
        let Ok(metadata) = metadata.await.map_err(|error| format!("Kafka: {error}"))? else {
            return Err(match self.consumer.context().get() {
                Some(reason) => format!("Kafka refuses the credentials: {reason}"),
                None => no_answer("Kafka", &self.host, self.port).await,
            });
        };
        self.consumer.context().set(None);
        self.verdict(&metadata)
    }

    fn verdict(&self, metadata: &Metadata) -> Result<CheckResult, String> {
        let topic = &self.topic;
        let found =
            metadata.topics().first().ok_or_else(|| format!("Kafka has no topic {topic}"))?;
        if let Some(error) = found.error() {
            let error = RDKafkaErrorCode::from(error);
            return Err(format!("Kafka, topic {topic}: {error}"));
        }
        let all = found.partitions().len();
        let without = found.partitions().iter().filter(|one| one.leader() < 0).count();
        Ok(match without {
            0 => CheckResult::healthy().with_detail("partitions", all),
            _ => CheckResult::degraded(format!(
                "Kafka, topic {topic}: {without} of {all} partitions have no leader"
            )),
        })
    }
}

/// Why the brokers refuse the credentials, where they do.
#[derive(Default)]
struct Refusal(Mutex<Option<String>>);

impl Refusal {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl ClientContext for Refusal {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // Follows each of the others.
            Some(RDKafkaErrorCode::AllBrokersDown) => {}
            // A broker may close the connection instead of an answer.
            code if code == Some(RDKafkaErrorCode::Authentication) || reason.contains("SASL") => {
                // How long it took, and how often it was said, changes each time.
                self.set(reason.split(" (after ").next().map(str::to_owned));
            }
            _ => self.set(None),
        }
    }
}

impl ConsumerContext for Refusal {}
