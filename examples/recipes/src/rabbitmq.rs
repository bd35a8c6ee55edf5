//! RabbitMQ with lapin: connected, and not blocked.
//!
//! ```no_run
//! use recipes::rabbitmq::Rabbitmq;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Every replica has the same broker, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn broker(broker: &Rabbitmq) -> Result<CheckResult, String> {
//!     broker.check().await
//! }
//! ```
//!
//! * A broker that is low on memory or disk still answers everything, and stops to read from whoever
//!   publishes. It says so (`connection.blocked`) only to a connection that has published since, so
//!   this one publishes an empty message to a queue that does not exist, which the broker confirms and
//!   drops. The user needs `write` on `amq.default`, as everyone who publishes to a queue by name.
//! * Blocked is degraded: consumers work on, and it ends by itself when they have caught up.
//! * A blocked connection is kept as it is: lapin sends nothing on it, not even that it is closed, so
//!   each further one would stay open on both sides. One that freezes then is seen by its heartbeats.
//! * One channel for as long as the connection. A channel a run costs two round trips and a process on
//!   the broker each time.
//! * lapin runs each attempt to connect on a thread, which stays as long as the broker does not answer,
//!   also where nobody waits any more. An attempt that a run has given up is awaited by the next runs,
//!   for a minute.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Error, ErrorKind, Event};
use servicekit_health::CheckResult;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// The name of no queue.
const NOWHERE: &str = "health.nowhere";

/// How long an attempt to connect is awaited.
const ATTEMPT: Duration = Duration::from_mins(1);

/// A broker, asked on a connection of the check's own.
pub struct Rabbitmq {
    uri: AMQPUri,
    kept: Kept<Session>,
    attempt: Mutex<Option<Attempt>>,
}

/// A connection that is being opened.
struct Attempt {
    since: Instant,
    session: JoinHandle<Result<Session, Error>>,
}

impl Rabbitmq {
    /// The broker at a URI such as `amqp://user:password@127.0.0.1:5672/%2f`.
    ///
    /// # Errors
    /// Where the URI is not one of a broker.
    pub fn new(uri: &str) -> Result<Self, String> {
        let mut uri: AMQPUri = uri.parse()?;
        uri.query.connection_timeout.get_or_insert(500);
        Ok(Self { uri, kept: Kept::new(), attempt: Mutex::new(None) })
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
    /// With the cause, where the broker cannot be asked.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.blocked()).await {
            Ok(Ok(None)) => Ok(CheckResult::healthy()),
            Ok(Ok(Some(reason))) => {
                Ok(CheckResult::degraded(format!("RabbitMQ takes no messages: {reason}")))
            }
            Ok(Err(error)) if !timed_out(&error) => failed(&error),
            Ok(Err(_)) | Err(_) => {
                let (host, port) = (&self.uri.authority.host, self.uri.authority.port);
                Err(no_answer("RabbitMQ", host, port).await)
            }
        }
    }

    /// Why the broker takes no messages, where it does not.
    async fn blocked(&self) -> Result<Option<String>, Error> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) && !opened.connection.is_blocked() => {
                old = Some(opened);
            }
            Some(opened) => match self.ask(opened).await {
                // Whatever has ended this connection, a new one tells how the broker is now.
                Err(_) => {}
                result => return result,
            },
            None => {}
        }
        match self.open().await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    /// Waits for the attempt that is under way, or starts one.
    async fn open(&self) -> Result<Session, Error> {
        let mut attempt = self.attempt.lock().await;
        let under_way = attempt.take().filter(|attempt| attempt.since.elapsed() < ATTEMPT);
        let under_way = attempt.insert(under_way.unwrap_or_else(|| Attempt {
            since: Instant::now(),
            session: tokio::spawn(Session::open(self.uri.clone())),
        }));
        let session = (&mut under_way.session).await;
        *attempt = None;
        session.unwrap_or_else(|error| Err(io::Error::other(error).into()))
    }

    async fn ask(&self, mut opened: Opened<Session>) -> Result<Option<String>, Error> {
        let blocked = opened.connection.publish().await?;
        self.kept.put(opened);
        Ok(blocked)
    }
}

/// A connection with its channel.
struct Session {
    connection: Connection,
    channel: Channel,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    blocked: Option<String>,
}

impl Session {
    async fn open(uri: AMQPUri) -> Result<Self, Error> {
        let properties = ConnectionProperties::default().with_connection_name("health".into());
        let connection = Connection::connect_uri(uri, properties).await?;
        let events = Box::pin(connection.events_listener());
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { connection, channel, events, blocked: None })
    }

    fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Waits until the broker confirms a message or says why it does not.
    async fn publish(&mut self) -> Result<Option<String>, Error> {
        let state = self.connection.status();
        if !state.connected() {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let channel = self.channel.clone();
        let confirmed = async {
            let options = BasicPublishOptions::default();
            let properties = BasicProperties::default();
            channel.basic_publish("".into(), NOWHERE.into(), options, b"", properties).await?.await
        };
        tokio::select! {
            biased;
            reason = poll_fn(|context| self.poll_blocked(context)) => Ok(Some(reason)),
            confirmed = confirmed => confirmed.map(|_| None),
        }
    }

    fn poll_blocked(&mut self, context: &mut Context<'_>) -> Poll<String> {
        while let Poll::Ready(Some(event)) = self.events.as_mut().poll_next(context) {
            match event {
                Event::ConnectionBlocked(reason) => self.blocked = Some(reason),
                Event::ConnectionUnblocked => self.blocked = None,
                _ => {}
            }
        }
        self.blocked.clone().map_or(Poll::Pending, Poll::Ready)
    }
}

/// An attempt that an earlier run has started ends so in a later one.
fn timed_out(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == io::ErrorKind::TimedOut)
}

fn failed(error: &Error) -> Result<CheckResult, String> {
    let text = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        // Without lapin's own words before it.
        ErrorKind::IOError(error) => return Err(format!("RabbitMQ cannot be reached: {error}")),
        _ => return Err(format!("RabbitMQ cannot be reached: {error}")),
    };
    if text.contains("connection limit") {
        Ok(CheckResult::degraded(format!("RabbitMQ has no connection left: {text}")))
    } else if text.contains("Login was refused") {
        Err(format!("RabbitMQ refuses the credentials: {text}"))
    } else {
        Err(format!("RabbitMQ: {text}"))
    }
}
