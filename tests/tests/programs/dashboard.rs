//! The dashboard in a real browser, which `tests/programs/dashboard.mjs` drives and judges.
#![allow(clippy::print_stdout, reason = "the measured times are for a person")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use servicekit_health::{self as health, Check, CheckResult, Details, Health};
use tokio::runtime::{Builder, Runtime};

use crate::common::{installed, node_modules};

/// Longer than the script takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

/// What the script has asked for.
#[derive(Default)]
struct Wishes {
    results: BTreeMap<String, CheckResult>,
    details: Details,
    /// The status code of every answer but the page's; 0 is none.
    fail: u16,
}

/// A service that does what the script asks for.
struct Running {
    runtime: Runtime,
    health: Health,
}

impl Running {
    fn start(address: SocketAddr, wishes: &Arc<Mutex<Wishes>>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shards = (0..98).map(|number| format!("shard-{number:03}"));
        let names = shards.chain(["redis".to_owned(), "database".to_owned()]);
        let seen = Arc::clone(wishes);
        let builder = health::builder()
            .service("shop", "1.4.2")
            .watch_interval(Duration::from_millis(500))
            .details_for(move |_| seen.lock().unwrap().details);
        let health = names.fold(builder, |builder, name| {
            let (wishes, own) = (Arc::clone(wishes), name.clone());
            let tag = if name == "redis" { "cache" } else { "storage" };
            let check = Check::new(name, move || {
                let result = wishes.lock().unwrap().results.get(&own).cloned();
                async move {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    result.unwrap_or_else(CheckResult::healthy)
                }
            });
            builder.check(check.tags([tag]))
        });
        // What a real program has by a callback or a watcher: a history without readers.
        let health = health.on_transition(|_| {}).build().unwrap();
        let app = Router::new().merge(health.router()).layer(from_fn(failing(wishes)));
        let (bound, listens) = mpsc::channel();
        runtime.spawn(async move {
            let socket = tokio::net::TcpListener::bind(address).await.unwrap();
            bound.send(()).unwrap();
            axum::serve(socket, app.into_make_service()).await.unwrap();
        });
        listens.recv_timeout(Duration::from_secs(10)).expect("the service listens");
        Self { runtime, health }
    }

    fn stop(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Answers for a service that cannot, except for the page.
fn failing(
    wishes: &Arc<Mutex<Wishes>>,
) -> impl Fn(Request, Next) -> futures_util::future::BoxFuture<'static, axum::response::Response>
+ Clone
+ Send
+ Sync
+ 'static {
    let wishes = Arc::clone(wishes);
    move |request: Request, next: Next| {
        let code = wishes.lock().unwrap().fail;
        Box::pin(async move {
            if code != 0 && !request.uri().path().contains("ui") {
                return StatusCode::from_u16(code).unwrap().into_response();
            }
            next.run(request).await
        })
    }
}

fn result(state: &str, message: &str) -> CheckResult {
    CheckResult::new(state.parse().unwrap()).with_message(message)
}

#[test]
fn the_page_shows_an_operator_the_truth() {
    let (Some(node), Some(_), Some(modules)) =
        (installed("node"), installed("chromium"), node_modules())
    else {
        return;
    };
    // A port that is free; the service comes back on it after it has been stopped.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wishes = Arc::<Mutex<Wishes>>::default();
    let mut running = Some(Running::start(address, &wishes));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/dashboard.mjs");
    let mut child = Command::new(node)
        .args([script, &format!("http://{address}")])
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    // The script has bounds of its own; this one is for when it hangs all the same.
    let (ended, watch) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if watch.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
    });
    let mut answers = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(request) = line.strip_prefix("> ") else {
            println!("{line}");
            continue;
        };
        let (verb, rest) = request.split_once(' ').unwrap_or((request, ""));
        match verb {
            "set" => {
                let mut words = rest.splitn(3, ' ');
                let (name, state) = (words.next().unwrap(), words.next().unwrap());
                let result = result(state, words.next().unwrap_or_default());
                wishes.lock().unwrap().results.insert(name.to_owned(), result);
            }
            "details" => wishes.lock().unwrap().details = rest.parse().unwrap(),
            "fail" => {
                wishes.lock().unwrap().fail = rest.parse().unwrap();
                running.take().unwrap().stop();
                running = Some(Running::start(address, &wishes));
            }
            "stop" => running.take().unwrap().stop(),
            "start" => {
                wishes.lock().unwrap().results.clear();
                running = Some(Running::start(address, &wishes));
            }
            "drain" => running.as_ref().unwrap().health.drain(),
            other => panic!("the script asks for `{other}`"),
        }
        answers.write_all(b"ok\n").unwrap();
    }
    let status = child.wait().unwrap();
    drop(ended);
    assert!(status.success(), "the script says what is wrong above: {status}");
}
