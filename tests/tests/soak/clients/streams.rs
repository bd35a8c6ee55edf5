//! Readers of event streams: some to the end, some not, and some that hardly read.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use super::{Call, Visitor};
use crate::judge;
use crate::service::checks;
use crate::soak::{DEADLINE, Server, Tally};

/// After this much silence there is a comment.
const SILENCE: Duration = Duration::from_secs(4);

/// How a stream came to its end.
enum End {
    /// The service ended it.
    Closed,
    /// The reader has gone.
    Left,
    /// The connection broke, or something was wrong and has been told.
    Broken,
}

/// Opens streams of every sort, reads each for a while, and leaves in the middle.
pub(super) async fn reads(mut visitor: Visitor) {
    let names = checks::names();
    while visitor.soak.goes_on() {
        let rng = &mut visitor.rng;
        let mut query =
            vec![format!("poll_interval={}", ["0.1", "0.25", "1", "2"][rng.usize(..4)])];
        let limit = (rng.u8(..4) == 0).then(|| rng.u64(1..6));
        query.extend(limit.map(|limit| format!("limit={limit}")));
        if rng.u8(..3) == 0 {
            query.push("on=change".to_owned());
        }
        if rng.u8(..3) == 0 {
            query.push("verbose".to_owned());
        }
        match rng.u8(..4) {
            0 => query.push(format!("check={}", names[rng.usize(..names.len())])),
            1 => query.push("tag=odd".to_owned()),
            _ => {}
        }
        let path = format!("/health/$stream?{}", query.join("&"));
        let what = format!("{} GET {path}", visitor.target.role);
        let leaves = Instant::now() + Duration::from_millis(rng.u64(100..8000));
        let call = Call::new(&visitor, Server::Application, what);
        let url = visitor.target.url(&path);
        if let Some(response) = visitor.send(&call, Method::GET, url, None).await {
            Tally::count(&visitor.soak.tally.streams);
            Reader { visitor: &visitor, call, leaves, limit, events: 0, drained: false }
                .read(response)
                .await;
        }
        visitor.pause(200).await;
    }
}

/// One stream.
struct Reader<'a> {
    visitor: &'a Visitor,
    call: Call,
    leaves: Instant,
    limit: Option<u64>,
    events: u64,
    /// The last event said so.
    drained: bool,
}

impl Reader<'_> {
    async fn read(mut self, response: Response) {
        let code = response.status();
        if code != 200 {
            let body = response.text().await.unwrap_or_default();
            return self.finding(format!("refused with {code}: {body}"));
        }
        match self.events(response).await {
            End::Left | End::Broken => {}
            // Whatever happens to the service, a stream that it ends is one that it has drained.
            End::Closed if self.limit == Some(self.events) => {}
            End::Closed if self.drained => {
                Tally::count(&self.visitor.soak.tally.drained_streams);
            }
            End::Closed => self.finding("ended without `$drain`"),
        }
    }

    fn finding(&self, text: impl Display) {
        self.visitor
            .soak
            .finding(format!("{}: {text}, after {} events", self.call.what, self.events));
    }

    async fn events(&mut self, mut response: Response) -> End {
        let soak = &self.visitor.soak;
        let mut pending = Vec::new();
        let mut heard = Instant::now();
        loop {
            let silence = heard.elapsed();
            let late = soak.is_late(Server::Application, silence, SILENCE + DEADLINE);
            if let Some(most) = late {
                self.finding(format!("silent for {silence:?}, longer than {most:?}"));
                return End::Broken;
            }
            // What drains is read to its end: that is what matters.
            let over = Instant::now() >= self.leaves || !soak.goes_on();
            if over && self.visitor.target.may_leave(self.call.epoch) {
                return End::Left;
            }
            let chunk = match timeout(Duration::from_millis(500), response.chunk()).await {
                Err(_) => continue,
                Ok(Ok(None)) => return End::Closed,
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Err(error)) => {
                    self.visitor.failed(self.call.epoch, &self.call.what, &error);
                    return End::Broken;
                }
            };
            heard = Instant::now();
            pending.extend_from_slice(&chunk);
            // A chunk may end within a character, a block does not.
            while let Some(end) = pending.windows(2).position(|two| two == b"\n\n") {
                self.block(&String::from_utf8_lossy(&pending[..end]));
                pending.drain(..end + 2);
            }
        }
    }

    fn block(&mut self, block: &str) {
        let Some(data) = block.strip_prefix("data: ") else {
            if block != ":" {
                self.finding(format!("no event and no comment: {block:?}"));
            }
            return;
        };
        if self.drained {
            self.finding("an event after `$drain`");
        }
        self.events += 1;
        Tally::count(&self.visitor.soak.tally.events);
        match judge::report(data, None) {
            Ok(drained) => self.drained = drained,
            Err(error) => self.finding(error),
        }
        if self.drained && !self.visitor.target.may_drain {
            self.finding("`$drain` without a drain");
        }
        if self.limit.is_some_and(|limit| self.events > limit) {
            self.finding("more events than its limit");
        }
    }
}

/// Asks for much, and takes it in small pieces, for a while.
pub(super) async fn reads_slowly(mut visitor: Visitor) {
    while visitor.soak.goes_on() {
        let leaves = Instant::now() + Duration::from_millis(visitor.rng.u64(1000..6000));
        // It is about what the service holds meanwhile; what arrives is judged elsewhere.
        let _ = slow(&visitor, leaves).await;
        visitor.pause(300).await;
    }
}

async fn slow(visitor: &Visitor, leaves: Instant) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(2048)?;
    let mut stream = socket.connect(visitor.target.address.parse().unwrap()).await?;
    let request = "GET /health/$stream?poll_interval=0.1&verbose HTTP/1.1\r\nhost: soak\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    visitor.soak.tally.streams.fetch_add(1, Ordering::Relaxed);
    let mut piece = [0; 256];
    while visitor.soak.goes_on() && Instant::now() < leaves {
        sleep(Duration::from_millis(50)).await;
        if let Ok(read) = timeout(Duration::from_millis(500), stream.read(&mut piece)).await
            && read? == 0
        {
            break;
        }
    }
    Ok(())
}
