//! Watchers: told of a service's status at once, and then whenever it differs.
//!
//! All watchers of one service share a task that waits for the engine to wake it, so that a change
//! is evaluated once, and a change of another service wakes none of them.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::messages::{HealthCheckResponse, ServingStatus};
use super::services::{Service, Services};
use crate::evaluate::engine::Engine;
use crate::evaluate::group::STARTUP;
use crate::sync::{Mutex, lock};

/// How long a stream stays that was opened while the program drained. Clients open a new one as soon
/// as one ends after a message; without a pause they would do so as fast as they can.
const DRAINING_STREAM: Duration = Duration::from_secs(1);

/// The statuses of one service, for as long as it has watchers.
#[derive(Default)]
pub(super) struct Feed(Mutex<Weak<watch::Sender<ServingStatus>>>);

impl Feed {
    /// The statuses from now on. They are an error once the runtime that brings them is gone.
    fn subscribe(
        &self,
        services: &Arc<Services>,
        service: &Arc<Service>,
    ) -> watch::Receiver<ServingStatus> {
        let mut sender = lock(&self.0);
        if let Some(sender) = sender.upgrade() {
            return sender.subscribe();
        }
        let (new, receiver) = watch::channel(ServingStatus::Unknown);
        let new = Arc::new(new);
        *sender = Arc::downgrade(&new);
        tokio::spawn(feed(Arc::clone(services), Arc::clone(service), new));
        receiver
    }
}

/// Brings every status of `service` to its watchers, until none is left.
async fn feed(
    services: Arc<Services>,
    service: Arc<Service>,
    sender: Arc<watch::Sender<ServingStatus>>,
) {
    let engine = &services.engine;
    // As long as this is held, the engine evaluates on-demand checks regularly.
    let _listener = engine.listen();
    let mut differences = engine.differences();
    // Whatever has no result yet gets one, or its time is over.
    services.ask(&service).await;
    let mut tick = Instant::now();
    loop {
        let status = services.watched(&service);
        sender.send_if_modified(|sent| std::mem::replace(sent, status) != status);
        tokio::select! {
            () = sender.closed() => return,
            changed = differences.changed() => if changed.is_err() { return },
            () = regularly(engine, tick) => tick = Instant::now() + engine.watch_interval(),
        }
    }
}

/// What no result tells: a background check whose runs have stopped, and the end of startup.
async fn regularly(engine: &Engine, at: Instant) {
    sleep_until(at).await;
    engine.wake();
    if !engine.has_started_up() {
        engine.snapshot(&engine.group(&STARTUP)).await;
    }
}

/// The stream of one watcher.
pub(super) fn open(
    services: Arc<Services>,
    name: &str,
) -> impl Stream<Item = Result<HealthCheckResponse, tonic::Status>> + Send + use<> {
    let service = services.find(name).cloned();
    let statuses = service.as_ref().map(|service| service.feed.subscribe(&services, service));
    let lifecycle = &services.engine.lifecycle;
    let ends: Pin<Box<dyn Future<Output = ()> + Send>> = if lifecycle.is_draining() {
        let over = lifecycle.over();
        Box::pin(async move {
            tokio::select! {
                () = over => {}
                () = sleep(DRAINING_STREAM) => {}
            }
        })
    } else {
        Box::pin(lifecycle.draining())
    };
    let watcher = Watcher { services, service, statuses, sent: None, ends, is_over: false };
    stream::unfold(watcher, async |mut watcher| {
        let status = watcher.next().await?;
        Some((Ok(status.into()), watcher))
    })
}

struct Watcher {
    services: Arc<Services>,
    /// `None` if it is unknown. It stays so: services are never added.
    service: Option<Arc<Service>>,
    statuses: Option<watch::Receiver<ServingStatus>>,
    sent: Option<ServingStatus>,
    /// Ends when the stream has to: with the begin of draining, so that it does not hold up a
    /// graceful shutdown.
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
}

impl Watcher {
    /// The next status to send; `None` at the end.
    async fn next(&mut self) -> Option<ServingStatus> {
        while !self.is_over {
            let status = match (&self.service, self.sent) {
                (None, None) => ServingStatus::ServiceUnknown,
                (Some(service), None) => self.services.ask(service).await,
                (_, Some(_)) => self.changed().await,
            };
            if self.sent.replace(status) != Some(status) {
                return Some(status);
            }
        }
        None
    }

    /// The status after the next change of any kind.
    async fn changed(&mut self) -> ServingStatus {
        tokio::select! {
            biased;
            () = &mut self.ends => {
                self.is_over = true;
                match &self.service {
                    Some(service) => self.services.watched(service),
                    None => ServingStatus::ServiceUnknown,
                }
            }
            status = next_status(&self.services, self.service.as_ref(), &mut self.statuses) => status,
        }
    }
}

/// The next status of the service; that of an unknown one never changes.
async fn next_status(
    services: &Arc<Services>,
    service: Option<&Arc<Service>>,
    statuses: &mut Option<watch::Receiver<ServingStatus>>,
) -> ServingStatus {
    let (Some(service), Some(statuses)) = (service, statuses) else {
        return std::future::pending().await;
    };
    if statuses.changed().await.is_ok() {
        return *statuses.borrow_and_update();
    }
    // The runtime that brought them is gone. This one is not.
    *statuses = service.feed.subscribe(services, service);
    services.ask(service).await
}
