//! Clients that keep their connections and never send a request twice, while a replica that they use
//! goes away under load.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "what was measured is for a person")]

mod common;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use h2::client::SendRequest;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use common::program::Program;
use common::{client, eventually, get};

const SECOND: Duration = Duration::from_secs(1);
const CLIENTS: usize = 100;
/// Each request takes a moment, so that many are under way at any time.
const PATH: &str = "/slow/10";

async fn replica(drain_delay: &str) -> Program {
    Program::start(env!("CARGO_BIN_EXE_replica"), &[("DRAIN_DELAY", drain_delay)]).await
}

/// Two replicas, and where new connections go.
struct Balancer {
    replicas: [String; 2],
    chosen: AtomicUsize,
    is_over: AtomicBool,
    answered: [AtomicU64; 2],
    lost: AtomicU64,
    /// How often a client was told that its connection ends.
    told: AtomicU64,
}

impl Balancer {
    /// Probes the first replica as a balancer does, and leaves it for good when it is not ready.
    fn start(replicas: [&Program; 2]) -> (Arc<Self>, JoinHandle<()>) {
        let balancer = Arc::new(Self {
            replicas: replicas.map(|replica| replica.address.clone()),
            chosen: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            answered: [AtomicU64::new(0), AtomicU64::new(0)],
            lost: AtomicU64::new(0),
            told: AtomicU64::new(0),
        });
        let (probing, url) = (Arc::clone(&balancer), replicas[0].url("/readyz"));
        let probes = tokio::spawn(async move {
            let client = client();
            while client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                sleep(SECOND / 5).await;
            }
            probing.chosen.store(1, Ordering::Relaxed);
        });
        (balancer, probes)
    }

    fn chosen(&self) -> usize {
        self.chosen.load(Ordering::Relaxed)
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn count(&self, replica: usize, answer: io::Result<()>) {
        if let Err(error) = answer {
            println!("lost on replica {replica}: {error}");
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            self.answered[replica].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Once all that happens has happened: nothing was lost, and both have answered.
    fn check(&self) {
        let [first, second] = self.answered.each_ref().map(|count| count.load(Ordering::Relaxed));
        let (lost, told) = (self.lost.load(Ordering::Relaxed), self.told.load(Ordering::Relaxed));
        println!(
            "{first} requests answered by the one that goes, {second} by the other, {lost} lost, {told} connections ended"
        );
        assert_eq!(lost, 0);
        assert!(first > 100 && second > 100, "{first}, {second}");
    }
}

/// Lets the first replica drain and end under load, and the load go on for a while.
async fn drain_under_load(balancer: &Balancer, first: &mut Program, clients: JoinSet<usize>) {
    eventually("load", async || (balancer.answered[0].load(Ordering::Relaxed) > 500).then_some(()))
        .await;
    first.signal("TERM");
    assert!(first.end().await.success());
    sleep(SECOND).await;
    balancer.is_over.store(true, Ordering::Relaxed);
    let last = clients.join_all().await;
    balancer.check();
    assert!(last.into_iter().all(|replica| replica == 1), "every client has moved on");
}

/// A connection of HTTP/1.1 in a client's pool, and the replica that it goes to.
type Pooled = Option<(BufReader<TcpStream>, usize)>;

/// One request on one connection. Gives back whether the server closes that.
async fn request(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut status, mut closes, mut length) = (String::new(), false, 0);
    if stream.read_line(&mut status).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    assert_eq!(status, "HTTP/1.1 200 OK\r\n");
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            Some(("connection", value)) => closes = value == "close",
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    assert_eq!(body, b"done");
    Ok(closes)
}

/// One request after the other, on one connection as long as the server keeps it. Gives back where
/// the last one went.
async fn keeps_its_connection(balancer: Arc<Balancer>, pause: Duration) -> usize {
    let mut pooled: Pooled = None;
    let mut last = 0;
    while balancer.goes_on() {
        let (mut stream, replica) = if let Some(pooled) = pooled.take() {
            pooled
        } else {
            let replica = balancer.chosen();
            match TcpStream::connect(&balancer.replicas[replica]).await {
                Ok(stream) => (BufReader::new(stream), replica),
                Err(error) => {
                    balancer.count(replica, Err(error));
                    continue;
                }
            }
        };
        last = replica;
        let answer = request(&mut stream).await;
        match answer {
            Ok(false) => pooled = Some((stream, replica)),
            Ok(true) => {
                balancer.told.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        balancer.count(replica, answer.map(drop));
        sleep(pause).await;
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_pooled_clients_lose_nothing_over_a_drain() {
    let mut first = replica("1500").await;
    let second = replica("0").await;
    let (balancer, probes) = Balancer::start([&first, &second]);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        // Some are busy all the time, some send a request now and then.
        let pause = Duration::from_millis(20 + 5 * client as u64);
        clients.spawn(keeps_its_connection(Arc::clone(&balancer), pause));
    }
    drain_under_load(&balancer, &mut first, clients).await;
    probes.await.unwrap();
    assert!(balancer.told.load(Ordering::Relaxed) >= CLIENTS as u64, "all of them were told");
}

/// Opens a connection of HTTP/2, without TLS.
async fn open(address: &str) -> io::Result<SendRequest<bytes::Bytes>> {
    let stream = TcpStream::connect(address).await?;
    let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
    // Its end shows in the sender.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// The answer to a request that has been sent.
async fn answer(sender: &mut SendRequest<bytes::Bytes>) -> Result<(), h2::Error> {
    let request = http::Request::get(format!("http://test{PATH}")).body(()).unwrap();
    let (response, _) = sender.send_request(request, true)?;
    let response = response.await?;
    assert_eq!(response.status(), 200);
    // GOAWAY is the signal of HTTP/2.
    assert!(!response.headers().contains_key("connection"));
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        assert_eq!(data?, "done");
    }
    Ok(())
}

/// One request after the other, on one connection until GOAWAY.
async fn heeds_go_away(balancer: Arc<Balancer>) -> usize {
    let mut last = 0;
    while balancer.goes_on() {
        last = balancer.chosen();
        let mut sender = match open(&balancer.replicas[last]).await {
            Ok(sender) => sender,
            Err(error) => {
                balancer.count(last, Err(error));
                continue;
            }
        };
        while balancer.goes_on() {
            // Before a request is sent: none is lost.
            match sender.ready().await {
                Ok(ready) => sender = ready,
                Err(error) => {
                    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
                    assert_eq!(error.reason(), Some(h2::Reason::NO_ERROR));
                    balancer.told.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            balancer.count(last, answer(&mut sender).await.map_err(io::Error::other));
            sleep(Duration::from_millis(5)).await;
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_http2_that_heed_go_away_lose_nothing_over_a_drain() {
    let mut first = replica("1500").await;
    let second = replica("0").await;
    let (balancer, probes) = Balancer::start([&first, &second]);
    let mut clients = JoinSet::new();
    for _ in 0..10 {
        clients.spawn(heeds_go_away(Arc::clone(&balancer)));
    }
    drain_under_load(&balancer, &mut first, clients).await;
    probes.await.unwrap();
    assert_eq!(balancer.told.load(Ordering::Relaxed), 10, "a GOAWAY for each connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drain_entry_counts_the_requests_in_flight() {
    let mut program = replica("3000").await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(program.send(TcpSocket::new_v4().unwrap(), "/slow/1500").await);
    }
    sleep(SECOND / 3).await;
    program.signal("TERM");
    let drain = async || {
        let report = get(&program.url("/health?verbose")).await.text().await.unwrap();
        serde_json::from_str::<Value>(&report).unwrap()["checks"]["$drain"].clone()
    };
    for expected in [3, 0] {
        eventually("the count", async || {
            (drain().await["details"]["requests_in_flight"] == expected).then_some(())
        })
        .await;
    }
    // The plain report, which balancers get, stays as short as it is.
    let plain = get(&program.url("/readyz")).await.text().await.unwrap();
    assert!(plain.contains(r#""$drain":{"state":"unhealthy","message":"draining"}"#), "{plain}");
    assert!(program.end().await.success());
}
