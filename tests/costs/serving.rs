//! What serving health costs, as ratios against hand-written axum routes in the same run.
//!
//! `cargo bench -p servicekit-health-costs --bench serving` takes about three minutes.
#![allow(clippy::print_stdout, reason = "the figures are for a person at a terminal")]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use servicekit_health::{self as health, Check, HealthState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};
use tower::Service;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 8;
const ROUND: Duration = Duration::from_secs(1);
const STREAMS: usize = 1000;

/// How long a server's processor time or wake-ups are counted.
const COUNTED: Duration = Duration::from_secs(5);

/// The argument that makes this program a server that is measured from outside; its kind follows.
const SERVE: &str = "--serve";

/// What a server has, and how it hands its router to axum.
#[derive(Clone, Copy)]
enum Kind {
    /// Ten checks, and a route with axum's own events beside them.
    Plain,
    /// The same, with `into_make_service`.
    MakeService,
    /// 100 checks that are healthy at once.
    Instant,
    /// 100 checks that take up to half a second.
    Slow,
    /// 100 checks that run every second by themselves.
    Background,
}

impl Kind {
    const ALL: [(&str, Self); 5] = [
        ("plain", Self::Plain),
        ("make-service", Self::MakeService),
        ("instant", Self::Instant),
        ("slow", Self::Slow),
        ("background", Self::Background),
    ];

