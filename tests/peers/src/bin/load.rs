//! The load of this comparison. Prints one line of JSON, and for streams a line `open` before it.
//!
//! ```text
//! load requests    ADDRESS PATH CONNECTIONS SECONDS   as fast as the answers come
//! load connections ADDRESS PATH COUNT                 one request each, one after another
//! load latency     ADDRESS PATH RATE SECONDS          at a fixed rate
//! load streams     ADDRESS PATH COUNT SECONDS         then holds them until its input ends
//! ```

use std::io::{self, Error, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Clients at a fixed rate, each on a thread and connection of its own: one that waits for a slow
/// answer is late with its next request, and the time that it is late counts.
const CLIENTS: u32 = 8;

type Client = SendRequest<Empty<Bytes>>;

#[derive(Clone)]
struct Target {
    address: SocketAddr,
    path: Arc<str>,
}

impl Target {
    async fn connect(&self) -> io::Result<Client> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let (client, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(Error::other)?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// One answer, to its last byte.
    async fn ask(&self, client: &mut Client, connection: &str) -> io::Result<()> {
        client.ready().await.map_err(Error::other)?;
        let request = Request::get(&*self.path)
            .header(header::HOST, "peers")
            .header(header::CONNECTION, connection)
            .body(Empty::new())
            .map_err(Error::other)?;
        let response = client.send_request(request).await.map_err(Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(Error::other(format!("{} answered {}", self.path, response.status())));
        }
        response.into_body().collect().await.map_err(Error::other)?;
        Ok(())
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The answers, and the time that they took from the first request to the last answer.
async fn requests(target: Target, connections: usize, time: Duration) -> io::Result<String> {
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..connections {
        let (target, mut client) = (target.clone(), target.connect().await?);
        clients.push(tokio::spawn(async move {
            let mut answered = 0_u64;
            while begin.elapsed() < time {
                target.ask(&mut client, "keep-alive").await?;
                answered += 1;
            }
            io::Result::Ok(answered)
        }));
    }
    let mut answered = 0;
    for client in clients {
        answered += client.await??;
    }
    Ok(format!(r#"{{"answered":{answered},"seconds":{}}}"#, begin.elapsed().as_secs_f64()))
}

async fn connections(target: Target, count: u64) -> io::Result<String> {
    let begin = Instant::now();
    for _ in 0..count {
        let mut client = target.connect().await?;
        target.ask(&mut client, "close").await?;
    }
    Ok(format!(r#"{{"answered":{count},"seconds":{}}}"#, begin.elapsed().as_secs_f64()))
}

/// The share `of` of the values is at most this.
fn quantile(values: &mut [Duration], of: f64) -> f64 {
    values.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = (values.len() as f64 * of) as usize;
    values.get(index.min(values.len().saturating_sub(1))).map_or(f64::NAN, Duration::as_secs_f64)
}

/// Latencies count from the moment at which a request was due. Threads, because tokio's timers are
/// no finer than a millisecond.
fn latency(target: &Target, rate: u32, time: Duration) -> io::Result<String> {
    let every = Duration::from_secs(1) * CLIENTS / rate;
    let begin = Instant::now() + Duration::from_millis(50);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            let target = target.clone();
            thread::spawn(move || -> io::Result<Vec<Duration>> {
                let runtime = runtime()?;
                let mut client = runtime.block_on(target.connect())?;
                let mut due = begin + every * index / CLIENTS;
                let mut latencies = Vec::new();
                while due < begin + time {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    runtime.block_on(target.ask(&mut client, "keep-alive"))?;
                    latencies.push(due.elapsed());
                    due += every;
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.join().map_err(|_| Error::other("a client panicked"))??);
    }
    let (p50, p99) = (quantile(&mut latencies, 0.5), quantile(&mut latencies, 0.99));
    Ok(format!(r#"{{"answered":{},"p50":{p50},"p99":{p99}}}"#, latencies.len()))
}

/// A stream that was open until the end, and when its events came.
type Stream = (TcpStream, Vec<Instant>);

/// Reads until nobody waits for a first event any more.
async fn read(
    mut socket: TcpStream,
    first: mpsc::Sender<()>,
    ended: mpsc::UnboundedSender<Stream>,
) {
    let mut buffer = vec![0; 4096];
    let mut events = Vec::new();
    loop {
        tokio::select! {
            read = socket.read(&mut buffer) => match read {
                Ok(1..) if buffer.windows(5).any(|part| part == b"data:") => {
                    events.push(Instant::now());
                    if events.len() == 1 && first.send(()).await.is_err() {
                        return;
                    }
                }
                Ok(1..) => {}
                _ => return,
            },
            () = first.closed() => break,
        }
    }
    // An error says that the measurement is over.
    let _ = ended.send((socket, events));
}

/// The result, and the sockets, which stay open for whoever measures the server's memory.
async fn streams(
    target: &Target,
    count: usize,
    time: Duration,
) -> io::Result<(String, Vec<TcpStream>)> {
    let request = format!("GET {} HTTP/1.1\r\nhost: peers\r\n\r\n", target.path);
    let (first, mut firsts) = mpsc::channel(count.max(1));
    let (ended, mut all_ended) = mpsc::unbounded_channel();
    for _ in 0..count {
        let mut socket = TcpStream::connect(target.address).await?;
        socket.write_all(request.as_bytes()).await?;
        tokio::spawn(read(socket, first.clone(), ended.clone()));
    }
    drop((first, ended));
    for open in 0..count {
        let Ok(Some(())) = timeout(Duration::from_secs(30), firsts.recv()).await else {
            return Err(Error::other(format!("{open} of {count} streams sent an event")));
        };
    }
    // Streams that were opened together have their ticks together: none at the edge of the window.
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("open");
    io::stdout().flush()?;
    let begin = Instant::now();
    tokio::time::sleep(time).await;
    firsts.close();
    let (mut sockets, mut events, mut distances) = (Vec::new(), 0, Vec::new());
    while let Some((socket, mut times)) = all_ended.recv().await {
        times.retain(|time| *time >= begin);
        events += times.len();
        distances.extend(from_ticks(&times));
        sockets.push(socket);
    }
    if sockets.len() < count {
        return Err(Error::other(format!("{} of {count} streams stayed open", sockets.len())));
    }
    let p99 = quantile(&mut distances, 0.99);
    Ok((format!(r#"{{"events":{events},"p99":{p99}}}"#), sockets))
}

/// How late each event is on a grid of one second, which the promptest event of the stream sets.
fn from_ticks(times: &[Instant]) -> Vec<Duration> {
    let Some(first) = times.first() else { return Vec::new() };
    let late: Vec<f64> = times
        .iter()
        .map(|time| {
            let passed = time.duration_since(*first).as_secs_f64();
            passed - passed.round()
        })
        .collect();
    let promptest = late.iter().copied().fold(f64::INFINITY, f64::min);
    late.into_iter().map(|late| Duration::from_secs_f64(late - promptest)).collect()
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let usage = || Error::other("expected MODE ADDRESS PATH and the numbers of the mode");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, address, path, numbers @ ..] = &*arguments else { return Err(usage()) };
    let target =
        Target { address: address.parse().map_err(Error::other)?, path: path.as_str().into() };
    let numbers: Result<Vec<u32>, _> = numbers.iter().map(|number| number.parse()).collect();
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let result = match (&**mode, &*numbers.map_err(Error::other)?) {
        ("requests", &[count, time]) => {
            runtime()?.block_on(requests(target, count as usize, seconds(time)))
        }
        ("connections", &[count]) => runtime()?.block_on(connections(target, count.into())),
        ("latency", &[rate, time]) if rate > 0 => latency(&target, rate, seconds(time)),
        ("streams", &[count, time]) => {
            let runtime = runtime()?;
            let (result, _open) =
                runtime.block_on(streams(&target, count as usize, seconds(time)))?;
            println!("{result}");
            io::stdin().read_to_end(&mut Vec::new())?;
            return Ok(());
        }
        _ => Err(usage()),
    }?;
    println!("{result}");
    Ok(())
}
