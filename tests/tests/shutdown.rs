//! The end of a real process in which something hangs, what a preStop hook does to it, and what it
//! leaves behind.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "what was measured is for a person")]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use common::program::Program;
use common::{eventually, get};

const SECOND: Duration = Duration::from_secs(1);
/// Asked for and begun, on a busy machine.
const MOMENT: Duration = Duration::from_millis(300);

async fn replica(variables: &[(&str, &str)]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_replica"), variables).await
}

async fn send(program: &Program, path: &str) -> TcpStream {
    program.send(TcpSocket::new_v4().unwrap(), path).await
}

/// The rest of a response, whose connection ends with it.
async fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    timeout(10 * SECOND, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

async fn is_refused(program: &Program) -> bool {
    TcpStream::connect(&program.address).await.is_err()
}

async fn says_that_it_drains(program: &Program) {
    program.says("draining: readiness now reports unhealthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hung_blocking_checks_and_callbacks_do_not_hold_up_the_end() {
    let settings = [("HANGS", "blocking check,callback"), ("DRAIN_DELAY", "200")];
    let mut program = replica(&settings).await;
    get(&program.url("/health")).await;
    program.says("blocking check hangs").await;
    // The timed-out check is a transition, which the callback is called with.
    program.says("callback hangs").await;
    let (_, begin) = program.signal("TERM");
    assert!(program.end().await.success());
    let took = begin.elapsed();
    println!("from SIGTERM to the end, a drain delay of 200 ms included: {took:?}");
    assert!(took < SECOND, "{took:?}");
    assert!(program.process.said().contains("runtime dropped"), "{}", program.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_everything_hung_the_server_ends_and_one_more_signal_ends_the_process() {
    let settings = [("HANGS", "blocking check,callback,async check"), ("DRAIN_DELAY", "200")];
    let mut program = replica(&settings).await;
    for what in ["blocking check hangs", "async check hangs"] {
        get(&program.url("/livez")).await;
        program.says(what).await;
    }
    program.signal("TERM");
    program.says("served").await;
    // The runtime waits for the worker that the check blocks.
    program.is_alive_for(SECOND).await;
    assert!(!program.process.said().contains("runtime dropped"));
    let (_, begin) = program.signal("TERM");
    assert_eq!(program.end().await.code(), Some(143));
    println!("from the further signal to the end, with everything hung: {:?}", begin.elapsed());
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
}

/// Ends a program that hangs in one of its phases, and says with which status.
async fn ended_in(phase: &str, signal: &str) -> Option<i32> {
    let mut program = replica(&[("HANGS", phase), ("DRAIN_DELAY", "100")]).await;
    get(&program.url("/livez")).await;
    let _held = match phase {
        "request" => Some(send(&program, "/slow/600000").await),
        "async check" => {
            program.says("async check hangs").await;
            None
        }
        _ => None,
    };
    sleep(MOMENT).await;
    program.signal("TERM");
    match phase {
        "request" => {
            let closes = async || is_refused(&program).await.then_some(());
            eventually("the server takes no more", closes).await;
        }
        "async check" => program.says("served").await,
        _ => program.says("main hangs").await,
    }
    program.is_alive_for(MOMENT).await;
    program.signal(signal);
    program.end().await.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_signal_ends_the_process_before_in_and_after_the_drop_of_its_runtime() {
    for phase in ["request", "async check", "main"] {
        for (signal, status) in [("TERM", 143), ("INT", 130)] {
            assert_eq!(ended_in(phase, signal).await, Some(status), "{phase}, {signal}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_the_delay_and_the_third_the_process() {
    for (third, status) in [("TERM", 143), ("INT", 130)] {
        let mut program = replica(&[("DRAIN_DELAY", "60000")]).await;
        let _held = send(&program, "/slow/600000").await;
        sleep(MOMENT).await;
        program.signal("TERM");
        says_that_it_drains(&program).await;
        program.is_alive_for(MOMENT).await;
        assert!(!is_refused(&program).await, "the delay goes on");
        let (_, begin) = program.signal("TERM");
        let closes = async || is_refused(&program).await.then_some(());
        eventually("the delay ends", closes).await;
        assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
        program.is_alive_for(MOMENT).await;
        program.signal(third);
        assert_eq!(program.end().await.code(), Some(status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_has_its_effect_while_the_log_hangs() {
    let mut program = replica(&[("HANGS", "log,main"), ("DRAIN_DELAY", "60000")]).await;
    program.signal("TERM");
    eventually("readiness fails", async || {
        (get(&program.url("/readyz")).await.status() == 503).then_some(())
    })
    .await;
    program.says("log hangs").await;
    let (_, begin) = program.signal("TERM");
    program.says("main hangs").await;
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
    let (_, begin) = program.signal("TERM");
    assert_eq!(program.end().await.code(), Some(143));
    assert!(begin.elapsed() < 3 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_after_a_pre_stop_hook_leaves_the_delay_as_it_is() {
    let mut program = replica(&[("DRAIN_DELAY", "3000")]).await;
    let begin = Instant::now();
    get(&program.url("/drain")).await;
    assert_eq!(get(&program.url("/readyz")).await.status(), 503);
    program.signal("TERM");
    program.is_alive_for(2 * SECOND).await;
    assert_eq!(get(&program.url("/livez")).await.status(), 200);
    assert!(program.end().await.success());
    let took = begin.elapsed();
    assert!(took >= 3 * SECOND && took < 4 * SECOND, "{took:?}");

    let mut program = replica(&[("DRAIN_DELAY", "60000")]).await;
    get(&program.url("/drain")).await;
    program.signal("TERM");
    program.is_alive_for(MOMENT).await;
    let (_, begin) = program.signal("TERM");
    assert!(program.end().await.success());
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
}

/// A replica that writes a termination log, and whose database fails.
async fn failing(variables: &[(&str, &str)]) -> (Program, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("termination-log");
    let own = [("TERMINATION_LOG", path.to_str().unwrap())];
    let program = replica(&[&own, variables].concat()).await;
    get(&program.url("/health/database")).await;
    get(&program.url("/fail")).await;
    let report = get(&program.url("/health")).await.text().await.unwrap();
    assert!(report.contains("Connection refused"), "{report}");
    (program, directory)
}

/// What the kubelet would show.
fn left_by(directory: &tempfile::TempDir) -> String {
    fs::read_to_string(directory.path().join("termination-log")).unwrap_or_default()
}

const WORST: &str = "health: unhealthy\n";
const CHECK: &str = "\ndatabase unhealthy: Connection refused\n";
const TRANSITION: &str = " database healthy -> unhealthy: Connection refused\n";
const DRAIN: &str = " $drain unhealthy: draining\n";

fn tells(log: &str, expected: &[&str]) {
    assert!(log.starts_with(WORST), "{log}");
    assert!(log.len() <= 4096, "{}", log.len());
    for text in expected {
        assert!(log.contains(text), "no {text:?} in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_termination_log_is_there_from_the_begin_of_draining() {
    let (mut program, directory) = failing(&[("DRAIN_DELAY", "1000")]).await;
    assert_eq!(left_by(&directory), "");
    program.signal("TERM");
    // Also where the grace period ends with SIGKILL.
    eventually("the log", async || left_by(&directory).contains(DRAIN).then_some(())).await;
    assert_eq!(program.process.status(), None);
    assert!(program.end().await.success());
    tells(&left_by(&directory), &[CHECK, TRANSITION, DRAIN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_main_leaves_the_termination_log() {
    let (mut program, directory) = failing(&[]).await;
    let _sent = send(&program, "/panic").await;
    assert_eq!(program.end().await.code(), Some(101));
    tells(&left_by(&directory), &[CHECK, TRANSITION]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_by_a_further_signal_leaves_the_termination_log() {
    let settings = [("HANGS", "async check,callback,blocking check"), ("DRAIN_DELAY", "100")];
    let (mut program, directory) = failing(&settings).await;
    program.signal("TERM");
    program.says("served").await;
    program.signal("TERM");
    assert_eq!(program.end().await.code(), Some(143));
    tells(&left_by(&directory), &[CHECK, TRANSITION, DRAIN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_termination_log_has_room_for_transitions_beside_many_failing_checks() {
    let (mut program, directory) = failing(&[("DRAIN_DELAY", "100"), ("LONG", "yes")]).await;
    program.signal("TERM");
    assert!(program.end().await.success());
    let log = left_by(&directory);
    tells(&log, &[CHECK, DRAIN, "\nslow-0 degraded: xxx"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_waited_for_and_probes_are_answered_meanwhile() {
    let settings = [("DRAIN_DELAY", "300"), ("UNTIL_IDLE", "10000")];
    let mut program = replica(&settings).await;
    let slow = send(&program, "/slow/2500").await;
    sleep(MOMENT).await;
    let (_, begin) = program.signal("TERM");
    sleep(SECOND).await;
    assert_eq!(get(&program.url("/livez")).await.status(), 200, "beyond the delay");
    let report = get(&program.url("/health?verbose")).await.text().await.unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["checks"]["$drain"]["details"]["requests_in_flight"], 1, "{report}");
    let answer = answer(slow).await;
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("done"), "{answer}");
    assert!(program.end().await.success());
    let took = begin.elapsed();
    assert!(took > 2 * SECOND && took < 4 * SECOND, "it ends with the request: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_waited_for_no_longer_than_allowed() {
    let settings = [("DRAIN_DELAY", "200"), ("UNTIL_IDLE", "1500")];
    let mut program = replica(&settings).await;
    let slow = send(&program, "/slow/4000").await;
    sleep(MOMENT).await;
    let (_, begin) = program.signal("TERM");
    let closes = async || is_refused(&program).await.then_some(());
    eventually("the signal ends", closes).await;
    let took = begin.elapsed();
    assert!(took >= SECOND && took < 3 * SECOND, "{took:?}");
    program.says("draining ends with requests in flight requests=1").await;
    // From then on it is as axum's: the request is finished.
    assert!(answer(slow).await.ends_with("done"));
    assert!(program.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_it_the_server_closes_after_the_delay_and_finishes_what_it_has() {
    let mut program = replica(&[("DRAIN_DELAY", "300")]).await;
    let slow = send(&program, "/slow/2500").await;
    // A connection that is kept open, without a request on it.
    let mut idle = send(&program, "/slow/0").await;
    sleep(MOMENT).await;
    let (_, begin) = program.signal("TERM");
    let closes = async || is_refused(&program).await.then_some(());
    eventually("the delay ends", closes).await;
    assert!(begin.elapsed() < 2 * SECOND, "{:?}", begin.elapsed());
    let mut seen = Vec::new();
    timeout(SECOND, idle.read_to_end(&mut seen)).await.unwrap().unwrap();
    assert!(seen.ends_with(b"done"), "the idle connection is closed after its answer");
    assert_eq!(program.process.status(), None, "a request is in flight");
    assert!(answer(slow).await.ends_with("done"));
    assert!(program.end().await.success());
    assert!(begin.elapsed() < 4 * SECOND, "{:?}", begin.elapsed());
}
