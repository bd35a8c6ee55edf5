//! The listener of its own, while the application's workers are blocked, and at the end.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "what was measured is for a person")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use common::program::Program;
use common::{client, eventually, get};

const SECOND: Duration = Duration::from_secs(1);
/// How long every worker of the application is blocked.
const BLOCKED: Duration = Duration::from_secs(6);
/// The deadline, 900 ms, and a little for a busy machine.
const DEADLINE: Duration = Duration::from_millis(1200);

struct Replica {
    program: Program,
    listener: String,
}

impl Replica {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let variables = [&[("LISTENER", "yes")], variables].concat();
        let program = Program::start(env!("CARGO_BIN_EXE_replica"), &variables).await;
        // Where it listens is a line in the log.
        let said = program.process.said();
        let (_, address) = said.split_once("health listener address=").expect(&said);
        let listener = address.split_whitespace().next().unwrap().to_owned();
        assert_ne!(listener, program.address);
        Self { program, listener }
    }

    /// The address of a path on the listener.
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener)
    }

    async fn is_refused(&self) -> bool {
        TcpStream::connect(&self.listener).await.is_err()
    }

    /// What the listener says of the runtime.
    async fn runtime(&self) -> Value {
        let report = get(&self.url("/health/runtime")).await.text().await.unwrap();
        serde_json::from_str::<Value>(&report).unwrap()["checks"]["runtime"].clone()
    }
}

/// Asks all the time, on one connection, until `end`; gives back how long the slowest answer took.
async fn slowest(url: String, end: Instant) -> (Duration, usize) {
    let (client, mut slowest, mut answers) = (client(), Duration::ZERO, 0);
    while Instant::now() < end {
        let asked = Instant::now();
        let response = ask(&client, &url).await;
        assert!(!response.headers()["x-health-status"].is_empty());
        response.bytes().await.unwrap();
        slowest = slowest.max(asked.elapsed());
        answers += 1;
        sleep(Duration::from_millis(5)).await;
    }
    (slowest, answers)
}

async fn ask(client: &Client, url: &str) -> Response {
    client.get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_while_every_worker_is_blocked_and_tells_that_they_are() {
    let replica = Replica::start(&[]).await;
    eventually("the runtime is healthy", async || {
        (replica.runtime().await["state"] == "healthy").then_some(())
    })
    .await;
    let block = format!("/block/{}", BLOCKED.as_millis());
    get(&replica.program.url(&block)).await;
    replica.program.says("every worker is blocked").await;
    let begin = Instant::now();

    let end = begin + BLOCKED * 9 / 10;
    let liveness = tokio::spawn(slowest(replica.url("/livez"), end));
    let health = tokio::spawn(slowest(replica.url("/health"), end));
    // The application's own port, meanwhile.
    let url = replica.program.url("/livez");
    let beside = tokio::spawn(async move {
        let asked = Instant::now();
        get(&url).await;
        asked.elapsed()
    });

    let wedged = eventually("the runtime is degraded", async || {
        let runtime = replica.runtime().await;
        (runtime["state"] == "degraded").then_some(runtime)
    })
    .await;
    let told = begin.elapsed();
    println!("told after {told:?}: {wedged}");
    assert!(told < 3 * SECOND, "{told:?}");
    let live = get(&replica.url("/livez")).await;
    assert_eq!(
        (live.status().as_u16(), &live.headers()["x-health-status"]),
        (200, &"degraded".parse().unwrap())
    );

    let (worst, answers) = liveness.await.unwrap();
    println!("worst answer of /livez on the listener: {worst:?} of {answers}");
    assert!(worst < SECOND / 3, "{worst:?}");
    assert!(answers > 200, "{answers}");
    let (worst, answers) = health.await.unwrap();
    println!("worst answer of /health on the listener: {worst:?} of {answers}");
    assert!(worst < DEADLINE, "{worst:?}");
    let beside = beside.await.unwrap();
    println!("/livez on the application's port: {beside:?}");
    assert!(beside > BLOCKED * 3 / 4, "the workers were not blocked: {beside:?}");

    eventually("the runtime recovers", async || {
        (replica.runtime().await["state"] == "healthy").then_some(())
    })
    .await;
    assert!(begin.elapsed() < BLOCKED + 3 * SECOND, "{:?}", begin.elapsed());
}

/// Everything of an answer but the date.
async fn whole(url: &str) -> (u16, BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let response = get(url).await;
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers.filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    (status, headers.collect(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_the_same_bytes_as_the_applications_router() {
    let paths = ["/health", "/livez", "/readyz", "/startupz", "/health/database", "/health/none"];
    let replica = Replica::start(&[("DRAIN_DELAY", "60000")]).await;
    for operation in ["/livez", "/fail", "/drain"] {
        get(&replica.program.url(operation)).await;
        for path in paths {
            let (own, application) = (replica.url(path), replica.program.url(path));
            assert_eq!(whole(&own).await, whole(&application).await, "{operation}, {path}");
        }
    }
    // Nothing of the application's is on it.
    assert_eq!(get(&replica.url("/drain")).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_closes_when_draining_is_over_and_does_not_hold_up_the_end() {
    let mut replica = Replica::start(&[("DRAIN_DELAY", "1500")]).await;
    let slow = replica.program.send(TcpSocket::new_v4().unwrap(), "/slow/3500").await;
    // A connection that its client keeps.
    let kept = client();
    ask(&kept, &replica.url("/livez")).await.bytes().await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let (before, begin) = replica.program.signal("TERM");
    eventually("readiness fails", async || {
        (ask(&kept, &replica.url("/readyz")).await.status() == 503).then_some(())
    })
    .await;
    assert_eq!(ask(&kept, &replica.url("/livez")).await.status(), 200);

    eventually("the listener closes", async || replica.is_refused().await.then_some(())).await;
    let (least, most) = (before.elapsed(), begin.elapsed());
    assert!(least >= 3 * SECOND / 2 && most < 3 * SECOND, "{least:?}, {most:?}");
    assert_eq!(replica.program.process.status(), None, "a request is in flight");
    assert!(replica.program.end().await.success());
    drop(slow);
}