    fn health(self) -> health::Health {
        let check = |n: u32| {
            let check = Check::new(format!("check-{n}"), move || async move {
                if matches!(self, Self::Slow) {
                    sleep(Duration::from_millis(5) * n).await;
                }
            });
            match self {
                // Their results last for the whole run.
                Self::Plain | Self::MakeService => check.cache(Duration::from_secs(3600)),
                Self::Background => check.interval(Duration::from_secs(1)),
                Self::Instant | Self::Slow => check,
            }
        };
        let count = if matches!(self, Self::Plain | Self::MakeService) { 10 } else { 100 };
        let builder = (0..count).map(check).fold(health::builder(), health::HealthBuilder::check);
        builder.max_streams(STREAMS).build().unwrap()
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    if let Some(serve) = arguments.iter().position(|argument| argument == SERVE) {
        let named =
            |(name, _): &&(&str, Kind)| arguments.get(serve + 1).is_some_and(|it| it == name);
        let (_, kind) = Kind::ALL.iter().find(named).ok_or(io::ErrorKind::InvalidInput)?;
        return serve_streams(*kind).await;
    }
    throughput().await?;
    fifty_checks().await;
    runs_under_load().await?;
    hung_checks_under_load().await?;
    if cfg!(target_os = "linux") {
        memory_of_streams().await?;
        processor_time_of_streams().await?;
        wake_ups().await
    } else {
        println!("memory, processor time and wake-ups: skipped, they are read from /proc");
        Ok(())
    }
}

fn row(what: &str, measured: &str, goal: &str, holds: bool) {
    let verdict = if holds { "ok" } else { "MISSED" };
    println!("{what:<50} {measured:>18}   goal {goal:<14} {verdict}");
}

async fn listen(app: Router) -> io::Result<SocketAddr> {
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    tokio::spawn(async move { axum::serve(socket, app).await });
    Ok(address)
}

/// Requests to `path` that were answered within `time`, over keep-alive connections.
async fn requests(address: SocketAddr, path: &str, time: Duration) -> io::Result<u64> {
    let request: Arc<str> = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into();
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut socket = TcpStream::connect(address).await?;
        let (request, answered) = (Arc::clone(&request), Arc::clone(&answered));
        clients.push(tokio::spawn(timeout(time, async move {
            let mut buffer = vec![0; 8192];
            loop {
                socket.write_all(request.as_bytes()).await?;
                // An answer is far smaller than the buffer and written in one piece.
                if socket.read(&mut buffer).await? == 0 {
                    return io::Result::<()>::Err(io::ErrorKind::UnexpectedEof.into());
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        })));
    }
    for client in clients {
        if let Ok(ended) = client.await? {
            ended?;
        }
    }
    Ok(answered.load(Ordering::Relaxed))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests and pages are small")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

async fn throughput() -> io::Result<()> {
    let health = Kind::Plain.health();
    let json = serde_json::to_vec(&health.report().await).expect("a report is JSON");
    let body = Bytes::from(json);
    // The least that a route can cost: axum has nothing to validate.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::VARY, HeaderValue::from_static("accept")),
        (HeaderName::from_static("x-health-status"), HeaderValue::from_static("healthy")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let plain = move || async move { (headers, body) };
    let app = health.router().route("/plain", get(plain));
    let address = listen(app).await?;
    let mut ratios = Vec::new();
    for _ in 0..=ROUNDS {
        let plain = requests(address, "/plain", ROUND).await?;
        let ours = requests(address, "/health", ROUND).await?;
        ratios.push(ratio(ours, plain));
    }
    // The first round warms up.
    let median = median(ratios.split_off(1));
    let measured = format!("{median:.3}");
    row("requests per second against a static route", &measured, ">= 0.95", median >= 0.95);
    Ok(())
}

async fn fifty_checks() {
    let check = |n| Check::new(format!("check-{n}"), || sleep(Duration::from_millis(100)));
    let builder = (0..50).map(check).fold(health::builder(), health::HealthBuilder::check);
    let health = builder.build().unwrap();
    let start = Instant::now();
    let report = health.report().await;
    let took = start.elapsed();
    assert_eq!((report.status, report.checks.len()), (HealthState::Healthy, 50));
    let measured = format!("{:.1} ms", took.as_secs_f64() * 1e3);
    row("50 checks of 100 ms", &measured, "<= 110 ms", took <= Duration::from_millis(110));
}

async fn runs_under_load() -> io::Result<()> {
    const TIME: Duration = Duration::from_secs(10);
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let check = Check::new("counted", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    let health = health::builder().check(check).build().unwrap();
    let address = listen(health.router()).await?;
    let answered = requests(address, "/health", TIME).await?;
    let measured = runs.swap(0, Ordering::Relaxed);
    let what = format!("runs in 10 s of {answered} requests");
    row(&what, &measured.to_string(), "<= 21", measured <= 21);

    let readers = open_streams(address, "/health/$stream?poll_interval=0.5", 200).await?;
    runs.store(0, Ordering::Relaxed);
    sleep(TIME).await;
    let measured = runs.load(Ordering::Relaxed);
    row("runs in 10 s of 200 streams", &measured.to_string(), "<= 21", measured <= 21);
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// 500 checks that never end, and 4,000 requests that wait for them.
async fn hung_checks_under_load() -> io::Result<()> {
    const DEADLINE: Duration = Duration::from_millis(500);
    const SLACK: Duration = Duration::from_millis(250);

    let check = |n| Check::new(format!("check-{n}"), std::future::pending::<()>);
    let builder = (0..500).map(check).fold(health::builder(), health::HealthBuilder::check);
    let health = builder.deadline(DEADLINE).build().unwrap();
    let router: Router = health.router();
    let ask = async |mut router: Router| {
        let begin = Instant::now();
        let request = Request::get("/health").body(Body::empty()).expect("a valid request");
        let response = router.call(request).await.unwrap_or_else(|never| match never {});
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        begin.elapsed()
    };
    let asked: Vec<_> = (0..4000).map(|_| tokio::spawn(ask(router.clone()))).collect();
    let mut longest = Duration::ZERO;
    for answer in asked {
        longest = longest.max(answer.await?);
    }
    let measured = format!("{} ms", longest.as_millis());
    row(
        "longest of 4,000 requests to 500 hung checks",
        &measured,
        "<= 750 ms",
        longest <= DEADLINE + SLACK,
    );
    Ok(())
}

type Reader = tokio::task::JoinHandle<()>;

async fn open_streams(address: SocketAddr, path: &str, count: usize) -> io::Result<Vec<Reader>> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let mut readers = Vec::new();
    for _ in 0..count {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request.as_bytes()).await?;
        readers.push(tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        }));
    }
    Ok(readers)
}

/// A server that is measured from outside: prints its address, and ends with its parent or after a
/// minute.
async fn serve_streams(kind: Kind) -> io::Result<()> {
    let health = kind.health();
    let json = serde_json::to_string(&health.report().await).expect("a report is JSON");
    let events = move || {
        let ticks = stream::unfold(interval(Duration::from_secs(1)), async |mut ticks| {
            ticks.tick().await;
            Some(((), ticks))
        });
        let events = ticks.map({
            let json = json.clone();
            move |()| Ok::<_, Infallible>(Event::default().data(&json))
        });
        async { Sse::new(events).keep_alive(KeepAlive::default()) }
    };
    // Both in one router: axum copies a program's router for each of its connections.
    let app = health.router().route("/sse", get(events));
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", socket.local_addr()?);
    let served = async {
        match kind {
            Kind::Plain => axum::serve(socket, app).await,
            _ => axum::serve(socket, app.into_make_service()).await,
        }
    };
    timeout(Duration::from_secs(60), served).await.unwrap_or(Ok(()))
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// A server in a process of its own, and its address.
    fn start(kind: &str) -> io::Result<(Self, SocketAddr)> {
        use std::io::BufRead;

        let mut command = Command::new(std::env::current_exe()?);
        let mut server = Self(command.args([SERVE, kind]).stdout(Stdio::piped()).spawn()?);
        let output = server.0.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut line = String::new();
        io::BufReader::new(output).read_line(&mut line)?;
        Ok((server, line.trim().parse().map_err(io::Error::other)?))
    }

    /// The number of this key in a file such as `/proc/1/status`.
    fn number(file: &str, key: &str) -> io::Result<u64> {
        let text = std::fs::read_to_string(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("no {key} in {file}")))
    }

    fn resident_kib(&self) -> io::Result<u64> {
        Self::number(&format!("/proc/{}/status", self.0.id()), "VmRSS:")
    }

    /// The sum over its threads of what `of` reads in a thread's folder.
    fn sum(&self, of: impl Fn(&str) -> io::Result<u64>) -> io::Result<u64> {
        let mut sum = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            sum += of(&thread?.path().to_string_lossy())?;
        }
        Ok(sum)
    }

