//! gRPC, with the official client for Python, and with as many watchers as a fleet has.
#![allow(clippy::print_stdout, reason = "the measured times are for a person")]

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use axum::Router;
use servicekit_health::HealthState::{Healthy, Unhealthy};
use servicekit_health::{self as health, Check, Health, HealthState};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::Request;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_prost::ProstCodec;

use crate::common::{Process, eventually, python};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/grpc_client.py");

const PATIENCE: Duration = Duration::from_secs(30);

const DRAIN_DELAY: Duration = Duration::from_secs(1);

/// A service with a `database` and a `redis`, and one gRPC service that needs the former.
struct Shop {
    address: SocketAddr,
    health: Health,
    states: [Arc<Mutex<HealthState>>; 2],
    server: JoinHandle<()>,
}

impl Shop {
    fn build(watch_interval: Duration) -> (Health, [Arc<Mutex<HealthState>>; 2]) {
        let states = [(); 2].map(|()| Arc::<Mutex<HealthState>>::default());
        let [database, redis] = states.clone();
        let check = |name, state: Arc<Mutex<HealthState>>| {
            Check::new(name, move || {
                let state = *state.lock().unwrap();
                async move { state }
            })
        };
        let health = health::builder()
            .cache(Duration::ZERO)
            .drain_delay(DRAIN_DELAY)
            .watch_interval(watch_interval)
            .check(check("database", database))
            .check(check("redis", redis))
            .grpc_service("shop.v1.Orders", ["database"])
            .build()
            .unwrap();
        (health, states)
    }

    async fn on_a_port_of_its_own() -> Self {
        Self::that_watches(Duration::from_millis(100)).await
    }

    async fn that_watches(interval: Duration) -> Self {
        let (health, states) = Self::build(interval);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Server::builder().add_service(health.grpc());
        let serving = router
            .serve_with_incoming_shutdown(TcpIncoming::from(listener), health.shutdown_signal());
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, health, states, server }
    }

    async fn on_the_port_of_the_application() -> Self {
        let (health, states) = Self::build(Duration::from_millis(100));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app: Router = health.router();
        let app = app.route_service("/grpc.health.v1.Health/{method}", health.grpc());
        let serving = axum::serve(listener, app).with_graceful_shutdown(health.shutdown_signal());
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, health, states, server }
    }

    fn database(&self, state: HealthState) {
        *self.states[0].lock().unwrap() = state;
    }

    fn redis(&self, state: HealthState) {
        *self.states[1].lock().unwrap() = state;
    }

    async fn ends(self) {
        timeout(PATIENCE, self.server).await.expect("the server does not end").unwrap();
    }

    fn python(&self, function: &str, arguments: &[&str]) -> Option<Process> {
        let mut command = Command::new(python()?);
        // Without `-B` it would write beside the sources.
        command.args(["-B", CLIENT, function]).arg(self.address.to_string()).args(arguments);
        Some(Process::start(&mut command))
    }
}

async fn says(process: &Process, lines: &[&str]) {
    let expected = lines.join("\n");
    let said = || process.said().trim_end().to_owned();
    eventually(&expected, async || (said() == expected).then_some(())).await;
}

#[tokio::test]
async fn python_checks_and_lists_on_either_port() {
    for shop in [Shop::on_a_port_of_its_own().await, Shop::on_the_port_of_the_application().await] {
        shop.redis(Unhealthy);
        let Some(mut client) = shop.python("ask", &[]) else { return };
        let status = eventually("the end", async || client.status()).await;
        assert!(status.success(), "{}", client.said());
    }
}

#[tokio::test]
async fn python_watches_until_the_drain_on_either_port() {
    for shop in [Shop::on_a_port_of_its_own().await, Shop::on_the_port_of_the_application().await] {
        let Some(client) = shop.python("watch", &["shop.v1.Orders"]) else { return };
        let Some(unknown) = shop.python("watch", &["shop.v1.Carts"]) else { return };
        says(&client, &["SERVING"]).await;
        says(&unknown, &["SERVICE_UNKNOWN"]).await;
        shop.redis(Unhealthy);
        shop.database(Unhealthy);
        says(&client, &["SERVING", "NOT_SERVING"]).await;
        shop.database(Healthy);
        says(&client, &["SERVING", "NOT_SERVING", "SERVING"]).await;
        shop.health.drain();
        says(&client, &["SERVING", "NOT_SERVING", "SERVING", "NOT_SERVING", "end"]).await;
        says(&unknown, &["SERVICE_UNKNOWN", "end"]).await;
        shop.ends().await;
    }
}

