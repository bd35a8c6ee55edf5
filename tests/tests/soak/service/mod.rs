//! The program under load: many checks of every kind, everything that the crate exposes, and routes
//! by which the soak reads and sets what it needs. Its settings are in the environment.

mod chain;
pub(crate) mod chaos;
pub(crate) mod checks;
mod ledger;

use std::env;
use std::io;
use std::os::unix::process::parent_id;
use std::process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use futures_util::StreamExt;
use serde_json::{Value, json};
use servicekit_health::{self as health, Health, Transition};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep;

use chain::Chain;
use ledger::Ledger;

/// Names the port that it serves; that is what makes the program a service.
pub(crate) const PORT: &str = "SOAK_SERVICE_PORT";
pub(crate) const SEED: &str = "SOAK_SERVICE_SEED";
/// Every third generation limits how many runs are under way.
pub(crate) const GENERATION: &str = "SOAK_SERVICE_GENERATION";

pub(crate) const DRAIN_DELAY: Duration = Duration::from_secs(3);
pub(crate) const MAX_STREAMS: u64 = 128;
pub(crate) const HISTORY: usize = 256;

/// At most one of them is blocked by a check.
const WORKERS: usize = 4;

/// What is known in the process, for the soak to read.
struct Service {
    ledger: Arc<Ledger>,
    /// One that takes transitions as they come, on the runtime.
    subscriber: Mutex<Chain>,
    /// Another, on a thread.
    callback: Mutex<Chain>,
    /// One that is too slow, and loses some.
    slow: Mutex<Chain>,
    generation: u64,
}

impl Service {
    fn take(&self, listener: &Mutex<Chain>, transition: &Transition) {
        if let Some(violation) = listener.lock().unwrap().take(transition) {
            self.ledger.violation(violation);
        }
    }

    fn state(&self) -> Value {
        self.ledger.count_runs();
        json!({
            "pid": process::id(),
            "generation": self.generation,
            "tasks": Handle::current().metrics().num_alive_tasks(),
            "runs": self.ledger.runs(),
            "violations": self.ledger.violations(),
            "subscriber": self.subscriber.lock().unwrap().counts(),
            "callback": self.callback.lock().unwrap().counts(),
            "slow": self.slow.lock().unwrap().counts(),
        })
    }
}

fn number(variable: &str) -> u64 {
    env::var(variable).unwrap().parse().unwrap()
}

pub(crate) fn run() -> io::Result<()> {
    end_with_parent();
    quiet_chaos();
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).init();
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(serve())
}

/// Whatever becomes of the soak, nothing is left behind.
fn end_with_parent() {
    let parent = parent_id();
    thread::spawn(move || {
        while parent_id() == parent {
            thread::sleep(Duration::from_millis(500));
        }
        process::exit(1);
    });
}

/// Only panics that nobody asked for are written.
fn quiet_chaos() {
    let written = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if !text.is_some_and(|text| text.starts_with(chaos::CHAOS)) {
            written(panic);
        }
    }));
}

#[allow(clippy::print_stdout, reason = "the soak reads the addresses, and the last state")]
async fn serve() -> io::Result<()> {
    let generation = number(GENERATION);
    let service = Arc::new(Service {
        ledger: Ledger::new(number(SEED).wrapping_add(generation)),
        subscriber: Mutex::new(Chain::new("the subscriber")),
        callback: Mutex::new(Chain::new("the callback")),
        slow: Mutex::new(Chain::new("the slow subscriber")),
        generation,
    });
    let health = build(&service)?;
    listen(&service, &health);
    let beside = health.listen("127.0.0.1:0")?;

    let app = operations(&service, &health)
        .layer(health.drain_layer())
        .merge(health.router())
        .route_service("/grpc.health.v1.Health/{method}", health.grpc());
    let port = u16::try_from(number(PORT)).unwrap();
    let socket = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/ http://{beside}/", socket.local_addr()?);
    axum::serve(socket, app.into_make_service())
        .with_graceful_shutdown(health.shutdown_signal())
        .await?;
    println!("final {}", service.state());
    service.ledger.is_ending.store(true, Ordering::Release);
    Ok(())
}

fn build(service: &Arc<Service>) -> io::Result<Health> {
    let callback = Arc::clone(service);
    let mut builder = health::builder()
        .provide(Arc::clone(&service.ledger))
        .service("soak", "1")
        .watch_interval(Duration::from_millis(500))
        .drain_delay(DRAIN_DELAY)
        .max_streams(usize::try_from(MAX_STREAMS).unwrap())
        .history(HISTORY)
        .metrics_path("/metrics")
        .grpc_service("soak.Orders", ["demand-0", "shared-1"])
        .allow_origin("*")
        .on_transition(move |transition| callback.take(&callback.callback, transition))
        .on_transition(|transition| {
            assert!(transition.failures % 7 != 3, "{}: a callback that panics", chaos::CHAOS);
        });
    for check in checks::dynamic(&service.ledger) {
        builder = builder.check(check);
    }
    if service.generation % 3 == 2 {
        builder = builder.max_concurrent(24);
    }
    Ok(builder.build()?)
}

/// Before anything runs, so that they see every transition.
fn listen(service: &Arc<Service>, health: &Health) {
    let (own, mut transitions) = (Arc::clone(service), health.subscribe());
    tokio::spawn(async move {
        while let Some(transition) = transitions.next().await {
            own.take(&own.subscriber, &transition);
        }
    });
    let (own, mut transitions) = (Arc::clone(service), health.subscribe());
    tokio::spawn(async move {
        while let Some(transition) = transitions.next().await {
            own.take(&own.slow, &transition);
            // Slower than they come, and fast enough to be done with the queue once it is calm.
            if !own.ledger.is_calm.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(500)).await;
            }
        }
    });
}

/// What the soak does to it.
fn operations(service: &Arc<Service>, health: &Health) -> Router {
    let (state, recent, calm) = (Arc::clone(service), Arc::clone(service), Arc::clone(service));
    let health = health.clone();
    Router::new()
        .route("/soak/state", get(async move || state.state().to_string()))
        .route(
            "/soak/transitions",
            get(async move || recent.subscriber.lock().unwrap().recent().to_string()),
        )
        .route(
            "/soak/calm/{calm}",
            post(async move |Path(is_calm): Path<bool>| {
                calm.ledger.is_calm.store(is_calm, Ordering::Relaxed);
            }),
        )
        .route("/soak/drain", post(async move || health.drain()))
}
