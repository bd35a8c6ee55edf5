//! The health checking protocol of gRPC, asked with tonic's client.
#![cfg(feature = "grpc")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::uri::PathAndQuery;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{
    self as health, Check, GrpcHealth, Health, HealthBuilder, HealthState, Probe,
};
use tokio::time::{Instant, advance, sleep, timeout};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

const UNKNOWN_SERVICE: i32 = 3;
const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

/// What the standard says, once more: the messages of the crate are not those of its tests.
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

#[derive(Clone, PartialEq, prost::Message)]
struct HealthListRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthListResponse {
    #[prost(btree_map = "string, message", tag = "1")]
    statuses: BTreeMap<String, HealthCheckResponse>,
}

type Client = tonic::client::Grpc<GrpcHealth>;

fn client(health: &Health) -> Client {
    Client::new(health.grpc())
}

fn path(method: &str) -> PathAndQuery {
    format!("/grpc.health.v1.Health/{method}").parse().unwrap()
}

fn of(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.to_owned() })
}

async fn check(health: &Health, service: &str) -> Result<i32, Code> {
    let codec = ProstCodec::<_, HealthCheckResponse>::default();
    let answer = client(health).unary(of(service), path("Check"), codec).await;
    answer.map(|answer| answer.into_inner().status).map_err(|status| status.code())
}

async fn list(health: &Health) -> BTreeMap<String, i32> {
    let codec = ProstCodec::<_, HealthListResponse>::default();
    let mut client = client(health);
    let answer = client.unary(Request::new(HealthListRequest {}), path("List"), codec).await;
    let statuses = answer.unwrap().into_inner().statuses;
    statuses.into_iter().map(|(name, status)| (name, status.status)).collect()
}

struct Watch(Streaming<HealthCheckResponse>);

impl Watch {
    async fn open(health: &Health, service: &str) -> Self {
        let codec = ProstCodec::default();
        let answer = client(health).server_streaming(of(service), path("Watch"), codec).await;
        Self(answer.unwrap().into_inner())
    }

    /// The next status; `None` at the end.
    async fn next(&mut self) -> Option<i32> {
        let next = timeout(secs(60), self.0.message()).await.expect("a stream is silent");
        next.unwrap().map(|answer| answer.status)
    }

