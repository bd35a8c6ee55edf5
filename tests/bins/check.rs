//! One ready-made check in a process of its own, where the test sets the scene.
#![allow(clippy::print_stdout, reason = "the test reads what the check found")]

use std::hint::black_box;
use std::net::UdpSocket;
use std::time::Duration;
use std::{env, fs};

use servicekit_health::{CheckResult, checks};

#[tokio::main]
async fn main() {
    match env::args().nth(1).as_deref() {
        Some("dns") => dns().await,
        Some("memory") => memory().await,
        other => panic!("unknown scene {other:?}"),
    }
}

/// A resolver that never answers, and a check that runs again and again all the same.
async fn dns() {
    let _resolver = UdpSocket::bind("127.0.0.1:53").unwrap();
    for _ in 0..5 {
        let limit = Duration::from_millis(100);
        print(&checks::dns("db.internal").timeout(limit).await);
    }
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    println!("threads={}", names.filter(|name| name.trim() == "check-dns").count());
    // And the end of the program, which the lookup would hold up for another ten seconds.
}

/// So many MiB in use.
async fn memory() {
    let mebibytes: usize = env::args().nth(2).unwrap().parse().unwrap();
    let used = black_box(vec![1_u8; mebibytes << 20]);
    print(&checks::memory().await);
    drop(used);
}

fn print(result: &CheckResult) {
    let message = result.message().unwrap_or_default();
    println!("{}: {message} {:?}", result.state(), result.details());
}
