//! Clients that keep their connections and retry nothing, so every request that is lost is seen.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::common::eventually;

const CLIENTS: usize = 8;

/// Of each client, from an answer to the next request.
const PAUSE: Duration = Duration::from_millis(20);

/// An instance without a request for this long, while the others have dozens, gets none.
const SILENCE: Duration = Duration::from_millis(500);

/// One connection, opened anew once an answer has said `connection: close`. One that is closed without
/// notice is an error, as a client may be about to write to it.
#[derive(Default)]
pub(crate) struct Client(Option<SendRequest<Empty<Bytes>>>);

impl Client {
    /// The status, and which instance has answered.
    pub(crate) async fn ask(
        &mut self,
        address: SocketAddr,
        method: &Method,
    ) -> Result<(StatusCode, String), Box<dyn Error + Send + Sync>> {
        let request = Request::builder().method(method).uri("/work").header(HOST, "app");
        let sender = match &mut self.0 {
            Some(sender) => sender,
            none => {
                let stream = TokioIo::new(TcpStream::connect(address).await?);
                let (sender, connection) = handshake(stream).await?;
                tokio::spawn(connection);
                none.insert(sender)
            }
        };
        sender.ready().await?;
        let answer = sender.send_request(request.body(Empty::new())?).await?;
        let last = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
        if last {
            self.0 = None;
        }
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

#[derive(Default)]
struct Seen {
    served: BTreeMap<String, usize>,
    failed: Vec<String>,
}

/// Requests one after the other, with these methods in turn.
pub(crate) struct Load {
    address: Arc<Mutex<SocketAddr>>,
    seen: Arc<Mutex<Seen>>,
    start: Instant,
    _clients: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, methods: &[Method]) -> Self {
        let address = Arc::new(Mutex::new(address));
        let seen = Arc::<Mutex<Seen>>::default();
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (address, seen) = (Arc::clone(&address), Arc::clone(&seen));
            let methods = methods.to_vec();
            clients.spawn(async move {
                let mut client = Client::default();
                for method in methods.iter().cycle() {
                    let address = *address.lock().unwrap();
                    let answer = timeout(Duration::from_secs(5), client.ask(address, method)).await;
                    let failure = match answer {
                        Ok(Ok((StatusCode::OK, by))) => {
                            *seen.lock().unwrap().served.entry(by).or_default() += 1;
                            None
                        }
                        Ok(Ok((status, body))) => Some(format!("{status} {body}")),
                        Ok(Err(error)) => Some(format!("{error}: {:?}", error.source())),
                        Err(error) => Some(error.to_string()),
                    };
                    if let Some(failure) = failure {
                        let failure = format!("{method} after {:?}: {failure}", start.elapsed());
                        seen.lock().unwrap().failed.push(failure);
                        client = Client::default();
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Self { address, seen, start, _clients: clients }
    }

    /// New connections go there from now on; those that are open stay where they are.
    pub(crate) fn moves_to(&self, address: SocketAddr) {
        *self.address.lock().unwrap() = address;
    }

    fn served_by(&self, instance: &str) -> usize {
        self.seen.lock().unwrap().served.get(instance).copied().unwrap_or_default()
    }

    fn served(&self) -> usize {
        self.seen.lock().unwrap().served.values().sum()
    }

    /// Waits until this instance gets no requests.
    pub(crate) async fn leaves(&self, instance: &str) {
        let (mut before, mut since) = (self.served_by(instance), Instant::now());
        eventually(&format!("no requests for {instance}"), async || {
            let now = self.served_by(instance);
            if now > before {
                (before, since) = (now, Instant::now());
            }
            (since.elapsed() >= SILENCE).then_some(())
        })
        .await;
    }

    /// Waits until this instance gets requests.
    pub(crate) async fn reaches(&self, instance: &str) {
        let before = self.served_by(instance);
        let look = async || (self.served_by(instance) > before + 5).then_some(());
        eventually(&format!("requests for {instance}"), look).await;
    }

    /// For this time, at least every fourth request goes to this instance.
    pub(crate) async fn keeps_reaching(&self, instance: &str, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            let before = (self.served_by(instance), self.served());
            sleep(SILENCE).await;
            let (own, all) = (self.served_by(instance) - before.0, self.served() - before.1);
            assert!(own * 4 >= all && own > 0, "{instance} had {own} of {all} requests");
        }
    }

    pub(crate) fn failed(&self) -> Vec<String> {
        self.seen.lock().unwrap().failed.clone()
    }

    /// Every GET has been answered with 200, and every POST but, for each client, one at most.
    #[allow(clippy::print_stdout, reason = "the figure is for a person")]
    pub(crate) fn lost_no_get(self) {
        let (failed, served) = (self.failed(), self.served());
        let posts = failed.iter().filter(|failure| failure.starts_with("POST ")).count();
        assert!(posts == failed.len() && posts <= CLIENTS, "{failed:?}");
        assert!(served > 50);
        println!("no GET and {posts} POSTs of {served} requests lost");
    }

    /// All of them have been answered with 200.
    #[allow(clippy::print_stdout, reason = "the figure is for a person")]
    pub(crate) fn lost_nothing(self) {
        let (served, time) = (self.served(), self.start.elapsed());
        assert_eq!(self.failed(), [""; 0], "of {served} requests in {time:?}");
        assert!(served > 50, "{served} requests in {time:?} test nothing");
        // For who runs it with `--nocapture`.
        println!("none of {served} requests lost in {time:?}");
    }
}