    async fn is_silent_for(&mut self, time: Duration) -> bool {
        timeout(time, self.0.message()).await.is_err()
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A check that finds the state it is set to, and counts its runs.
#[derive(Clone, Default)]
struct Dial {
    state: Arc<Mutex<HealthState>>,
    runs: Arc<AtomicUsize>,
}

impl Dial {
    fn set(&self, state: HealthState) {
        *self.state.lock().unwrap() = state;
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    fn check(&self, name: &str) -> Check {
        let dial = self.clone();
        let check = Check::new(name, move || {
            dial.runs.fetch_add(1, Ordering::SeqCst);
            let state = *dial.state.lock().unwrap();
            async move { state }
        });
        check.cache(Duration::ZERO)
    }
}

/// A database for readiness and a loop for liveness, and two services of the application's.
fn shop(database: &Dial, work: &Dial) -> HealthBuilder {
    health::builder()
        .check(database.check("database"))
        .check(work.check("loop").probe(Probe::Liveness))
        .grpc_service("shop.v1.Orders", ["database"])
        .grpc_service("shop.v1.Catalog", [] as [&str; 0])
}

fn healthy_shop() -> (Dial, Dial, Health) {
    let (database, work) = (Dial::default(), Dial::default());
    let health = shop(&database, &work).build().unwrap();
    (database, work, health)
}

#[tokio::test(start_paused = true)]
async fn each_name_is_a_probe_a_check_or_a_service_of_the_application() {
    let (database, work, health) = healthy_shop();
    let all = ["", "liveness", "readiness", "startup", "database", "loop"];
    for service in all.into_iter().chain(["shop.v1.Orders", "shop.v1.Catalog"]) {
        assert_eq!(check(&health, service).await, Ok(SERVING), "{service}");
    }
    database.set(Unhealthy);
    for service in ["", "readiness", "database", "shop.v1.Orders"] {
        assert_eq!(check(&health, service).await, Ok(NOT_SERVING), "{service}");
    }
    for service in ["liveness", "startup", "loop", "shop.v1.Catalog"] {
        assert_eq!(check(&health, service).await, Ok(SERVING), "{service}");
    }
    database.set(Healthy);
    work.set(Unhealthy);
    assert_eq!(check(&health, "").await, Ok(SERVING));
    assert_eq!(check(&health, "liveness").await, Ok(NOT_SERVING));
}

#[tokio::test(start_paused = true)]
async fn a_degraded_check_is_serving_and_a_shared_one_spares_readiness() {
    let dial = Dial::default();
    let builder = health::builder().check(dial.check("database").shared());
    let health = builder.grpc_service("shop.v1.Orders", ["database"]).build().unwrap();
    dial.set(Degraded);
    assert_eq!(check(&health, "database").await, Ok(SERVING));
    dial.set(Unhealthy);
    assert_eq!(check(&health, "").await, Ok(SERVING));
    assert_eq!(check(&health, "database").await, Ok(NOT_SERVING));
    assert_eq!(check(&health, "shop.v1.Orders").await, Ok(NOT_SERVING));
    let listed = list(&health).await;
    assert_eq!([listed[""], listed["database"]], [SERVING, NOT_SERVING]);
}

#[tokio::test(start_paused = true)]
async fn until_startup_has_passed_readiness_is_not_serving() {
    let (warmup, database) = (Dial::default(), Dial::default());
    warmup.set(Unhealthy);
    let builder = health::builder().check(warmup.check("warmup").probe(Probe::Startup));
    let health = builder.check(database.check("database")).build().unwrap();
    assert_eq!(check(&health, "").await, Ok(NOT_SERVING));
    assert_eq!(check(&health, "startup").await, Ok(NOT_SERVING));

    let mut watches = [Watch::open(&health, "").await, Watch::open(&health, "startup").await];
    for watch in &mut watches {
        assert_eq!(watch.next().await, Some(NOT_SERVING));
    }
    warmup.set(Healthy);
    for watch in &mut watches {
        assert_eq!(watch.next().await, Some(SERVING));
    }
    // Startup passes for good, although only watchers have asked.
    sleep(secs(6)).await;
    warmup.set(Unhealthy);
    for watch in &mut watches {
        assert!(watch.is_silent_for(secs(20)).await);
    }
    assert_eq!(check(&health, "startup").await, Ok(SERVING));
    assert_eq!(check(&health, "").await, Ok(SERVING));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_service_is_not_found_and_its_name_is_not_repeated() {
    let (_, _, health) = healthy_shop();
    let codec = ProstCodec::<_, HealthCheckResponse>::default();
    let name = "x".repeat(10_000);
    let answer = client(&health).unary(of(&name), path("Check"), codec).await;
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown service"));
    assert_eq!(check(&health, "shop.v1.orders").await, Err(Code::NotFound));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_method_is_unimplemented_and_a_huge_request_is_refused() {
    let (_, _, health) = healthy_shop();
    let ask = async |service: &str, method: &str| -> Status {
        let codec = ProstCodec::<_, HealthCheckResponse>::default();
        client(&health).unary(of(service), path(method), codec).await.unwrap_err()
    };
    assert_eq!(ask("", "Ask").await.code(), Code::Unimplemented);
    assert_eq!(ask(&"x".repeat(100_000), "Check").await.code(), Code::OutOfRange);
}

#[tokio::test(start_paused = true)]
async fn a_list_has_every_service_from_one_evaluation() {
    let (database, work, health) = healthy_shop();
    database.set(Unhealthy);
    let listed = list(&health).await;
    let listed: Vec<_> = listed.iter().map(|(name, status)| (name.as_str(), *status)).collect();
    let expected = [
        ("", NOT_SERVING),
        ("database", NOT_SERVING),
        ("liveness", SERVING),
        ("loop", SERVING),
        ("readiness", NOT_SERVING),
        ("shop.v1.Catalog", SERVING),
        ("shop.v1.Orders", NOT_SERVING),
        ("startup", SERVING),
    ];
    assert_eq!(listed, expected);
    assert_eq!([database.runs(), work.runs()], [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_at_once_and_then_only_of_another_status() {
    let (database, _, health) = healthy_shop();
    let mut watch = Watch::open(&health, "shop.v1.Orders").await;
    assert_eq!(watch.next().await, Some(SERVING));
    database.set(Degraded);
    assert!(watch.is_silent_for(secs(20)).await);
    database.set(Unhealthy);
    assert_eq!(watch.next().await, Some(NOT_SERVING));
    assert!(watch.is_silent_for(secs(20)).await);
    database.set(Healthy);
    assert_eq!(watch.next().await, Some(SERVING));
}

#[tokio::test(start_paused = true)]
async fn watchers_make_the_engine_run_checks_at_the_watch_interval_until_they_leave() {
    let (database, work) = (Dial::default(), Dial::default());
    let health = shop(&database, &work).watch_interval(secs(1)).build().unwrap();
    let mut watches = Vec::new();
    for _ in 0..100 {
        let mut watch = Watch::open(&health, "database").await;
        assert_eq!(watch.next().await, Some(SERVING));
        watches.push(watch);
    }
    let before = database.runs();
    sleep(secs(10)).await;
    assert!((9..=11).contains(&(database.runs() - before)), "{}", database.runs() - before);
    drop(watches);
    sleep(secs(2)).await;
    let before = database.runs();
    sleep(secs(10)).await;
    assert_eq!(database.runs(), before);
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_a_watcher_without_waiting_for_a_slow_check() {
    let database = Dial::default();
    let slow = Check::new("slow", || sleep(Duration::from_millis(700)));
    let builder = health::builder().check(database.check("database"));
    let health = builder.check(slow.cache(Duration::ZERO)).build().unwrap();
    let mut watch = Watch::open(&health, "").await;
    assert_eq!(watch.next().await, Some(SERVING));
    database.set(Unhealthy);
    let asked = Instant::now();
    let asking = tokio::spawn({
        let health = health.clone();
        async move { health.report().await }
    });
    assert_eq!(watch.next().await, Some(NOT_SERVING));
    assert!(asked.elapsed() < Duration::from_millis(50), "{:?}", asked.elapsed());
    asking.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_under_way_after_a_long_pause_is_not_taken_for_a_failure() {
    let database = Dial::default();
    let slow = Check::new("slow", || sleep(Duration::from_millis(700)));
    let builder = health::builder().watch_interval(secs(60)).check(database.check("database"));
    let health = builder.check(slow).build().unwrap();
    let mut watch = Watch::open(&health, "").await;
    assert_eq!(watch.next().await, Some(SERVING));
    // Each evaluation changes the one while the other, whose last result is a minute old, runs.
    for state in [Degraded, Healthy, Degraded] {
        database.set(state);
        assert!(watch.is_silent_for(secs(60)).await, "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_told_to_watchers_when_readers_are_told() {
    let hangs = Arc::<Mutex<bool>>::default();
    let seen = Arc::clone(&hangs);
    let check = Check::new("database", move || {
        let hangs = *seen.lock().unwrap();
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
        }
    });
    let health = health::builder().check(check.timeout(secs(3600))).build().unwrap();
    let mut watch = Watch::open(&health, "database").await;
    assert_eq!(watch.next().await, Some(SERVING));
    *hangs.lock().unwrap() = true;
    let begin = Instant::now();
    assert_eq!(watch.next().await, Some(NOT_SERVING));
    assert!((secs(30)..secs(45)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_of_an_unknown_service_is_told_so_and_stays_until_the_drain() {
    let (_, _, health) = healthy_shop();
    let mut watch = Watch::open(&health, "shop.v1.Carts").await;
    assert_eq!(watch.next().await, Some(UNKNOWN_SERVICE));
    assert!(watch.is_silent_for(secs(600)).await);
    health.drain();
    assert_eq!(watch.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn draining_is_told_to_every_watcher_before_its_stream_ends() {
    let (database, _, health) = healthy_shop();
    let services = ["", "readiness", "startup", "database", "shop.v1.Orders", "shop.v1.Catalog"];
    let mut watches = Vec::new();
    for service in services {
        let mut watch = Watch::open(&health, service).await;
        assert_eq!(watch.next().await, Some(SERVING), "{service}");
        watches.push(watch);
    }
    let mut liveness = Watch::open(&health, "liveness").await;
    assert_eq!(liveness.next().await, Some(SERVING));
    let begin = Instant::now();
    health.drain();
    for watch in &mut watches {
        assert_eq!(watch.next().await, Some(NOT_SERVING));
        assert_eq!(watch.next().await, None);
    }
    // Nothing has changed for it.
    assert_eq!(liveness.next().await, None);
    assert_eq!(begin.elapsed(), Duration::ZERO);

    let runs = database.runs();
    for service in services {
        assert_eq!(check(&health, service).await, Ok(NOT_SERVING), "{service}");
    }
    assert_eq!(check(&health, "liveness").await, Ok(SERVING));
    assert_eq!(check(&health, "shop.v1.Carts").await, Err(Code::NotFound));
    assert_eq!(database.runs(), runs, "nothing runs to say that the program drains");
    let listed = list(&health).await;
    let serving = listed.iter().filter(|(_, status)| **status == SERVING);
    assert!(serving.map(|(name, _)| name).eq(["liveness"]));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_comes_while_draining_is_told_and_not_sent_away_at_once() {
    let (_, _, health) = healthy_shop();
    health.drain();
    let begin = Instant::now();
    let mut watch = Watch::open(&health, "").await;
    assert_eq!(watch.next().await, Some(NOT_SERVING));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(watch.next().await, None);
    assert!(begin.elapsed() >= secs(1) && begin.elapsed() < secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn streams_opened_while_draining_end_with_the_drain() {
    let (database, work) = (Dial::default(), Dial::default());
    let health = shop(&database, &work).drain_delay(Duration::from_millis(10)).build().unwrap();
    health.drain();
    let begin = Instant::now();
    let mut watch = Watch::open(&health, "").await;
    assert_eq!(watch.next().await, Some(NOT_SERVING));
    health.shutdown_signal().await;
    assert_eq!(watch.next().await, None);
    assert!(begin.elapsed() < Duration::from_millis(50), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_nothing_watches_any_more_can_be_watched_again() {
    let (database, _, health) = healthy_shop();
    for state in [Healthy, Unhealthy, Degraded] {
        database.set(state);
        let mut watch = Watch::open(&health, "database").await;
        let expected = if state == Unhealthy { NOT_SERVING } else { SERVING };
        assert_eq!(watch.next().await, Some(expected));
        drop(watch);
        advance(secs(1)).await;
    }
}

#[test]
fn watchers_outlive_the_runtime_of_the_first_of_them() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (database, work) = (Dial::default(), Dial::default());
    let builder = shop(&database, &work).watch_interval(Duration::from_millis(10));
    let health = builder.build().unwrap();
    let (first, second) = (runtime(), runtime());
    let mut one = first.block_on(Watch::open(&health, "database"));
    assert_eq!(first.block_on(one.next()), Some(SERVING));
    let mut other = second.block_on(Watch::open(&health, "database"));
    assert_eq!(second.block_on(other.next()), Some(SERVING));
    drop(one);
    drop(first);
    database.set(Unhealthy);
    assert_eq!(second.block_on(other.next()), Some(NOT_SERVING));
}

#[tokio::test(start_paused = true)]
async fn where_a_check_is_called_like_a_probe_the_name_is_the_probe() {
    let dial = Dial::default();
    dial.set(Unhealthy);
    let builder = health::builder().check(dial.check("liveness").probe(Probe::Readiness));
    let health = builder.build().unwrap();
    assert_eq!(check(&health, "liveness").await, Ok(SERVING));
    assert_eq!(check(&health, "").await, Ok(NOT_SERVING));
}

#[test]
fn services_that_cannot_be_told_apart_and_unknown_checks_are_build_errors() {
    let dial = Dial::default();
    let builder = shop(&dial, &dial)
        .grpc_service("shop.v1.Orders", ["loop"])
        .grpc_service("", ["loop"])
        .grpc_service("readiness", ["loop"])
        .grpc_service("database", ["loop"])
        .grpc_service("shop.v1.Carts", ["databse", "queue", "loop"]);
    let error = builder.build().unwrap_err();
    let problems: Vec<_> = error.problems().collect();
    let use_name = "use the full name of a gRPC service such as `shop.v1.Orders`";
    let expected = [
        "duplicate gRPC service `shop.v1.Orders`; name all of its checks in one call of `grpc_service`"
            .to_owned(),
        format!("invalid gRPC service name ``: the empty name is readiness; {use_name}"),
        format!("invalid gRPC service name `readiness`: this name is that of a probe; {use_name}"),
        format!(
            "invalid gRPC service name `database`: this name is that of a check, which is a service \
             already; {use_name}"
        ),
        "gRPC service `shop.v1.Carts` refers to unknown check `databse`; did you mean `database`?"
            .to_owned(),
        "gRPC service `shop.v1.Carts` refers to unknown check `queue`; registered: `database`, `loop`"
            .to_owned(),
    ];
    assert_eq!(problems, expected);
}

#[test]
fn its_debug_form_lists_the_services() {
    let (_, _, health) = healthy_shop();
    let text = format!("{:?}", health.grpc());
    assert!(text.starts_with("GrpcHealth") && text.contains("\"shop.v1.Orders\""), "{text}");
}