    /// How often its threads went to sleep.
    fn sleeps(&self) -> io::Result<u64> {
        self.sum(|thread| Self::number(&format!("{thread}/status"), "voluntary_ctxt_switches:"))
    }

    /// Its processor time.
    fn busy(&self) -> io::Result<Duration> {
        self.sum(|thread| Self::number(&format!("{thread}/schedstat"), ""))
            .map(Duration::from_nanos)
    }
}

/// What the streams of `path` take, in KiB.
async fn growth(kind: &str, path: &str) -> io::Result<u64> {
    let (server, address) = Server::start(kind)?;
    sleep(Duration::from_millis(500)).await;
    let before = server.resident_kib()?;
    let readers = open_streams(address, path, STREAMS).await?;
    sleep(Duration::from_secs(3)).await;
    let after = server.resident_kib()?;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(after - before)
}

async fn memory_of_streams() -> io::Result<()> {
    let programs = [
        ("plain", "memory of a stream against axum's Sse"),
        ("make-service", "the same with into_make_service"),
    ];
    for (kind, what) in programs {
        let mut ratios = Vec::new();
        for _ in 0..3 {
            let ours = growth(kind, "/health/$stream").await?;
            ratios.push(ratio(ours, growth(kind, "/sse").await?));
        }
        let median = median(ratios);
        let measured = format!("{median:.2}");
        row(what, &measured, "<= 1.05", median <= 1.05);
    }
    Ok(())
}

/// The processor time of one stream and one tick, in microseconds.
async fn tick(kind: &str, path: &str) -> io::Result<f64> {
    let (server, address) = Server::start(kind)?;
    let readers = open_streams(address, path, STREAMS).await?;
    sleep(Duration::from_secs(2)).await;
    let before = server.busy()?;
    sleep(COUNTED).await;
    let busy = server.busy()?.saturating_sub(before);
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(busy.as_secs_f64() * 1e6 / COUNTED.as_secs_f64() / 1e3)
}

async fn processor_time_of_streams() -> io::Result<()> {
    let (mut slow, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let instant = tick("instant", "/health/$stream").await?;
        slow.push(tick("slow", "/health/$stream").await?);
        ratios.push(slow[slow.len() - 1] / instant);
    }
    let (slow, ratio) = (median(slow), median(ratios));
    let what = "a stream's tick with slow checks";
    row(what, &format!("{slow:.1} us"), "<= 30 us", slow <= 30.0);
    row("the same against instant checks", &format!("{ratio:.2}"), "<= 2", ratio <= 2.0);
    Ok(())
}

async fn wake_ups() -> io::Result<()> {
    let (server, address) = Server::start("background")?;
    // Its first request starts the checks.
    requests(address, "/health", Duration::from_secs(1)).await?;
    sleep(Duration::from_secs(1)).await;
    let before = server.sleeps()?;
    sleep(COUNTED).await;
    let a_second = (server.sleeps()? - before) / COUNTED.as_secs();
    let what = "wake-ups a second of 100 background checks";
    row(what, &a_second.to_string(), "<= 20", a_second <= 20);
    Ok(())
}
