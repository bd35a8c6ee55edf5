//! What serving health costs, as ratios against hand-written axum routes in the same run.
//!
//! `cargo bench -p servicekit-health-tests --bench serving`
#![allow(clippy::print_stdout, reason = "the figures are for a person at a terminal")]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use servicekit_health::{self as health, Check, HealthState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 8;
const ROUND: Duration = Duration::from_millis(1500);
const STREAMS: usize = 1000;

/// The argument that makes this program the server whose memory is measured.
const SERVE: &str = "--serve-streams";

/// Ten healthy checks whose results last for the whole run.
fn ten_checks() -> health::Health {
    let check = |n| Check::new(format!("check-{n}"), || async {}).cache(Duration::from_secs(3600));
    let builder = (0..10).map(check).fold(health::builder(), health::HealthBuilder::check);
    builder.max_streams(STREAMS).build().unwrap()
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    if arguments.iter().any(|argument| argument == SERVE) {
        return serve_streams().await;
    }
    throughput().await?;
    fifty_checks().await;
    runs_under_load().await?;
    memory_of_streams().await
}

fn row(what: &str, measured: &str, goal: &str, holds: bool) {
    let verdict = if holds { "ok" } else { "MISSED" };
    println!("{what:<46} {measured:>18}   goal {goal:<14} {verdict}");
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
    let health = ten_checks();
    let json = serde_json::to_vec(&health.report().await).expect("a report is JSON");
    let body = Bytes::from(json);
    let headers = [
        ("content-type", "application/json"),
        ("vary", "accept"),
        ("x-health-status", "healthy"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ];
    let app = health.router().route("/plain", get(move || async move { (headers, body) }));
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
    row("requests per second against a plain route", &measured, ">= 0.95", median >= 0.95);
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

/// A server of its own, so that its memory is its own: prints its address, ends with its parent.
async fn serve_streams() -> io::Result<()> {
    let health = ten_checks();
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
    let address = listen(health.router().route("/sse", get(events))).await?;
    println!("{address}");
    sleep(Duration::from_secs(60)).await;
    Ok(())
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
    fn resident_kib(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmRSS"))
    }
}

/// What the streams of `path` take, in KiB.
async fn growth(path: &str) -> io::Result<u64> {
    use std::io::BufRead;

    let mut command = Command::new(std::env::current_exe()?);
    let mut server = Server(command.arg(SERVE).stdout(Stdio::piped()).spawn()?);
    let output = server.0.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    let mut line = String::new();
    io::BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().parse().map_err(io::Error::other)?;
    sleep(Duration::from_millis(500)).await;
    let before = server.resident_kib()?;
    let readers = open_streams(address, path, STREAMS).await?;
    sleep(Duration::from_secs(4)).await;
    let after = server.resident_kib()?;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(after - before)
}

async fn memory_of_streams() -> io::Result<()> {
    if !cfg!(target_os = "linux") {
        println!("memory of streams: skipped, it is read from /proc");
        return Ok(());
    }
    let mut ratios = Vec::new();
    for _ in 0..3 {
        ratios.push(ratio(growth("/health/$stream").await?, growth("/sse").await?));
    }
    let median = median(ratios);
    let measured = format!("{median:.2}");
    row("memory of 1,000 streams against axum's Sse", &measured, "<= 1.2", median <= 1.2);
    Ok(())
}
