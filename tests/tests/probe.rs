//! The probe and the stand-alone program, as processes against real sockets.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use servicekit_health::{self as health, Check, CheckResult, Health, HealthState};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A service that calls `answer`.
const SERVICE: &str = env!("CARGO_BIN_EXE_answers");
/// The stand-alone program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_servicekit-health-under-test");

/// Far more than anything here takes: what is not over by then hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
}

impl Outcome {
    #[track_caller]
    fn is_good(&self, said: &str) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        assert!(self.stdout.contains(said), "{:?} is not in {:?}", said, self.stdout);
    }

    #[track_caller]
    fn is_bad(&self, said: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        assert!(self.stderr.contains(said), "{:?} is not in {:?}", said, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

async fn finish(mut command: Command) -> Outcome {
    let started = Instant::now();
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: started.elapsed(),
    }
}

async fn run(program: &str, arguments: &[&str]) -> Outcome {
    finish(command(program, arguments)).await
}

/// `healthcheck --url` of the address, and further arguments.
async fn ask(url: &str, arguments: &[&str]) -> Outcome {
    let mut all = vec!["healthcheck", "--url", url];
    // A busy machine is no failure, unless a test is about the time.
    if !arguments.contains(&"--timeout") {
        all.extend(["--timeout", "20s"]);
    }
    all.extend(arguments);
    run(SERVICE, &all).await
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// A check that comes to whatever is in there.
type Switch = Arc<Mutex<CheckResult>>;

fn switch(result: impl Into<CheckResult>) -> Switch {
    Arc::new(Mutex::new(result.into()))
}

fn turn(switch: &Switch, result: impl Into<CheckResult>) {
    *switch.lock().unwrap() = result.into();
}

fn redis(switch: &Switch) -> Health {
    let switch = Arc::clone(switch);
    let redis = Check::new("redis", move || {
        let result = switch.lock().unwrap().clone();
        async move { result }
    });
    let builder = health::builder().check(redis).cache(Duration::ZERO);
    builder.drain_delay(Duration::from_millis(1200)).build().unwrap()
}

async fn service(result: impl Into<CheckResult>) -> String {
    let (listener, url) = listen().await;
    serve(listener, redis(&switch(result)).router());
    url
}

/// Answers every connection with these bytes, the last of them `endless` if it says so.
async fn raw(head: &'static [u8], endless: &'static [u8], then: Then) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                request(&mut socket).await;
                let mut result = socket.write_all(head).await;
                while result.is_ok() && !endless.is_empty() {
                    result = socket.write_all(endless).await;
                }
                if then == Then::Stay {
                    let _ = socket.read_u8().await;
                }
            });
        }
    });
    url
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    Stay,
}

