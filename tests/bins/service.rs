//! A service to be put under load and to be ended. What its check does is set with
//! `GET /mode/{mode}`, what its application answers with `GET /work/{status}`, and its settings are
//! in the environment.
#![allow(clippy::print_stdout, reason = "the test reads the address")]

use std::env;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::routing::{any, get};
use axum::serve::ListenerExt;
use servicekit_health::{self as health, Check, CheckResult};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// As many as the runtime has.
const WORKERS: usize = 4;

/// What the check does, and how often it has begun to.
#[derive(Default)]
struct Control {
    mode: Mutex<String>,
    runs: AtomicU64,
}

impl Control {
    /// `flap` is the check's own: every other run fails.
    async fn run(&self, flap: &AtomicBool) -> Result<CheckResult, String> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let mode = self.mode.lock().unwrap().clone();
        match &*mode {
            "error" => return Err("Connection refused".to_owned()),
            "degraded" => return Ok(CheckResult::degraded("no replica")),
            "slow" => sleep(Duration::from_millis(150)).await,
            "late" => sleep(Duration::from_millis(400)).await,
            "hang" => pending().await,
            "panic" => panic!("index out of bounds"),
            "block" => thread::sleep(Duration::from_millis(1500)),
            "flap" if flap.fetch_not(Ordering::Relaxed) => return Err("flapping".to_owned()),
            _ => {}
        }
        Ok(CheckResult::healthy())
    }
}

fn millis(variable: &str) -> Option<Duration> {
    env::var(variable).ok().map(|text| Duration::from_millis(text.parse().unwrap()))
}

/// Keeps every worker busy for this time.
async fn block(Path(millis): Path<u64>) {
    for _ in 0..WORKERS {
        tokio::spawn(async move { thread::sleep(Duration::from_millis(millis)) });
    }
}

/// A startup check that passes once this time is over.
fn warm_up(time: Duration) -> Check {
    let start = Instant::now();
    let check =
        move || async move { if start.elapsed() < time { Err("warming up") } else { Ok(()) } };
    Check::new("warm-up", check).probe(health::Probe::Startup)
}

/// What the application is for: it says which instance has answered, with a status that is set.
fn work() -> Router {
    let name = env::var("NAME").unwrap_or_default();
    let status = Arc::new(AtomicU16::new(200));
    let set = Arc::clone(&status);
    let answer = async move || {
        let status = StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap();
        (status, name)
    };
    Router::new().route("/work", any(answer)).route(
        "/work/{status}",
        get(async move |Path(status): Path<u16>| set.store(status, Ordering::Relaxed)),
    )
}

/// The page of `examples/clients/browser`.
fn page() -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(async move || ([(header::CONTENT_TYPE, kind)], text))
    };
    let html = include_str!("../../examples/clients/browser/index.html");
    let script = include_str!("../../examples/clients/browser/health.js");
    Router::new()
        .route("/page/", file("text/html", html))
        .route("/page/health.js", file("text/javascript", script))
}

#[tokio::main(worker_threads = 4)]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).init();
    // What the panicking check says on stderr is no news to the test.
    std::panic::set_hook(Box::new(|_| {}));

    let control = Arc::<Control>::default();
    let check = |name: &str| {
        let own = (Arc::clone(&control), Arc::<AtomicBool>::default());
        Check::new(name, move || {
            let (control, flap) = own.clone();
            async move { control.run(&flap).await }
        })
        .timeout(millis("TIMEOUT").unwrap_or(Duration::from_millis(500)))
        .cache(Duration::from_millis(100))
    };
    let mut builder = health::builder()
        .check(check("target"))
        .check(check("damped").failure_threshold(3))
        .check(Check::new("alive", || async {}).probe(health::Probe::Liveness))
        .deadline(millis("DEADLINE").unwrap_or(Duration::from_millis(300)))
        .max_streams(2000);
    // Makes every report a hundred times as long.
    if env::var_os("LONG").is_some() {
        for n in 0..100 {
            let padding = || async { CheckResult::healthy().with_message("x".repeat(1000)) };
            builder = builder.check(Check::new(format!("padding-{n}"), padding));
        }
    }
    if let Some(time) = millis("WARM_UP") {
        builder = builder.check(warm_up(time));
    }
    if let Some(delay) = millis("DRAIN_DELAY") {
        builder = builder.drain_delay(delay);
    }
    if let Ok(origin) = env::var("ALLOW_ORIGIN") {
        builder = builder.allow_origin(origin);
    }
    let health = builder.build()?;
    if let Ok(port) = env::var("HEALTH_PORT") {
        health.listen(("127.0.0.1", port.parse().unwrap()))?;
    }

    let (set, counted) = (Arc::clone(&control), Arc::clone(&control));
    let app = work()
        .merge(page())
        .layer(health.drain_layer())
        .merge(health.router())
        .route("/hang", get(pending::<()>))
        .route("/block/{millis}", get(block))
        .route("/runs", get(async move || counted.runs.load(Ordering::Relaxed).to_string()))
        .route(
            "/mode/{mode}",
            get(async move |Path(mode): Path<String>| *set.mode.lock().unwrap() = mode),
        );
    let port = env::var("PORT").map_or(0, |port| port.parse().unwrap());
    let socket = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/", socket.local_addr()?);
    let bound = millis("SOCKET_DEADLINE");
    let socket = socket.tap_io(move |stream| {
        #[cfg(target_os = "linux")]
        if let Some(bound) = bound {
            let _ = socket2::SockRef::from(&*stream).set_tcp_user_timeout(Some(bound));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (stream, bound);
    });
    axum::serve(socket, app).with_graceful_shutdown(health.shutdown_signal()).await
}
