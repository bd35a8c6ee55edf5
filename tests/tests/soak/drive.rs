//! One soak from begin to end.
#![allow(clippy::print_stdout, reason = "what was measured is for a person")]
#![allow(clippy::print_stderr, reason = "so is what went wrong")]

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clients::{self, Target};
use crate::growth::{self, RESOURCES, Sample};
use crate::judge::sum;
use crate::process::{Port, Running};
use crate::restarts::{Restarts, calm};
use crate::service::{self, HISTORY};
use crate::soak::{Server, Soak};

/// How long the load lasts unless `SOAK_MINUTES` says otherwise.
const MINUTES: f64 = 1.0;

/// Every client leaves within this.
const LEAVE: Duration = Duration::from_secs(90);

/// Within this everything that the load has brought is gone.
const SETTLE: Duration = Duration::from_secs(20);

type Checked = Result<(), String>;

pub(crate) fn main() -> ExitCode {
    if env::var_os(service::PORT).is_some() {
        return match service::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    if env::args().any(|argument| argument == "--list") {
        println!("soak: test");
        return ExitCode::SUCCESS;
    }
    if !is_asked_for() {
        println!("soak: filtered out");
        return ExitCode::SUCCESS;
    }
    let (minutes, seed) = match settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("soak: {minutes} min of load, SOAK_SEED={seed}");
    let soak = Soak::new(seed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let driven = runtime.block_on(drive(&soak, Duration::from_secs_f64(minutes * 60.0)));
    if let Err(error) = driven {
        soak.finding(error);
    }
    let findings = soak.findings();
    if findings.is_empty() {
        println!("soak: every invariant held");
        return ExitCode::SUCCESS;
    }
    eprintln!("soak failed (SOAK_SEED={seed}):");
    for finding in findings {
        eprintln!("- {finding}");
    }
    ExitCode::FAILURE
}

/// As a test harness, it runs unless the names that are given leave it out.
fn is_asked_for() -> bool {
    let mut names = env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|name| "soak".contains(&*name))
}

fn settings() -> Result<(f64, u64), String> {
    let minutes = match env::var("SOAK_MINUTES") {
        Ok(text) => {
            text.parse().ok().filter(|minutes| (0.25..=10_000.0).contains(minutes)).ok_or_else(
                || format!("invalid SOAK_MINUTES `{text}`: expected minutes from 0.25 to 10000"),
            )?
        }
        Err(_) => MINUTES,
    };
    let seed = match env::var("SOAK_SEED") {
        Ok(text) => text.parse().map_err(|_| {
            format!("invalid SOAK_SEED `{text}`: expected an integer from 0 to {}", u64::MAX)
        })?,
        Err(_) => fastrand::u64(..),
    };
    Ok((minutes, seed))
}

async fn drive(soak: &Arc<Soak>, load: Duration) -> Checked {
    let client = || Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let hold = || Port::hold().map_err(|error| error.to_string());
    let (steady_port, restarted_port) = (hold()?, hold()?);
    let steady = Target::new("steady", steady_port.address.to_string(), false);
    let restarted = Target::new("restarted", restarted_port.address.to_string(), true);

    let mut running = Running::start(soak, &steady_port, 0).await?;
    steady.beside.lock().unwrap().clone_from(&running.beside);
    let before = baseline(&client(), &steady, &running).await?;
    calm(&client(), &steady, false).await?;
    let restarts = Restarts::new(soak, &restarted, restarted_port);
    let first = restarts.start(1).await?;

    let (begin, mut all) = (Instant::now(), JoinSet::new());
    clients::start(soak, &steady, &mut all);
    clients::start(soak, &restarted, &mut all);
    let restarts = tokio::spawn(restarts.go_on(first));
    let samples = growth::watch(soak, &steady, &running, begin + load).await;
    soak.stop();
    let lasted = begin.elapsed();

    let left = timeout(LEAVE, async {
        while let Some(ended) = all.join_next().await {
            ended.map_err(|error| format!("a client failed: {error}"))?;
        }
        Checked::Ok(())
    });
    left.await.map_err(|_| format!("a client has not left within {LEAVE:?}"))??;
    let (restarts, last) = restarts.await.map_err(|error| format!("restarts ended: {error}"))?;
    restarts.last_words(&last);
    soak.keep(&growth::state(&client(), &restarted).await?);
    drop(last);

    let after = settled(&client(), &steady, &running, before).await;
    let state = growth::state(&client(), &steady).await?;
    soak.keep(&state);
    summary(soak, lasted, before, &samples, after.as_ref().ok());
    // What ended early tells nothing of growth.
    if soak.findings().is_empty() {
        for resource in &RESOURCES {
            soak.judge("steady", resource.judge(&samples));
        }
    }
    after?;
    transitions(&client(), &steady).await?;
    last_drain(&client(), &steady, &mut running).await?;
    for complaint in running.complaints() {
        soak.finding(format!("steady: {complaint}"));
    }
    Ok(())
}

/// What it holds at least while nobody asks and nothing fails. Every endpoint has been asked once.
async fn baseline(client: &Client, target: &Target, running: &Running) -> Result<Sample, String> {
    let paths =
        ["/health", "/health/$history", "/health/$ui", "/metrics", "/health/$stream?limit=1"];
    for path in paths {
        let answer =
            client.get(target.url(path)).send().await.map_err(|error| error.to_string())?;
        answer.bytes().await.map_err(|error| error.to_string())?;
    }
    let mut least = growth::sample(client, target, running).await?.0;
    for _ in 0..10 {
        sleep(Duration::from_millis(300)).await;
        least = least.min(growth::sample(client, target, running).await?.0);
    }
    Ok(least)
}

/// Waits until it holds no more than before the load; an error where it goes on holding more.
async fn settled(
    client: &Client,
    target: &Target,
    running: &Running,
    before: Sample,
) -> Result<Sample, String> {
    calm(client, target, true).await?;
    let begin = Instant::now();
    loop {
        let (after, _) = growth::sample(client, target, running).await?;
        let metrics = client.get(target.url("/metrics")).send().await;
        let metrics = metrics.map_err(|error| error.to_string())?.text().await.unwrap_or_default();
        let streams = sum(&metrics, "servicekit_health_streams");
        let held = RESOURCES.iter().find(|resource| {
            let of = resource.of;
            resource.left.is_some_and(|left| of(&after) > of(&before) + left)
        });
        if held.is_none() && streams == Some(0) {
            return Ok(after);
        }
        if begin.elapsed() > SETTLE {
            let what = held.map_or("streams", |resource| resource.name);
            return Err(format!(
                "steady: {SETTLE:?} after the load it still holds {what}: {before:?} before, {after:?} now, {streams:?} streams"
            ));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// All listeners and the history agree, once nothing changes any more: none was lost.
async fn transitions(client: &Client, target: &Target) -> Checked {
    let text = async |path: &str| -> Result<String, String> {
        let answer =
            client.get(target.url(path)).send().await.map_err(|error| error.to_string())?;
        answer.text().await.map_err(|error| error.to_string())
    };
    let json =
        |text: String| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string());
    let begin = Instant::now();
    loop {
        let metrics = text("/metrics").await?;
        let state = growth::state(client, target).await?;
        let history = json(text("/health/$history").await?)?;
        let recent = json(text("/soak/transitions").await?)?;
        let error = compare(&metrics, &state, &history, &recent);
        if error.is_ok() || begin.elapsed() > SETTLE {
            return error;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn compare(metrics: &str, state: &Value, history: &Value, recent: &Value) -> Checked {
    let counted = sum(metrics, "servicekit_health_transitions_total");
    for listener in ["subscriber", "callback", "slow"] {
        let counts = &state[listener];
        let seen = counts["received"].as_u64().zip(counts["missed"].as_u64());
        if seen.map(|(received, missed)| received + missed) != counted {
            return Err(format!("{listener}: {counts}, but {counted:?} transitions were counted"));
        }
    }
    let none = Vec::new();
    let kept = history["transitions"].as_array().unwrap_or(&none);
    let recent = recent.as_array().unwrap_or(&none);
    if kept.len() != recent.len().min(HISTORY) {
        return Err(format!("the history has {} of {} transitions", kept.len(), recent.len()));
    }
    // The subscriber that is fast enough has seen the same, in the same order.
    for (kept, seen) in kept.iter().zip(recent.iter().rev()) {
        if (&kept["check"], &kept["from"], &kept["to"]) != (&seen[0], &seen[1], &seen[2]) {
            return Err(format!("the history has {kept} where the subscriber has seen {seen}"));
        }
    }
    Ok(())
}

/// A last drain: the stream that is open is told, and the process ends well.
async fn last_drain(client: &Client, target: &Target, running: &mut Running) -> Checked {
    let stream = client.get(target.url("/health/$stream")).send().await;
    let stream = stream.map_err(|error| error.to_string())?;
    running.signal("TERM").map_err(|error| error.to_string())?;
    let events = stream.text().await.map_err(|error| error.to_string())?;
    if !events.rsplit("data: ").next().is_some_and(|last| last.contains("\"$drain\"")) {
        return Err(format!("steady: the stream ended without `$drain`: {events}"));
    }
    let status = running.end(Duration::from_secs(30)).await?;
    if status.success() { Ok(()) } else { Err(format!("steady: it ended with {status}")) }
}

fn summary(
    soak: &Soak,
    lasted: Duration,
    before: Sample,
    samples: &[Sample],
    after: Option<&Sample>,
) {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let tally = &soak.tally;
    println!("soak: {} s of load on two services", lasted.as_secs());
    println!("  requests      {}, {} hostile", count(&tally.requests), count(&tally.hostile));
    println!(
        "  streams       {}, {} events, {} told of a drain",
        count(&tally.streams),
        count(&tally.events),
        count(&tally.drained_streams)
    );
    println!("  gRPC watches  {}", count(&tally.watches));
    println!("  scrapes       {}", count(&tally.scrapes));
    println!("  restarts      {}", count(&tally.restarts));
    println!("  runs          {}", count(&tally.runs));
    println!("  transitions   {}", count(&tally.transitions));
    for server in [Server::Application, Server::Listener] {
        let (slowest, what) = tally.slowest(server);
        println!("  slowest       {slowest:?} by the {server:?}: {what}");
    }
    println!(
        "  the service that was not restarted: before, second quarter, last quarter, peak, after"
    );
    for resource in &RESOURCES {
        let of = resource.of;
        let (second, last) = resource.levels(samples).unwrap_or_default();
        let after = after.map_or_else(|| "-".to_owned(), |after| of(after).to_string());
        println!(
            "    {:22} {:>7} {second:>7} {last:>7} {:>7} {after:>7}",
            resource.name,
            of(&before),
            resource.peak(samples),
        );
    }
}
