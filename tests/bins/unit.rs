//! A service as a unit of systemd. Its checks take the states that it reads from its input, as
//! lines of a check's name and a state; the line `block` and a number keeps its only worker busy for
//! that many milliseconds. An argument `report` asks for one report in place of waiting for the end,
//! `slow-drain` drains for longer than it takes to look at startup again.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use servicekit_health::{self as health, Check, HealthState, Probe};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let states = Arc::<Mutex<BTreeMap<String, HealthState>>>::default();
    let check = |name: &'static str| {
        let states = Arc::clone(&states);
        let check = Check::new(name, move || {
            let state = states.lock().unwrap().get(name).copied().unwrap_or_default();
            async move { state }
        });
        check.cache(Duration::ZERO)
    };
    let warmup = check("warmup").probe(Probe::Startup);
    states.lock().unwrap().insert("warmup".to_owned(), HealthState::Unhealthy);
    let argument = std::env::args().nth(1);
    let drain_delay = if argument.as_deref() == Some("slow-drain") { 2000 } else { 200 };
    let health = health::builder()
        .check(check("database"))
        .check(check("redis"))
        .check(check("loop").probe(Probe::Liveness))
        .check(warmup)
        .watch_interval(Duration::from_millis(50))
        .drain_delay(Duration::from_millis(drain_delay))
        .build()?;

    let set = Arc::clone(&states);
    let runtime = tokio::runtime::Handle::current();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let line = line.unwrap();
            let (name, state) = line.split_once(' ').unwrap();
            if name == "block" {
                let time = Duration::from_millis(state.parse().unwrap());
                runtime.spawn(async move { thread::sleep(time) });
                continue;
            }
            set.lock().unwrap().insert(name.to_owned(), state.parse().unwrap());
        }
    });
    if argument.as_deref() == Some("report") {
        health.report().await;
        std::future::pending::<()>().await;
    }
    health.shutdown_signal().await;
    Ok(())
}
