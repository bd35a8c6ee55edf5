//! The clients of `examples/clients`, as their users start them: what they say of each state and of a
//! deploy, their exit status, and what they say where something is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use servicekit_health::CheckResult;
use tokio::net::TcpListener;

use crate::balancing::{Instance, Place};
use crate::common::{Events, Process, Service, client, eventually, installed, python};

/// A client: the program that runs it, and its file.
#[derive(Clone, Copy)]
enum Client {
    PythonOnce,
    PythonMonitor,
    NodeMonitor,
    Shell,
}

const ONCE: [Client; 2] = [Client::PythonOnce, Client::Shell];
const MONITORS: [Client; 2] = [Client::PythonMonitor, Client::NodeMonitor];

impl Client {
    fn file(self) -> &'static str {
        match self {
            Self::PythonOnce => "health.py",
            Self::PythonMonitor => "monitor.py",
            Self::NodeMonitor => "monitor.mjs",
            Self::Shell => "health.sh",
        }
    }

    fn program(self) -> Option<PathBuf> {
        match self {
            Self::PythonOnce | Self::PythonMonitor => python(),
            Self::NodeMonitor => installed("node"),
            Self::Shell => installed("curl").map(|_| "/bin/sh".into()),
        }
    }

    fn command(self) -> Option<Command> {
        let mut command = Command::new(self.program()?);
        if let Self::PythonOnce | Self::PythonMonitor = self {
            // Else it would write beside the sources.
            command.arg("-B");
        }
        // Nothing but loopback is asked, whatever proxy this machine has.
        command.env("NO_PROXY", "*").arg(directory().join(self.file()));
        Some(command)
    }

    fn start(self, arguments: &[&str]) -> Option<Process> {
        Some(Process::start(self.command()?.args(arguments)))
    }

    async fn run(self, arguments: &[&str]) -> Option<(i32, String)> {
        Some(ended(self.start(arguments)?).await)
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/clients")
}

async fn ended(mut process: Process) -> (i32, String) {
    let status = eventually("the end of a client", async || process.status()).await;
    (status.code().expect("no signal"), process.said())
}

/// Waits until the last line that it has said is this one.
async fn says(process: &mut Process, line: &str) {
    eventually(line, async || {
        let said = process.said();
        assert_eq!(process.status(), None, "{said}");
        (said.lines().last() == Some(line)).then_some(())
    })
    .await;
}

/// One line for people, and status 2.
fn is_refused((code, said): (i32, String), file: &str, text: &str) {
    assert_eq!(code, 2, "{file}: {said}");
    assert_eq!(said.lines().count(), 1, "{file}: {said}");
    assert!(said.starts_with("error: ") && said.contains(text), "{file}: {said}");
}

#[tokio::test]
async fn one_that_asks_once_says_what_fails_and_ends_with_the_status_of_its_head() {
    for one in ONCE {
        let service = Service::start().await;
        let url = service.url("");
        let Some((code, said)) = one.run(&[&url]).await else { continue };
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("healthy") || said.contains("[+]redis ok"), "{said}");

        service.redis(CheckResult::degraded("no replica"));
        let (code, said) = one.run(&[&url]).await.unwrap();
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("degraded: no replica"), "{said}");

        service.database(CheckResult::unhealthy("gone"));
        let (code, said) = one.run(&[&url]).await.unwrap();
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("database") && said.contains(": gone"), "{said}");

        service.health.drain();
        let (code, said) = one.run(&[&url]).await.unwrap();
        assert_eq!(code, 0, "nobody is woken for a deploy: {said}");
        assert!(said.contains("being deployed") || said.contains("$drain"), "{said}");
    }
}

#[tokio::test]
async fn the_shell_reads_as_many_events_of_the_stream_as_it_is_told() {
    let service = Service::start().await;
    let Some((code, said)) = Client::Shell.run(&[&service.url(""), "2"]).await else { return };
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("data: {\"status\":\"healthy\"").count(), 2, "{said}");
    assert_eq!(service.asked().iter().filter(|line| line.contains("$stream?limit=2")).count(), 1);
}

