//! A service to be put under load and to be ended. What its check does is set with
//! `GET /mode/{mode}`, and its settings are in the environment.
#![allow(clippy::print_stdout, reason = "the test reads the address")]

use std::env;
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use axum::serve::ListenerExt;
use servicekit_health::{self as health, Check, CheckResult};
use tokio::net::TcpListener;
use tokio::time::sleep;

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
        .timeout(Duration::from_millis(500))
        .cache(Duration::from_millis(100))
    };
    let mut builder = health::builder()
        .check(check("target"))
        .check(check("damped").failure_threshold(3))
        .check(Check::new("alive", || async {}).probe(health::Probe::Liveness))
        .deadline(Duration::from_millis(300))
        .max_streams(2000);
    // Makes every report a hundred times as long.
    if env::var_os("LONG").is_some() {
        for n in 0..100 {
            let padding = || async { CheckResult::healthy().with_message("x".repeat(1000)) };
            builder = builder.check(Check::new(format!("padding-{n}"), padding));
        }
    }
    if let Some(delay) = millis("DRAIN_DELAY") {
        builder = builder.drain_delay(delay);
    }
    let health = builder.build()?;

    let (set, counted) = (Arc::clone(&control), Arc::clone(&control));
    let app = Router::new()
        .merge(health.router())
        .route("/hang", get(pending::<()>))
        .route("/runs", get(async move || counted.runs.load(Ordering::Relaxed).to_string()))
        .route(
            "/mode/{mode}",
            get(async move |Path(mode): Path<String>| *set.mode.lock().unwrap() = mode),
        );
    let socket = TcpListener::bind("127.0.0.1:0").await?;
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
