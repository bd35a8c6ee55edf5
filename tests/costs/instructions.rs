//! Work that is the same at every run, for a tool that counts instructions.
//!
//! `instructions WORK REPEATS` does it; `tests/costs/run` runs it twice with different repeats, so
//! that what is between is the work alone. `instructions ratios` prints ratios of times, for work
//! that depends on the clock.
#![allow(clippy::print_stdout, reason = "the figures are for a person at a terminal")]

use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Uri, header};
use axum::routing::get;
use axum::serve::Listener;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use servicekit_health::{self as health, Check, Health};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tower::Service;

const HOUR: Duration = Duration::from_secs(3600);

/// How many streams are read at once, so that what the runtime does at a tick is shared as it is in
/// a program.
const STREAMS: usize = 1000;
const STREAM: &str = "/health/$stream";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ratios"] => ratios(),
        [work, repeats] => {
            let repeats = repeats.parse().expect("the repeats are a number");
            do_work(work, repeats);
        }
        _ => println!("usage: instructions WORK REPEATS, or: instructions ratios"),
    }
}

fn do_work(work: &str, repeats: usize) {
    let runtime = runtime(
        !matches!(work, "run")
            && !work.starts_with("request")
            && !matches!(work, "static" | "static-keys"),
    );
    match work {
        "static" => runtime.block_on(connection("/static", repeats)),
        "request" => runtime.block_on(connection("/health", repeats)),
        "static-keys" => runtime.block_on(connection(&format!("/static{}", keys()), repeats)),
        "request-keys" => runtime.block_on(connection(&format!("/health{}", keys()), repeats)),
        "run" => runtime.block_on(run(repeats)),
        "tick" => runtime.block_on(ticks(&checks(10, Duration::ZERO).router(), STREAM, repeats)),
        "static-tick" => runtime.block_on(ticks(&by_hand(), "/static", repeats)),
        "slow" => runtime.block_on(ticks(
            &checks(100, Duration::from_millis(500)).router(),
            STREAM,
            repeats,
        )),
        "late" => runtime.block_on(late(repeats)),
        "build" => drop(black_box(cached(repeats))),
        _ => runtime.block_on(chosen(work, repeats)),
    }
}

/// One thread, so that the order of what happens is always the same.
fn runtime(paused: bool) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(paused).build().expect("a runtime of one thread")
}

/// Checks that take from no time at all to `longest`, spread evenly.
fn checks(count: u32, longest: Duration) -> Health {
    let check = |n: u32| {
        let takes = longest * n / count;
        Check::new(format!("check-{n}"), move || async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
        })
    };
    let builder = (0..count).map(check).fold(health::builder(), health::HealthBuilder::check);
    builder.max_streams(STREAMS).build().expect("valid checks")
}

/// Checks whose results last for the whole program; every tenth has the tag `tenth`.
fn cached(count: usize) -> Health {
    let check = |n: usize| {
        let check = Check::new(format!("check-{n}"), || async {}).cache(HOUR);
        check.tags(n.is_multiple_of(10).then_some("tenth"))
    };
    (0..count).map(check).fold(health::builder(), health::HealthBuilder::check).build().unwrap()
}

/// The least that an axum route of this answer can cost: every header is a constant.
fn static_route(body: Bytes) -> Router {
    const STATUS: HeaderName = HeaderName::from_static("x-health-status");
    let answer = move || async move {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::VARY, HeaderValue::from_static("accept")),
            (STATUS, HeaderValue::from_static("healthy")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (headers, body)
    };
    Router::new().route("/static", get(answer))
}

/// The least that a route which sends the same bytes each second can cost.
fn by_hand() -> Router {
    let ticks = || async {
        let ticks = tokio::time::interval(Duration::from_secs(1));
        Body::from_stream(stream::unfold(ticks, async |mut ticks| {
            ticks.tick().await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"data: {}\n\n")), ticks))
        }))
    };
    Router::new().route("/static", get(ticks))
}