#[tokio::test]
async fn a_monitor_has_a_line_for_each_change_and_ends_quietly_with_a_deploy() {
    for monitor in MONITORS {
        let service = Service::start().await;
        // A slash at the end is as good.
        let Some(mut process) = monitor.start(&[&service.url("/")]) else { continue };
        says(&mut process, "healthy").await;
        service.redis(CheckResult::degraded("no replica"));
        says(&mut process, "degraded: redis (no replica)").await;
        service.database(CheckResult::unhealthy("gone"));
        says(&mut process, "ALARM unhealthy: database (gone), redis (no replica)").await;
        service.database(CheckResult::healthy());
        service.redis(CheckResult::healthy());
        says(&mut process, "healthy").await;
        service.health.drain();
        let (code, said) = ended(process).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.ends_with("healthy\nbeing deployed\n"), "{said}");
        assert_eq!(said.matches("ALARM").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_monitor_rings_the_alarm_where_a_service_ends_without_a_word_or_is_frozen() {
    for (signal, at_least) in [("KILL", Duration::ZERO), ("STOP", Duration::from_secs(5))] {
        let instance = Instance::start("one", &[]).await;
        let mut processes = Vec::new();
        for monitor in MONITORS {
            let Some(mut process) = monitor.start(&[&instance.url("")]) else { continue };
            says(&mut process, "healthy").await;
            processes.push(process);
        }
        instance.signal(signal);
        let stopped = std::time::Instant::now();
        for process in processes {
            let (code, said) = ended(process).await;
            assert_eq!(code, 1, "{said}");
            let last = said.lines().last().unwrap();
            assert!(last.starts_with("ALARM http://"), "{said}");
            assert!(last.ends_with(" has ended its stream without a word"), "{said}");
            assert!(stopped.elapsed() > at_least, "{:?}", stopped.elapsed());
        }
    }
}

#[tokio::test]
async fn one_that_asks_once_does_not_wait_for_a_frozen_service() {
    let instance = Instance::start("one", &[]).await;
    instance.signal("STOP");
    for one in ONCE {
        let asked = std::time::Instant::now();
        let url = instance.url("");
        let Some(answer) = one.run(&[&url]).await else { continue };
        is_refused(answer, one.file(), &format!("no answer from {url}: "));
        assert!(asked.elapsed() > Duration::from_secs(1), "{:?}", asked.elapsed());
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn one_line_says_what_is_missing() {
    let nobody = Place::free();
    let nobody = format!("http://{}", nobody.address);
    // Something that is no service with health.
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", socket.local_addr().unwrap());
    let page = Router::new()
        .route("/health", get(async || Html("<h1>Shop</h1>")))
        .route("/health/$stream", get(async || Html("<h1>Shop</h1>")));
    tokio::spawn(async move { axum::serve(socket, page.into_make_service()).await });

    for one in ONCE.into_iter().chain(MONITORS) {
        let file = one.file();
        let example = "http://127.0.0.1:8000";
        let Some(answer) = one.run(&[]).await else { continue };
        is_refused(answer, file, example);
        is_refused(one.run(&["127.0.0.1:8000"]).await.unwrap(), file, example);
        let answer = one.run(&[&nobody]).await.unwrap();
        is_refused(answer, file, &format!("no answer from {nobody}: "));
        is_refused(one.run(&[&other]).await.unwrap(), file, &other);
        let nowhere = format!("{other}/shop");
        is_refused(one.run(&[&nowhere]).await.unwrap(), file, &nowhere);
    }
    if let Some(answer) = Client::Shell.run(&[&nobody, "many"]).await {
        is_refused(answer, "health.sh", "expected a number of events, not `many`");
    }
}

#[tokio::test]
async fn one_line_says_where_to_get_what_is_not_installed() {
    if let Some(python) = python() {
        for file in ["health.py", "monitor.py"] {
            // Without the environment's packages.
            let mut command = Command::new(&python);
            command.arg("-BS").arg(directory().join(file)).arg("http://127.0.0.1:8000");
            let answer = ended(Process::start(&mut command)).await;
            is_refused(answer, file, "the Python package httpx is missing: pip install httpx");
        }
    }
    let mut command = Command::new("/bin/sh");
    command.arg(directory().join("health.sh")).arg("http://127.0.0.1:8000").env("PATH", "");
    let answer = ended(Process::start(&mut command)).await;
    is_refused(answer, "health.sh", "curl is missing: apt-get install curl");
}

#[tokio::test]
async fn a_monitor_that_gets_no_stream_says_so() {
    let service = Service::start_with(|builder| builder.max_streams(1), Router::new()).await;
    let url = service.url("/health/$stream");
    let mut reader = Events::of(client().get(url).send().await.unwrap());
    assert!(reader.event().await.is_some());
    for monitor in MONITORS {
        let Some(answer) = monitor.run(&[&service.url("")]).await else { continue };
        is_refused(answer, monitor.file(), "/health/$stream answers 503");
    }
}

/// The blocks of this language in the guide's page, for a service at another address.
fn snippets(language: &str, url: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../servicekit-health/src/guide/clients.md");
    let page = std::fs::read_to_string(page).unwrap();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    blocks.map(|block| block.replace("http://127.0.0.1:8000", url)).collect()
}

/// Runs what reads the stream; the service drains once it does.
async fn until_the_drain(command: &mut Command, service: &Service) -> (i32, String) {
    let process = Process::start(command.env("NO_PROXY", "*"));
    eventually("the stream", async || process.said().contains("healthy").then_some(())).await;
    service.health.drain();
    ended(process).await
}

#[tokio::test]
async fn the_snippets_of_the_guide_do_what_it_says() {
    if let Some(python) = python() {
        let service = Service::start().await;
        let [once, follow] = &snippets("python", &service.url(""))[..] else { panic!("not two") };
        let run = |code: &str| {
            let mut command = Command::new(&python);
            command.args(["-u", "-c", code]);
            command
        };
        service.database(CheckResult::unhealthy("gone"));
        let answer = ended(Process::start(&mut run(once))).await;
        assert_eq!(answer, (0, "['database']\n".to_owned()));
        service.database(CheckResult::healthy());
        let answer = until_the_drain(&mut run(follow), &service).await;
        assert_eq!(answer, (0, "healthy\n".to_owned()));
        let answer = ended(Process::start(&mut run(once))).await;
        assert_eq!(answer, (0, "is being deployed\n".to_owned()));
    }
    if let Some(node) = installed("node") {
        let service = Service::start().await;
        let snippets = snippets("js", &service.url(""));
        let code = snippets.iter().find(|code| code.contains("fetch(")).unwrap();
        let mut command = Command::new(node);
        let answer =
            until_the_drain(command.args(["--input-type=module", "--eval", code]), &service);
        assert_eq!(answer.await, (0, "healthy\nunhealthy\n".to_owned()));
    }
    if installed("curl").is_some() {
        let service = Service::start().await;
        let snippets = snippets("sh", &service.url(""));
        let lines: Vec<_> = snippets[0].lines().collect();
        let [ready, changes, limit] = lines[..] else { panic!("{lines:?}") };
        let sh = |line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            command
        };
        let (code, said) = ended(Process::start(&mut sh(limit))).await;
        assert_eq!((code, said.matches("data: {").count()), (0, 3), "{said}");
        let (code, said) = ended(Process::start(&mut sh(ready))).await;
        assert!(code == 0 && said.starts_with("{\"status\":\"healthy\""), "{code} {said}");
        let (code, said) = until_the_drain(&mut sh(changes), &service).await;
        assert!(code == 0 && said.contains("$drain"), "{code} {said}");
        let (code, _) = ended(Process::start(&mut sh(ready))).await;
        assert_eq!(code, 22);
    }
}
