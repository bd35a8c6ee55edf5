//! One of several replicas behind a balancer, with a choice of what hangs in it. Its settings are in
//! the environment.
#![allow(clippy::print_stdout, reason = "the test reads the address, and how far the end has come")]

use std::env;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use servicekit_health::{self as health, Check, CheckResult, Health, Probe};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::time::sleep;

const WORKERS: usize = 2;

fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_writer(log).with_ansi(false).init();
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(serve())?;
    println!("served");
    drop(runtime);
    println!("runtime dropped");
    if hangs("main") {
        hang("main");
    }
    Ok(())
}

/// Whether what reads the log has stopped to.
static LOG_IS_STUCK: AtomicBool = AtomicBool::new(false);

fn log() -> io::Stderr {
    if LOG_IS_STUCK.load(Ordering::Relaxed) {
        hang("log");
    }
    io::stderr()
}

/// Whether `HANGS` names this.
fn hangs(what: &str) -> bool {
    env::var("HANGS").is_ok_and(|list| list.split(',').any(|named| named == what))
}

fn hang(what: &str) {
    println!("{what} hangs");
    loop {
        thread::park();
    }
}

fn millis(variable: &str) -> Option<Duration> {
    env::var(variable).ok().map(|text| Duration::from_millis(text.parse().unwrap()))
}

async fn serve() -> io::Result<()> {
    let fails = Arc::<AtomicBool>::default();
    let health = health(&fails)?;
    if env::var_os("LISTENER").is_some() {
        health.listen("127.0.0.1:0")?;
    }

    let panic = Arc::<Notify>::default();
    let app = Router::new().route("/slow/{ms}", get(slow)).layer(health.drain_layer());
    let app = app.merge(operations(&health, fails, Arc::clone(&panic))).merge(health.router());
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    LOG_IS_STUCK.store(hangs("log"), Ordering::Relaxed);
    println!("http://{}/", socket.local_addr()?);
    tokio::select! {
        served = axum::serve(socket, app).with_graceful_shutdown(health.shutdown_signal()) => served,
        () = panic.notified() => panic!("index out of bounds"),
    }
}

/// Its checks, as far as the test asks for them.
fn health(fails: &Arc<AtomicBool>) -> io::Result<Health> {
    let fails = Arc::clone(fails);
    let database = Check::new("database", move || {
        let fails = fails.load(Ordering::Relaxed);
        async move { if fails { Err("Connection refused") } else { Ok(()) } }
    });
    let stall = Check::runtime_stall(Duration::from_millis(100))
        .interval(Duration::from_millis(100))
        .timeout(Duration::from_millis(500))
        .probe([Probe::Liveness, Probe::Readiness]);
    let mut builder =
        health::builder().check(database.cache(Duration::ZERO)).check(stall.failure_threshold(2));
    if hangs("blocking check") {
        let check = Check::blocking("hung", || hang("blocking check"));
        builder = builder.check(check.interval(Duration::from_secs(1)));
    }
    if hangs("async check") {
        let check = Check::new("hung-async", || async { hang("async check") });
        builder = builder.check(check.interval(Duration::from_secs(1)));
    }
    if hangs("callback") {
        builder = builder.on_transition(|_| hang("callback"));
    }
    // A long story for the termination log.
    if env::var_os("LONG").is_some() {
        for number in 0..100 {
            let result = CheckResult::degraded("x".repeat(1000));
            let check = Check::new(format!("slow-{number}"), move || {
                let result = result.clone();
                async move { result }
            });
            builder = builder.check(check);
        }
    }
    if let Some(delay) = millis("DRAIN_DELAY") {
        builder = builder.drain_delay(delay);
    }
    if let Some(max) = millis("UNTIL_IDLE") {
        builder = builder.drain_until_idle(max);
    }
    if let Some(path) = env::var_os("TERMINATION_LOG") {
        builder = builder.termination_log(path);
    }
    Ok(builder.build()?)
}

/// What the drain layer counts.
async fn slow(Path(millis): Path<u64>) -> &'static str {
    sleep(Duration::from_millis(millis)).await;
    "done"
}

/// What the test does to it.
fn operations(health: &Health, fails: Arc<AtomicBool>, panic: Arc<Notify>) -> Router {
    let health = health.clone();
    Router::new()
        .route("/drain", get(async move || health.drain()))
        .route("/fail", get(async move || fails.store(true, Ordering::Relaxed)))
        .route("/panic", get(async move || panic.notify_one()))
        .route("/block/{ms}", get(block))
}

/// Blocks every worker for a time, once this request is answered.
async fn block(Path(millis): Path<u64>) {
    let runtime = Handle::current();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        let all = Arc::new(Barrier::new(WORKERS));
        for _ in 0..WORKERS {
            let all = Arc::clone(&all);
            runtime.spawn(async move {
                if all.wait().is_leader() {
                    println!("every worker is blocked");
                }
                thread::sleep(Duration::from_millis(millis));
            });
        }
    });
}
