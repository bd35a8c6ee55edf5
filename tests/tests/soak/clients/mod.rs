//! Those who ask a service, each a loop of its own until the soak ends.

mod grpc;
mod hostile;
mod metrics;
mod requests;
mod streams;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::soak::{Server, Soak};

/// Longer than any answer takes, whatever else the machine does.
const HUNG: Duration = Duration::from_secs(60);

/// A service as its clients know it.
pub(crate) struct Target {
    pub(crate) role: &'static str,
    pub(crate) address: String,
    /// Where it answers on a thread of its own.
    pub(crate) beside: Mutex<String>,
    /// Whether it is ever drained.
    pub(crate) may_drain: bool,
    /// Even while it is there, odd while it is going, gone or coming.
    epoch: AtomicU64,
}

impl Target {
    pub(crate) fn new(role: &'static str, address: String, may_drain: bool) -> Arc<Self> {
        Arc::new(Self {
            role,
            address,
            beside: Mutex::default(),
            may_drain,
            epoch: AtomicU64::new(0),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// It goes away, or it is back.
    pub(crate) fn turn(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// To be asked before a request, and compared after it.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether it was there all the time since `epoch`, so that nothing excuses a failure.
    pub(crate) fn was_there(&self, epoch: u64) -> bool {
        epoch.is_multiple_of(2) && self.epoch() == epoch
    }

    /// Whether who came at `epoch` may leave. What ends is to be seen to its end.
    pub(crate) fn may_leave(&self, epoch: u64) -> bool {
        epoch % 2 == 1 || self.epoch() == epoch
    }
}

/// A request that is under way.
pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) server: Server,
    pub(crate) begin: Instant,
    epoch: u64,
}

impl Call {
    fn new(visitor: &Visitor, server: Server, what: String) -> Self {
        Self { what, server, begin: Instant::now(), epoch: visitor.target.epoch() }
    }
}

/// One client: what it asks, how it draws, what it tells.
pub(crate) struct Visitor {
    pub(crate) soak: Arc<Soak>,
    pub(crate) target: Arc<Target>,
    pub(crate) client: Client,
    pub(crate) rng: Rng,
}

impl Visitor {
    pub(crate) fn new(soak: &Arc<Soak>, target: &Arc<Target>, number: u64) -> Self {
        // What is restarted closes connections that a pool would hold.
        let idle = if target.may_drain { 0 } else { 4 };
        let client = Client::builder().no_proxy().pool_max_idle_per_host(idle);
        Self {
            soak: Arc::clone(soak),
            target: Arc::clone(target),
            client: client.build().unwrap(),
            rng: Rng::with_seed(soak.seed ^ number.rotate_left(32)),
        }
    }

    /// A failure of the connection, which only a restart excuses.
    fn failed(&self, epoch: u64, what: &str, error: &dyn std::error::Error) {
        if self.target.was_there(epoch) {
            let cause = std::iter::successors(error.source(), |error| error.source()).last();
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            self.soak.finding(format!("{}: {what} failed: {error}{cause}", self.target.role));
        }
    }

    async fn pause(&mut self, most: u64) {
        sleep(Duration::from_millis(self.rng.u64(..most))).await;
    }
}

/// Starts all clients of a service.
pub(crate) fn start(soak: &Arc<Soak>, target: &Arc<Target>, clients: &mut JoinSet<()>) {
    let mut numbers = target.role.len() as u64 * 1000..;
    let mut visitor = || Visitor::new(soak, target, numbers.next().unwrap());
    for _ in 0..12 {
        clients.spawn(requests::everything(visitor()));
    }
    for _ in 0..8 {
        clients.spawn(streams::reads(visitor()));
    }
    for _ in 0..2 {
        clients.spawn(streams::reads_slowly(visitor()));
        clients.spawn(hostile::attacks(visitor()));
        clients.spawn(grpc::watches(visitor()));
    }
    clients.spawn(requests::methods(visitor()));
    clients.spawn(requests::beside(visitor()));
    clients.spawn(metrics::scrapes(visitor()));
}