/// Connections without a network.
struct Pipes(mpsc::Receiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// As many query keys as a URI has room for; all but two are not kept.
fn keys() -> String {
    format!("?{}", "limit=1&".repeat(5000))
}

/// Requests over one connection to a program as users write it.
async fn connection(path: &str, repeats: usize) {
    let health = cached(10);
    let json = serde_json::to_vec(&health.report().await).expect("a report is JSON");
    let app = health.router().merge(static_route(json.into()));
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (connect, pipes) = mpsc::channel(1);
    connect.send(server).await.expect("the listener is there");
    tokio::spawn(async move { axum::serve(Pipes(pipes), app.into_make_service()).await });
    let mut client = client;
    let request = format!("GET {path} HTTP/1.1\r\nhost: costs\r\n\r\n");
    let mut answer = vec![0; 8192];
    for _ in 0..repeats {
        client.write_all(request.as_bytes()).await.expect("the server reads");
        let read = client.read(&mut answer).await.expect("the server answers");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

/// Reports that each need a run of one check.
async fn run(repeats: usize) {
    let check = Check::new("one", || async {}).cache(Duration::ZERO);
    let health = health::builder().check(check).build().unwrap();
    for _ in 0..repeats {
        black_box(health.report().await);
    }
}

/// Events of streams that were opened one after another, ten within each millisecond.
async fn ticks(router: &Router, path: &'static str, events: usize) {
    let read = move |n: u64, mut router: Router| async move {
        tokio::time::sleep(Duration::from_millis(n / 10)).await;
        let request = Request::get(path).body(Body::empty()).unwrap();
        let mut body = router.call(request).await.unwrap().into_body().into_data_stream();
        for _ in 0..events {
            black_box(body.next().await);
        }
    };
    let readers: Vec<_> =
        (0..).take(STREAMS).map(|n| tokio::spawn(read(n, router.clone()))).collect();
    for reader in readers {
        reader.await.expect("the reader ends");
    }
}

/// A report of this many checks of which none ends.
async fn late(count: usize) {
    let check = |n| Check::new(format!("check-{n}"), std::future::pending::<()>);
    let builder = (0..count).map(check).fold(health::builder(), health::HealthBuilder::check);
    let health = builder.timeout(HOUR / 2).deadline(Duration::from_secs(1)).build().unwrap();
    assert_eq!(health.report().await.checks.len(), count);
}

/// A request in process. Its URI was parsed before: what hyper does for it is not counted.
struct Asked {
    router: Router,
    uri: Uri,
    accept: Option<HeaderValue>,
}

impl Asked {
    async fn once(&mut self) -> Result<(), Infallible> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.uri.clone();
        if let Some(accept) = &self.accept {
            request.headers_mut().insert(header::ACCEPT, accept.clone());
        }
        let response = self.router.call(request).await?;
        assert!(response.status().is_success() || response.status().is_client_error());
        black_box(response.into_body().collect().await.expect("a body in memory"));
        Ok(())
    }

    /// How long a request takes, over enough of them for 40 ms.
    async fn time(&mut self) -> f64 {
        let begin = Instant::now();
        let mut count = 0.0;
        while begin.elapsed() < Duration::from_millis(40) {
            self.once().await.unwrap_or_else(|never| match never {});
            count += 1.0;
        }
        begin.elapsed().as_secs_f64() / count
    }
}

/// Requests that an outsider chooses: the work, what it is, its query and its `Accept`.
fn choices() -> [(&'static str, &'static str, String, Option<String>); 8] {
    let exclude: Vec<_> = (0..64).map(|n| format!("exclude=check-{n}")).collect();
    let exclude = format!("?{}", exclude.join("&"));
    let ranges = |size| Some("application/a;q=0.5,".repeat(size / 20 + 1)[..size].to_owned());
    let query = |text: &str| text.to_owned();
    [
        ("plain", "no query", String::new(), None),
        ("verbose", "?verbose", query("?verbose"), None),
        ("exclude", "64 exclude keys", exclude, None),
        ("tag", "?tag=tenth", query("?tag=tenth"), None),
        ("check", "?check=check-500", query("?check=check-500"), None),
        ("accept", "Accept of 8 KiB", String::new(), ranges(8 << 10)),
        ("accept-long", "Accept of 390 KiB", String::new(), ranges(390 << 10)),
        ("keys", "5,000 repeated query keys", keys(), None),
    ]
}

/// Each of the choices, to a router with 1,000 checks.
fn asked() -> Vec<(&'static str, &'static str, Asked)> {
    let router: Router = cached(1000).router();
    let ask = |(work, what, query, accept): (_, _, String, Option<String>)| {
        let uri = format!("/health{query}").parse().expect("a valid URI");
        let accept = accept.map(|accept| HeaderValue::from_str(&accept).expect("ASCII"));
        (work, what, Asked { router: router.clone(), uri, accept })
    };
    choices().into_iter().map(ask).collect()
}

/// The same request again and again, each time so much later that what it says of ages differs.
async fn chosen(work: &str, repeats: usize) {
    let found = asked().into_iter().find(|(name, ..)| *name == work);
    let (_, _, mut asked) = found.unwrap_or_else(|| panic!("unknown work `{work}`"));
    for _ in 0..repeats {
        asked.once().await.unwrap_or_else(|never| match never {});
        tokio::time::advance(Duration::from_millis(2)).await;
    }
}

/// What requests that an outsider chooses cost against the plain one with the same 1,000 checks.
fn ratios() {
    let runtime = runtime(false);
    runtime.block_on(async {
        let mut asked = asked().into_iter().map(|(_, what, asked)| (what, asked));
        let (_, mut base) = asked.next().expect("the plain one");
        for (what, mut asked) in asked {
            let mut ratios = Vec::new();
            for _ in 0..7 {
                let plain = base.time().await;
                ratios.push(asked.time().await / plain);
            }
            ratios.sort_by(f64::total_cmp);
            println!("{what:<28} {:>7.2} of the plain request (least {:.2})", ratios[3], ratios[0]);
        }
    });
}
