//! The end of a real process: signals, the drain delay, and streams that are open.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "what was measured is for a person")]

mod common;

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use common::program::Program;
use common::{Events, eventually, get};

const SECOND: Duration = Duration::from_secs(1);

async fn service(variables: &[(&str, &str)]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_service"), variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_fails_readiness_at_once_and_ends_after_five_seconds() {
    let mut program = service(&[]).await;
    assert_eq!(get(&program.url("/readyz")).await.status(), 200);
    let (before, begin) = program.signal("TERM");
    eventually("readiness fails", async || {
        (get(&program.url("/readyz")).await.status() == 503).then_some(())
    })
    .await;
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
    let drain = json!({"state": "unhealthy", "message": "draining"});
    for path in ["/health", "/readyz"] {
        let response = get(&program.url(path)).await;
        assert_eq!(response.status(), 503);
        let report: serde_json::Value =
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(report["checks"]["$drain"], drain, "{path}");
    }
    assert_eq!(get(&program.url("/livez")).await.status(), 200);

    // A stream that is opened now tells the state once and ends.
    let mut late = Events::of(get(&program.url("/health/$stream")).await);
    assert_eq!(late.event().await.unwrap()["checks"]["$drain"], drain);
    assert_eq!(late.event().await, None);

    assert!(program.end().await.success());
    assert!(before.elapsed() >= 5 * SECOND, "{:?}", before.elapsed());
    assert!(begin.elapsed() < 7 * SECOND, "{:?}", begin.elapsed());
    let said = program.process.said();
    assert_eq!(said.matches("draining").count(), 1, "{said}");
    assert!(said.contains("INFO servicekit_health"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_at_once_unless_a_delay_is_set() {
    let mut program = service(&[]).await;
    let (_, begin) = program.signal("INT");
    assert!(program.end().await.success());
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());

    let mut program = service(&[("DRAIN_DELAY", "1500")]).await;
    program.signal("INT");
    program.is_alive_for(SECOND).await;
    assert!(program.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_delay_at_once() {
    let mut program = service(&[("DRAIN_DELAY", "60000")]).await;
    program.signal("TERM");
    program.is_alive_for(SECOND / 2).await;
    let (_, begin) = program.signal("TERM");
    assert!(program.end().await.success());
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_after_the_delay_ends_the_process_whatever_holds_it_up() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let mut program = service(&[("DRAIN_DELAY", "100")]).await;
        let _held = program.send(TcpSocket::new_v4().unwrap(), "/hang").await;
        sleep(SECOND / 10).await;
        program.signal("TERM");
        program.is_alive_for(SECOND).await;
        program.signal(name);
        assert_eq!(program.end().await.code(), Some(128 + number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_open_streams_are_told_and_hold_nothing_up() {
    let mut program = service(&[("DRAIN_DELAY", "1000")]).await;
    let mut readers = JoinSet::new();
    for _ in 0..1000 {
        let mut stream = program.send(TcpSocket::new_v4().unwrap(), "/health/$stream").await;
        readers.spawn(async move {
            let mut seen = Vec::new();
            stream.read_to_end(&mut seen).await.unwrap();
            String::from_utf8(seen).unwrap()
        });
    }
    sleep(2 * SECOND).await;
    let (before, begin) = program.signal("TERM");
    let status = program.end().await;
    let (least, most) = (before.elapsed(), begin.elapsed());
    assert!(status.success());
    assert!(least >= SECOND && most < 2 * SECOND, "{least:?}, {most:?}");
    while let Some(seen) = readers.join_next().await {
        let seen = seen.unwrap();
        let last = seen.rsplit("data: ").next().unwrap();
        assert!(last.contains(r#""$drain":{"state":"unhealthy""#), "{seen}");
        assert!(seen.matches("data: ").count() >= 2, "it was told before, too: {seen}");
        assert!(seen.ends_with("0\r\n\r\n"), "the response is whole: {last}");
    }
}

/// What it takes to see beyond a router: the kernel's own count of what waits to be sent.
#[cfg(target_os = "linux")]
mod never_reading {
    use tokio::net::TcpStream;

    use super::*;
    use common::Process;

    /// A client that asks for much, often, and takes nothing.
    async fn never_reads(program: &Program) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        program.send(socket, "/health/$stream?poll_interval=0.1").await
    }

    /// Bytes in the send queues of the sockets at this address.
    fn unsent(address: &str) -> u64 {
        let (_, port) = address.rsplit_once(':').unwrap();
        let local = format!(":{:04X}", port.parse::<u16>().unwrap());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let queue = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let is_ours = fields.next()?.ends_with(&local);
            let queued = fields.nth(2)?.split_once(':')?.0;
            is_ours.then(|| u64::from_str_radix(queued, 16).unwrap())
        };
        table.lines().filter_map(queue).sum()
    }

    /// Waits until the kernel takes no more.
    async fn stands_still(program: &Program) {
        let mut before = 0;
        eventually("the buffers are full", async || {
            sleep(SECOND).await;
            let now = unsent(&program.address);
            (std::mem::replace(&mut before, now) == now && now > 0).then_some(())
        })
        .await;
    }

    /// The resident memory of a process, in KiB.
    fn resident(process: &Process) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_that_never_reads_is_bounded_at_the_socket_alone() {
        let settings = [("LONG", "yes"), ("DRAIN_DELAY", "100")];
        let mut unbound = service(&settings).await;
        let mut bound = service(&[settings[0], settings[1], ("SOCKET_DEADLINE", "5000")]).await;
        let _readers = [never_reads(&unbound).await, never_reads(&bound).await];
        let mut reader = Events::of(get(&bound.url("/health/$stream")).await);
        stands_still(&unbound).await;
        unbound.signal("TERM");
        // The kernel counts from when the window closed: the bound may have ended it already.
        bound.signal("TERM");
        while reader.event().await.is_some() {}
        assert!(bound.end().await.success());
        unbound.is_alive_for(8 * SECOND).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_queued_for_readers_that_never_read() {
        const READERS: u64 = 50;

        let program = service(&[("LONG", "yes")]).await;
        get(&program.url("/health")).await;
        let alone = resident(&program.process);
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(never_reads(&program).await);
        }
        stands_still(&program).await;
        let full = resident(&program.process);
        // As many ticks again: what is not sent by now is never made.
        sleep(5 * SECOND).await;
        let later = resident(&program.process);
        println!(
            "KiB a reader: {}, 5 s later {}",
            (full - alone) / READERS,
            (later - alone) / READERS
        );
        // Ten reports a second of 110 KiB would be 5 MiB for each by now.
        assert!(later < full + READERS * 100, "{alone} KiB, {full} KiB, {later} KiB");
        assert!(later < alone + READERS * 1000, "{alone} KiB, {full} KiB, {later} KiB");
        let answer = timeout(SECOND, get(&program.url("/health"))).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}