#[tokio::test]
async fn a_channel_that_balances_by_health_leaves_and_comes_back() {
    let shop = Shop::on_a_port_of_its_own().await;
    let Some(client) = shop.python("balance", &["shop.v1.Orders"]) else { return };
    let is_last = async |state: &str| {
        let is_last = || client.said().lines().last() == Some(state);
        eventually(state, async || is_last().then_some(())).await;
    };
    is_last("READY").await;
    shop.database(Unhealthy);
    is_last("TRANSIENT_FAILURE").await;
    shop.database(Healthy);
    is_last("READY").await;
    shop.health.drain();
    is_last("TRANSIENT_FAILURE").await;
    shop.ends().await;
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What a watcher was told, and when; `None` at the end of its stream.
struct Told {
    watcher: usize,
    status: Option<i32>,
    at: Instant,
}

async fn watch(watcher: usize, channel: Channel, told: mpsc::UnboundedSender<Told>) {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = Request::new(HealthCheckRequest { service: "shop.v1.Orders".to_owned() });
    let path = "/grpc.health.v1.Health/Watch".parse().unwrap();
    let codec = ProstCodec::<_, HealthCheckResponse>::default();
    let mut statuses = client.server_streaming(request, path, codec).await.unwrap().into_inner();
    loop {
        let status = statuses.message().await.unwrap().map(|answer| answer.status);
        // An error says that the test is over.
        let _ = told.send(Told { watcher, status, at: Instant::now() });
        if status.is_none() {
            return;
        }
    }
}

/// When the last watcher was told the first of these, which all of them are told in this order.
async fn all(told: &mut mpsc::UnboundedReceiver<Told>, expected: &[Option<i32>]) -> Instant {
    let mut statuses = vec![Vec::new(); WATCHERS];
    let mut last = None;
    for _ in 0..WATCHERS * expected.len() {
        let next = timeout(PATIENCE, told.recv()).await.expect("a watcher is told nothing");
        let Told { watcher, status, at } = next.unwrap();
        statuses[watcher].push(status);
        if status == expected[0] {
            last = last.max(Some(at));
        }
    }
    assert!(statuses.iter().all(|statuses| statuses == expected), "{statuses:?}");
    last.unwrap()
}

const WATCHERS: usize = 1000;
const SERVING: Option<i32> = Some(1);
const NOT_SERVING: Option<i32> = Some(2);

/// What the threads of this name have had of the processors so far, and waited for one.
///
/// Zero where the kernel does not say.
fn spent(name: &str) -> [Duration; 2] {
    let mut spent = [Duration::ZERO; 2];
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // A thread may end meanwhile.
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim_end() == name {
            let times = read("schedstat");
            for (sum, time) in spent.iter_mut().zip(times.split_whitespace()) {
                *sum += Duration::from_nanos(time.parse().unwrap());
            }
        }
    }
    spent
}

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build().unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_thousand_watchers_are_told_within_50_ms_and_all_before_the_drain_ends() {
    let (server, clients) = (runtime("server"), runtime("clients"));
    // So rarely that watchers are told in time only because each change wakes them.
    let shop = server.block_on(Shop::that_watches(Duration::from_secs(60)));
    let (tell, mut told) = mpsc::unbounded_channel();
    clients.block_on(async {
        for first in (0..WATCHERS).step_by(100) {
            let endpoint = Endpoint::from_shared(format!("http://{}", shop.address)).unwrap();
            let channel = endpoint.connect().await.unwrap();
            for watcher in first..first + 100 {
                tokio::spawn(watch(watcher, channel.clone(), tell.clone()));
            }
        }
        all(&mut told, &[SERVING]).await;
    });

    let (mut took, mut worked) = (Vec::new(), Vec::new());
    for (state, status) in [(Unhealthy, NOT_SERVING), (Healthy, SERVING)].repeat(5) {
        sleep(Duration::from_millis(200));
        let before = [spent("server"), spent("clients")];
        let changed = Instant::now();
        shop.database(state);
        server.block_on(shop.health.check("database"));
        let last = clients.block_on(all(&mut told, &[status])) - changed;
        let after = [spent("server"), spent("clients")];
        let since = |runtime: usize, what: usize| {
            after[runtime][what].saturating_sub(before[runtime][what])
        };
        let (work, wait) = (since(0, 0), since(0, 1) + since(1, 1));
        println!(
            "1,000 watchers were told within {last:?}; the server worked for {work:?}, its threads and \
             those of the clients waited {wait:?} for a processor"
        );
        // Other programs may have the processors.
        took.push(last.saturating_sub(wait));
        worked.push(work);
    }
    assert!(median(took.clone()) < Duration::from_millis(50), "{took:?}");
    // However long the clients take, and whatever else runs.
    assert!(median(worked.clone()) < Duration::from_millis(50), "{worked:?}");

    let waited = || spent("server")[1] + spent("clients")[1];
    let (begin, waited_before) = (Instant::now(), waited());
    shop.health.drain();
    let last = clients.block_on(all(&mut told, &[NOT_SERVING, None])) - begin;
    println!("and of the drain within {last:?}");
    let last = last.saturating_sub(waited().saturating_sub(waited_before));
    assert!(!shop.server.is_finished() && last < DRAIN_DELAY, "{last:?}");
    server.block_on(shop.ends());
}
