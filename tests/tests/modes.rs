//! A service under load whose checks go from one kind of trouble to the next.
#![cfg(unix)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use common::{Events, Process, client, eventually, get};

/// The deadline of the service is 300 ms; the rest is for a busy machine.
const IN_TIME: Duration = Duration::from_millis(700);
/// `/livez` waits for no other check.
const AT_ONCE: Duration = Duration::from_millis(400);
const READERS: [&str; 4] = ["/health", "/health?verbose", "/readyz", "/health/target"];

struct Load {
    base: Arc<str>,
    slowest: Arc<AtomicU64>,
    slowest_liveness: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    readers: JoinSet<u64>,
}

impl Load {
    fn start(base: &str) -> Self {
        let mut load = Self {
            base: base.into(),
            slowest: Arc::default(),
            slowest_liveness: Arc::default(),
            is_over: Arc::default(),
            readers: JoinSet::new(),
        };
        for path in READERS.into_iter().cycle().take(24) {
            let slowest = Arc::clone(&load.slowest);
            load.read(path, slowest);
        }
        for _ in 0..2 {
            let slowest = Arc::clone(&load.slowest_liveness);
            load.read("/livez", slowest);
        }
        for _ in 0..8 {
            let url = format!("{base}/health/$stream?poll_interval=0.1");
            let is_over = Arc::clone(&load.is_over);
            load.readers.spawn(async move {
                let mut events = Events::of(get(&url).await);
                let mut seen = 0;
                while !is_over.load(Ordering::Relaxed) {
                    events.event().await.expect("the stream goes on");
                    seen += 1;
                }
                seen
            });
        }
        load
    }

    fn read(&mut self, path: &'static str, slowest: Arc<AtomicU64>) {
        let (base, is_over) = (Arc::clone(&self.base), Arc::clone(&self.is_over));
        self.readers.spawn(async move {
            let client = client();
            let mut answers = 0;
            while !is_over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = client.get(format!("{base}{path}")).send().await.unwrap();
                answer.bytes().await.unwrap();
                let took = u64::try_from(asked.elapsed().as_millis()).unwrap();
                slowest.fetch_max(took, Ordering::Relaxed);
                answers += 1;
                sleep(Duration::from_millis(10)).await;
            }
            answers
        });
    }

    fn take_slowest(&self) -> [Duration; 2] {
        let take = |slowest: &AtomicU64| Duration::from_millis(slowest.swap(0, Ordering::Relaxed));
        [take(&self.slowest), take(&self.slowest_liveness)]
    }

    async fn end(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(answers) = self.readers.join_next().await {
            assert!(answers.unwrap() > 10, "every reader was answered all the time");
        }
    }
}

/// How a check may be told while it is in trouble, beside a last result that is a little old.
fn is_expected(mode: &str, check: &Value) -> bool {
    let state = check["state"].as_str().unwrap();
    let message = check["message"].as_str().unwrap_or_default();
    match mode {
        "healthy" | "slow" | "late" => state == "healthy",
        "error" => (state, message) == ("unhealthy", "Connection refused"),
        "panic" => (state, message) == ("unhealthy", "index out of bounds"),
        // Whoever cannot wait for the timeout is told the last result, which is a timeout too.
        "hang" => (state, message) == ("unhealthy", "timed out after 500ms"),
        "block" => {
            let is_told =
                message == "timed out after 500ms" || message.starts_with("still running");
            state == "unhealthy" && is_told
        }
        "flap" => matches!((state, message), ("healthy", "") | ("unhealthy", "flapping")),
        _ => unreachable!("{mode}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trouble_is_told_in_time_under_load_and_heals() {
    let process = Process::start(&mut Command::new(env!("CARGO_BIN_EXE_service")));
    let base = eventually("the address", async || {
        let said = process.said();
        Some(format!("http://{}", said.split_once("http://")?.1.split_once('/')?.0))
    })
    .await;
    let url = |path: &str| format!("{base}{path}");
    let json = async |path: &str| -> Value {
        serde_json::from_slice(&get(&url(path)).await.bytes().await.unwrap()).unwrap()
    };
    let runs = async || get(&url("/runs")).await.text().await.unwrap().parse::<u128>().unwrap();

    let load = Load::start(&base);
    let begin = Instant::now();
    let modes = ["error", "slow", "late", "hang", "panic", "block", "flap"];
    for mode in modes.into_iter().flat_map(|mode| [mode, "healthy"]) {
        get(&url(&format!("/mode/{mode}"))).await;
        // A check that has blocked its thread ends its run first.
        eventually(mode, async || {
            let report = json("/health/target").await;
            is_expected(mode, &report["checks"]["target"]).then_some(())
        })
        .await;
        load.take_slowest();
        for _ in 0..6 {
            let report = json("/health").await;
            assert!(is_expected(mode, &report["checks"]["target"]), "{mode}: {report}");
            if mode == "flap" {
                // Three in a row it never fails.
                assert_eq!(report["checks"]["damped"]["state"], "healthy", "{report}");
            }
            sleep(Duration::from_millis(100)).await;
        }
        let [slowest, liveness] = load.take_slowest();
        assert!(slowest < IN_TIME, "{mode}: an answer took {slowest:?}");
        assert!(liveness < AT_ONCE, "{mode}: /livez took {liveness:?}");
    }
    // Two checks, each at most once in the 100 ms of its cache.
    let most = 2 * (begin.elapsed().as_millis() / 100 + 1);
    let runs = runs().await;
    assert!(runs <= most, "{runs} runs in {:?}", begin.elapsed());
    assert!(runs > most / 8, "{runs} runs in {:?}", begin.elapsed());
    load.end().await;

    // At most one line a second for each check, which says how many changes it leaves out.
    let said = process.said();
    let lines: Vec<_> = said.lines().filter(|line| line.contains(" lasted_ms=")).collect();
    let left_out = lines.iter().filter_map(|line| line.split_once(" left_out="));
    let left_out: usize = left_out.map(|(_, count)| count.parse::<usize>().unwrap()).sum();
    assert!(lines.len() + left_out >= 2 * modes.len() - 1, "{} changes in {said}", lines.len());
    for check in ["target", "damped"] {
        let lines = lines.iter().filter(|line| line.contains(&format!("check=\"{check}\"")));
        let most = begin.elapsed().as_secs() + 1;
        assert!(lines.count() as u64 <= most, "more than one line a second in {said}");
    }
}
