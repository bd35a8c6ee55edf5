//! What counting a call costs, against reading the clock in the same run.
//!
//! `cargo bench -p servicekit-health-tests --bench observed`
#![allow(clippy::print_stdout, reason = "the figures are for a person at a terminal")]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use servicekit_health::Observed;

const TIMES: u32 = 5_000_000;
const ROUNDS: usize = 7;
const THREADS: usize = 2;

static DB: Observed = Observed::new();

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let clock = fastest(|| {
        black_box(Instant::now());
    });
    let success = fastest(|| black_box(&DB).success());
    let failure = fastest(|| black_box(&DB).failure("refused"));
    let shared = contended();
    let size = size_of::<Observed>();
    println!("reading the clock          {clock:>6.1} ns");
    println!("a success                  {success:>6.1} ns");
    println!("a failure                  {failure:>6.1} ns");
    println!("a success, {THREADS} threads at once {shared:>6.1} ns");
    let verdict = if success.max(failure) < 100.0 { "ok" } else { "MISSED" };
    println!("goal: either under 100 ns  {verdict}; {size} bytes");
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

/// Nanoseconds a call while every thread counts at once.
fn contended() -> f64 {
    let start = Barrier::new(THREADS);
    let calls = || {
        start.wait();
        per_call(&|| DB.success())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(0.0, f64::max)
    })
}
