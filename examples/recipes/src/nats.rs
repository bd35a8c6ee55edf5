//! NATS with `async-nats`: the connection of the service itself, and a message that comes back.
//!
//! ```no_run
//! use recipes::nats::Nats;
//! use servicekit_health::{CheckResult, health_check};
//!
//! #[health_check(name = "nats", shared)]
//! async fn bus(nats: &Nats) -> Result<CheckResult, String> {
//!     nats.check().await
//! }
//! ```
//!
//! * A NATS client has one connection for everything, so that is the one to ask, not another: a client
//!   that was refused when it reconnected stays alone while the server is well.
//! * `flush` ends once the bytes are with the kernel, also where the server is frozen. A message to an
//!   inbox of the check's own has to come back.
//! * Why a client does not reconnect stands only in its log. One attempt with the same options tells.
//! * The client waits up to 4 s between its attempts, and the service is without NATS for as long:
//!   here it is 250 ms at most.
//! * A connection whose packets were dropped stalls after the fault for up to as long as that was, and
//!   for minutes after a long one. Where a new connection is answered meanwhile, the client is told to
//!   reconnect: the one thing that this check changes.
//! * Messages that a subscription does not take in time are dropped, and the subscriber is not told.

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use async_nats::{ServerError, Subject};
use futures_util::StreamExt;
use servicekit_health::CheckResult;
use tokio::time::{Instant, sleep, timeout};

use crate::cause::{LIMIT, no_answer};

/// The longest wait between two attempts to reconnect.
const RECONNECT: Duration = Duration::from_millis(250);

/// How much longer than a new connection the client's own may take before it counts as stalled.
const GRACE: Duration = Duration::from_millis(100);

/// How long dropped messages are reported: two reads of a monitor that comes every 15 s.
const SLOW_FOR: Duration = Duration::from_secs(30);

/// A client and the check of its connection.
pub struct Nats {
    client: Client,
    address: ServerAddr,
    options: ConnectOptions,
    seen: Arc<Mutex<Seen>>,
    /// Nothing came back in the run before.
    silent: AtomicBool,
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats").field("host", &self.address.host()).finish_non_exhaustive()
    }
}

/// What the server or the client has said unasked.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    slow: Option<Instant>,
    inbox_refused: bool,
}

impl Nats {
    /// Connects to an address such as `nats://127.0.0.1:4222`, and goes on trying where that fails.
    /// The callbacks for events and for the delay between attempts are set here.
    ///
    /// # Errors
    /// Where the address is not one.
    pub async fn connect(address: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let address: ServerAddr = address
            .parse()
            .map_err(|error| ConnectError::with_source(ConnectErrorKind::ServerParse, error))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let told = Arc::clone(&seen);
        let client = options
            .clone()
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempts| match attempts {
                0 | 1 => Duration::ZERO,
                _ => RECONNECT,
            })
            .event_callback(move |event| {
                note(&told, &event);
                std::future::ready(())
            })
            .connect(address.clone())
            .await?;
        Ok(Self { client, address, options, seen, silent: AtomicBool::new(false) })
    }

    /// The client that the service uses.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the client is not connected or nothing comes back.
    pub async fn check(&self) -> Result<CheckResult, String> {
        if self.client.connection_state() != State::Connected {
            return Err(self.cause().await);
        }
        let was_silent = self.silent.swap(false, Ordering::Relaxed);
        let came_back = async {
            tokio::select! {
                biased;
                came_back = self.round_trip() => Some(came_back),
                () = self.another_is_answered(), if was_silent => None,
            }
        };
        let came_back = timeout(LIMIT, came_back).await;
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match came_back {
            Ok(Some(true)) if seen.slow.is_some_and(|at| at.elapsed() < SLOW_FOR) => Ok(
                CheckResult::degraded("NATS messages are dropped: a subscription does not keep up"),
            ),
            Ok(Some(true)) => Ok(CheckResult::healthy()),
            Ok(Some(false)) => Err(self.cause().await),
            Err(_) if seen.inbox_refused => {
                Err("NATS refuses messages between this user and its own \
                 inbox: allow publish and subscribe on `_INBOX.>`"
                    .to_owned())
            }
            Err(_) => {
                self.silent.store(true, Ordering::Relaxed);
                Err(no_answer("NATS", self.address.host(), self.address.port()).await)
            }
            Ok(None) => {
                let told = self.client.force_reconnect().await;
                Err(match told {
                    Ok(()) => {
                        "NATS answers, but not on the client's connection: it reconnects".into()
                    }
                    Err(error) => format!("NATS client has ended: {error}"),
                })
            }
        }
    }

    /// Whether a message of our own came back; not so where the client has closed.
    async fn round_trip(&self) -> bool {
        let inbox = Subject::from(self.client.new_inbox());
        let Ok(mut messages) = self.client.subscribe(inbox.clone()).await else { return false };
        let sent = self.client.publish(inbox, "".into()).await;
        sent.is_ok() && messages.next().await.is_some()
    }

    /// Ends a moment after a new connection was answered, or never.
    async fn another_is_answered(&self) {
        if self.connect_once().await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(GRACE).await;
    }

    /// A connection of its own, with the same options.
    async fn connect_once(&self) -> Result<Client, ConnectError> {
        self.options.clone().max_reconnects(1).connect(self.address.clone()).await
    }

    /// Why the client is not connected.
    async fn cause(&self) -> String {
        let error = match timeout(LIMIT, self.connect_once()).await {
            Ok(Ok(_)) => {
                return "NATS can be reached, and the client has not reconnected yet".into();
            }
            Ok(Err(error)) => error,
            Err(_) => return no_answer("NATS", self.address.host(), self.address.port()).await,
        };
        let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                "NATS refuses the credentials".to_owned()
            }
            _ if text.contains("maximum connections exceeded") => {
                "NATS has no connection left: maximum connections exceeded".to_owned()
            }
            _ => format!("NATS cannot be reached: {text}"),
        }
    }
}

fn note(seen: &Mutex<Seen>, event: &Event) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match event {
        Event::SlowConsumer(_) => seen.slow = Some(Instant::now()),
        Event::ServerError(ServerError::Other(text))
            if text.contains("Permissions Violation") && text.contains("\"_INBOX.") =>
        {
            seen.inbox_refused = true;
        }
        Event::Connected => seen.inbox_refused = false,
        _ => {}
    }
}
