//! What a beat costs, as a ratio against reading the clock in the same run.
//!
//! `cargo bench -p servicekit-health-tests --bench heartbeat`
#![allow(clippy::print_stdout, reason = "the figures are for a person at a terminal")]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use servicekit_health::Heartbeat;

const TIMES: u32 = 5_000_000;
const ROUNDS: usize = 7;
const THREADS: usize = 2;

static HEART: Heartbeat = Heartbeat::new(Duration::from_secs(30));

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let clock = fastest(|| {
        black_box(Instant::now());
    });
    let beat = fastest(|| black_box(&HEART).beat());
    let shared = contended();
    let ratio = |cost: f64| cost / clock;
    println!("reading the clock        {clock:>6.1} ns");
    println!("a beat                   {beat:>6.1} ns   {:.2} of it", ratio(beat));
    println!("a beat, {THREADS} threads at once {shared:>6.1} ns   {:.2} of it", ratio(shared));
    let verdict = if beat < 50.0 { "ok" } else { "MISSED" };
    println!("goal: a beat under 50 ns {verdict}");
}

/// Nanoseconds a call in the best of some rounds: what disturbs only ever adds.
fn fastest(call: impl Fn()) -> f64 {
    (0..ROUNDS).map(|_| per_call(&call)).fold(f64::INFINITY, f64::min)
}

fn per_call(call: &impl Fn()) -> f64 {
    let begin = Instant::now();
    for _ in 0..TIMES {
        call();
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
}

/// Nanoseconds a call while every thread beats the same heart.
fn contended() -> f64 {
    let start = Barrier::new(THREADS);
    let beats = || {
        start.wait();
        per_call(&|| HEART.beat())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(beats)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(0.0, f64::max)
    })
}