/// Reads a request to its end, so that closing the socket resets nothing.
async fn request(socket: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") && socket.read_buf(&mut read).await.is_ok_and(|n| n > 0) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_and_a_degraded_service_are_good_and_the_line_says_which() {
    let url = service(HealthState::Healthy).await;
    let expected = format!("healthy: {url}/health answered 200 OK\n");
    assert_eq!(ask(&url, &[]).await.stdout, expected);
    for probe in ["--ready", "--live"] {
        ask(&url, &[probe]).await.is_good("healthy: ");
    }
    run(PROGRAM, &["healthcheck", "--url", &url, "--timeout", "20s"]).await.is_good("healthy: ");

    let url = service(CheckResult::degraded("cold")).await;
    ask(&url, &[]).await.is_good("degraded: ");
    ask(&url, &["--ready"]).await.is_good("200 OK; redis degraded: cold");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_service_is_bad_though_it_is_alive() {
    let url = service(CheckResult::unhealthy("Connection refused")).await;
    for arguments in [&[][..], &["--ready"]] {
        let outcome = ask(&url, arguments).await;
        outcome.is_bad("unhealthy: ");
        outcome.is_bad("answered 503 Service Unavailable; redis unhealthy: Connection refused");
    }
    ask(&url, &["--live"]).await.is_good("/livez answered 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_may_have_a_prefix() {
    let (listener, url) = listen().await;
    let health = redis(&switch(HealthState::Healthy));
    serve(listener, Router::new().nest("/internal", health.router()));
    ask(&format!("{url}/internal"), &["--ready"]).await.is_good("/internal/readyz answered 200");
    ask(&format!("{url}/internal/"), &[]).await.is_good("/internal/health answered 200");
    let outcome = ask(&url, &["--ready"]).await;
    outcome.is_bad("answered 404 Not Found; it has no x-health-status");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_up_late_is_waited_for() {
    // Bound but not listening: refused until it listens, and nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    ask(&url, &[]).await.is_bad("Connection refused");

    let waits = ask(&url, &["--wait", "25s"]);
    let comes_up = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        serve(socket.listen(16).unwrap(), redis(&switch(HealthState::Healthy)).router());
    };
    let (outcome, ()) = tokio::join!(waits, comes_up);
    outcome.is_good("healthy: ");
    assert!(outcome.took < Duration::from_secs(20), "it goes on at once: {:?}", outcome.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_recovers_is_waited_for_and_one_that_does_not_only_so_long() {
    let (listener, url) = listen().await;
    let state = switch(HealthState::Unhealthy);
    serve(listener, redis(&state).router());

    let outcome = ask(&url, &["--wait", "1200ms"]).await;
    outcome.is_bad("503 Service Unavailable");
    outcome.is_bad(" times in 1s 200ms)");
    assert!(outcome.took >= Duration::from_millis(1200), "{:?}", outcome.took);

    let waits = ask(&url, &["--wait", "25s"]);
    let recovers = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        turn(&state, HealthState::Healthy);
    };
    tokio::join!(waits, recovers).0.is_good("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_bad_in_time() {
    // Never accepted: the kernel connects, and nobody reads.
    let (_listener, url) = listen().await;
    let outcome = ask(&url, &["--timeout", "300ms"]).await;
    outcome.is_bad("no whole answer within 300ms");
    assert!(outcome.took < Duration::from_secs(10), "{:?}", outcome.took);

    let outcome = run(PROGRAM, &["healthcheck", "--url", &url]).await;
    outcome.is_bad("no whole answer within 1s");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_bad() {
    for (bytes, said) in [
        (&b""[..], "failed: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "failed: "),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "failed: "),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "failed: "),
        (b"HTTP/1.1 two OK\r\n\r\n", "failed: "),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "500 Internal Server Error"),
    ] {
        let url = raw(bytes, b"", Then::Close).await;
        ask(&url, &[]).await.is_bad(said);
    }
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", b"", Then::Stay).await;
    ask(&url, &["--timeout", "300ms"]).await.is_bad("no whole answer within 300ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_bad_even_where_it_goes_to_a_healthy_service() {
    let elsewhere = service(HealthState::Healthy).await;
    let (listener, url) = listen().await;
    let redirect = Redirect::temporary(&format!("{elsewhere}/health"));
    serve(listener, Router::new().route("/health", get(async || redirect)));
    ask(&url, &[]).await.is_bad("307 Temporary Redirect; redirects are not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_header_nor_a_body_without_end_is_read_without_end() {
    let url = raw(b"HTTP/1.1 200 OK\r\n", b"x: yyyyyyyyyyyyyyyyyyyy\r\n", Then::Close).await;
    ask(&url, &[]).await.is_bad("failed: ");
    // A good head decides; of its body no more than needed is read.
    let head = b"HTTP/1.1 200 OK\r\nx-health-status: healthy\r\n\r\n";
    let url = raw(head, &[b' '; 4096], Then::Close).await;
    ask(&url, &[]).await.is_good("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_says_comes_as_one_line_that_moves_no_cursor() {
    let url = service(CheckResult::unhealthy("a\u{1b}[2J\nhealthy\u{202e}")).await;
    ask(&url, &[]).await.is_bad(r"redis unhealthy: a\u{1b}[2J\nhealthy\u{202e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_is_taken_from_the_environment() {
    let url = service(HealthState::Healthy).await;
    let mut command = command(SERVICE, &["healthcheck", "--url", &url, "--timeout", "20s"]);
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    finish(command).await.is_good("healthy: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_not_understood_end_with_1_and_say_what_is_allowed() {
    for (arguments, said) in [
        (&["--redy"][..], "allowed are --ready, --live"),
        (&["-x"], "allowed are --ready"),
        (&["now"], "allowed are --ready"),
        (&["--ready", "--live"], "not both"),
        (&["--ready=1"], "takes no value"),
        (&["--url"], "needs a value"),
        (&["--url", "nonsense"], "http://127.0.0.1:8000"),
        (&["--url", "ftp://localhost"], "neither http:// nor https://"),
        (&["--wait", "60"], "such as 500ms, 2s, 1m or 1h"),
        (&["--timeout", "0s"], "from 1ms to 1h"),
        (&["\u{1b}[2J"], r"`\u{1b}[2J` is no option"),
    ] {
        for program in [SERVICE, PROGRAM] {
            let arguments: Vec<_> = [&["healthcheck"], arguments].concat();
            run(program, &arguments).await.is_bad(said);
        }
    }
    for arguments in [&["watch", "--chek", "a"][..], &["watch", "a"], &["watch", "--url", "a"]] {
        run(PROGRAM, arguments).await.is_bad("servicekit-health-under-test watch: ");
    }
    run(PROGRAM, &["wach"]).await.is_bad("allowed are healthcheck, watch");
    let outcome = run(PROGRAM, &[]).await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    assert!(outcome.stderr.starts_with("Usage: "), "{}", outcome.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_good() {
    run(SERVICE, &["healthcheck", "--help"]).await.is_good("Usage: answers healthcheck [--ready");
    run(SERVICE, &["healthcheck", "-h"]).await.is_good("http://127.0.0.1:1/default");
    run(PROGRAM, &["--help"]).await.is_good("Usage: ");
    run(PROGRAM, &["watch", "--help"]).await.is_good("--check NAME...");
    run(PROGRAM, &["--version"]).await.is_good(env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_asked_goes_on() {
    for arguments in [&[][..], &["serve"], &["--verbose", "healthcheck"], &["healthchecks"]] {
        let outcome = run(SERVICE, arguments).await;
        outcome.is_good("");
        assert_eq!(outcome.stdout, "the service begins\n", "{arguments:?}");
    }
    run(SERVICE, &["healthcheck"]).await.is_bad("http://127.0.0.1:1/default/health: ");
}

/// `watch`, read line by line.
struct Watch {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = command(PROGRAM, &["watch", "--url", url]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, lines }
    }

    /// The next line without its time.
    async fn next(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        let line = line.unwrap().expect("it goes on");
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        text.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_every_check_then_a_line_a_change_and_goes_on_with_the_next_process() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let first = TcpListener::from_std(socket.try_clone().unwrap()).unwrap();
    let state = switch(HealthState::Healthy);
    let health = redis(&state);
    let server =
        axum::serve(first, health.router()).with_graceful_shutdown(health.shutdown_signal());
    let server = tokio::spawn(async move { server.await });

    let mut watch = Watch::start(&url, &[]);
    let connected = format!("connected to {url}/health/$stream?on=change: ");
    assert_eq!(watch.next().await, format!("{connected}healthy"));
    assert_eq!(watch.next().await, "redis healthy");
    turn(&state, CheckResult::degraded("refused"));
    assert_eq!(watch.next().await, "redis healthy -> degraded: refused");
    turn(&state, CheckResult::degraded("timed out"));
    assert_eq!(watch.next().await, "redis degraded: timed out");
    turn(&state, HealthState::Healthy);
    assert_eq!(watch.next().await, "redis degraded -> healthy");

    health.drain();
    assert_eq!(watch.next().await, "draining: the service is about to end");
    assert_eq!(watch.next().await, "lost: the stream ended; trying to connect again");
    server.await.unwrap().unwrap();

    let second = TcpListener::from_std(socket).unwrap();
    serve(second, redis(&switch(CheckResult::unhealthy("gone"))).router());
    let mut line = watch.next().await;
    while line.starts_with("lost: ") {
        line = watch.next().await;
    }
    assert_eq!(line, format!("{connected}unhealthy"));
    assert_eq!(watch.next().await, "redis unhealthy: gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_survives_streams_that_break_in_every_way() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let event = |state| format!("{HEAD}data: {{\"status\":\"{state}\"}}\n\n");
        for answer in [
            event("healthy") + "data: {\"status\":\"unheal",
            String::new(),
            "not HTTP at all\r\n\r\n".to_owned(),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(),
            event("degraded"),
        ] {
            let (mut socket, _) = listener.accept().await.unwrap();
            request(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let mut watch = Watch::start(&url, &[]);
    assert!(watch.next().await.ends_with(": healthy"));
    assert_eq!(watch.next().await, "lost: the stream ended; trying to connect again");
    let mut lost = Vec::new();
    let line = loop {
        let line = watch.next().await;
        if !line.starts_with("lost: ") {
            break line;
        }
        lost.push(line);
    };
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost[2].contains("503 Service Unavailable"), "{lost:?}");
    assert!(line.ends_with(": degraded"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_follows_the_checks_it_was_told_to() {
    let (listener, url) = listen().await;
    let fixed = |name| Check::new(name, || async { HealthState::Healthy });
    let health = health::builder().check(fixed("queue")).check(fixed("redis")).check(fixed("disk"));
    serve(listener, health.router());
    let mut watch = Watch::start(&url, &["--check", "redis", "disk"]);
    assert!(watch.next().await.starts_with("connected "));
    assert_eq!(watch.next().await, "disk healthy");
    assert_eq!(watch.next().await, "redis healthy");
    run(PROGRAM, &["watch", "--url", &url, "--check", "reddis"]).await.is_bad("400 Bad Request: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_ends_with_1_where_there_is_no_health_stream() {
    let page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi";
    let news = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: \x1b[2J news\n\n";
    let nothing = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    for (bytes, said) in [
        (&page[..], "no health stream, it answered 200 OK with text/html"),
        (news, r"no health stream, it says `\u{1b}[2J news`"),
        (nothing, "the stream ended"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "it answered 404 Not Found"),
        (b"220 mail.example ESMTP\r\n", "failed: "),
    ] {
        let url = raw(bytes, b"", Then::Close).await;
        run(PROGRAM, &["watch", "--url", &url]).await.is_bad(said);
    }
    run(PROGRAM, &["watch", "--url", "http://127.0.0.1:1"]).await.is_bad("Connection refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_is_coloured_only_where_colours_are_wanted() {
    let url = service(HealthState::Healthy).await;
    for (forced, coloured) in [(false, false), (true, true)] {
        let mut command = command(PROGRAM, &["watch", "--url", &url]);
        if forced {
            command.env("CLICOLOR_FORCE", "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert_eq!(line.contains('\u{1b}'), coloured, "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_ends_when_nobody_reads_any_more() {
    let (listener, url) = listen().await;
    let state = switch(HealthState::Healthy);
    serve(listener, redis(&state).router());
    let Watch { _child: mut child, mut lines } = Watch::start(&url, &[]);
    lines.next_line().await.unwrap();
    drop(lines);
    turn(&state, HealthState::Degraded);
    let status = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
}
