//! The service as a process, asked over HTTP.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Which no answer may hold.
pub(crate) const PASSWORD: &str = "geheim-7x";

/// From a fault to the state that it causes: a success is fresh for 1 s, a check has 800 ms, and this
/// machine may be busy. The same for the way back.
const BOUND: Duration = Duration::from_secs(8);

const TOKEN: &str = "swordfish";

pub(crate) struct Service {
    address: String,
    child: Child,
    _files: TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Service {
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let said = files.path().join("said");
        let sqlite = format!("sqlite:{}?mode=rwc", files.path().join("incidents.db").display());
        let child = Command::new(env!("CARGO_BIN_EXE_monitoring_api"))
            .envs([("API_TOKEN", TOKEN), ("DATABASE_URL", &*sqlite)])
            .envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("HEALTH_PORT", "")])
            .envs([("REDIS_URL", ""), ("UPSTREAM_URL", "")])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&said).unwrap())
            .stderr(fs::File::create(files.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { address: String::new(), child, _files: files };
        let start = Instant::now();
        while service.address.is_empty() {
            assert!(start.elapsed() < BOUND, "it does not start");
            sleep(Duration::from_millis(20)).await;
            let said = fs::read_to_string(&said).unwrap();
            if let Some((address, _)) =
                said.strip_prefix("api http://").unwrap_or("").split_once('\n')
            {
                address.clone_into(&mut service.address);
            }
        }
        service.becomes("/readyz", |answer| answer.code == 200).await;
        service
    }

    /// One request, on a connection of its own.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        ask(self.address.clone(), path.to_owned()).await
    }

    /// Asks until the answer is as wanted; how long that took.
    pub(crate) async fn becomes(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Duration {
        let start = Instant::now();
        loop {
            let asked = Instant::now();
            let answer = self.ask(path).await;
            // The deadline is 900 ms.
            if path == "/health" {
                let took = asked.elapsed();
                assert!(took < Duration::from_millis(1500), "an answer took {took:?}");
            }
            if wanted(&answer) {
                return start.elapsed();
            }
            assert!(start.elapsed() < BOUND, "in vain; the last answer is {answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until this check says this on `/health`.
    pub(crate) async fn says(&self, check: &str, state: &str, cause: &str) -> Duration {
        self.becomes("/health", |answer| {
            let (now, message) = answer.check(check);
            now == state && message.contains(cause)
        })
        .await
    }

    /// Waits until this check is not in this state.
    pub(crate) async fn leaves(&self, check: &str, state: &str) -> Duration {
        self.becomes("/health", |answer| answer.check(check).0 != state).await
    }

    /// Traffic stays, and the header says how the service is.
    pub(crate) async fn stays_ready(&self, state: &str) {
        let answer = self.ask("/readyz").await;
        assert_eq!(answer.code, 200, "{answer:?}");
        assert!(answer.head.contains(&format!("x-health-status: {state}")), "{answer:?}");
        assert_eq!(self.ask("/livez").await.code, 200);
    }

    /// Many callers at once are served: no connection of the pool is lost.
    pub(crate) async fn serves_many(&self) {
        self.becomes("/api/incidents", |answer| answer.code == 200).await;
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..30 {
            callers.spawn(ask(self.address.clone(), "/api/incidents".to_owned()));
        }
        for answer in callers.join_all().await {
            assert_eq!(answer.code, 200, "{answer:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

async fn ask(address: String, path: String) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map(|_| text)
    };
    let text = timeout(BOUND, exchange).await.expect("no answer").expect("a broken answer");
    assert!(!text.contains(PASSWORD), "the password is in {text}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_owned(), body: body.to_owned() }
}

impl Answer {
    /// The state and the message of a check.
    fn check(&self, name: &str) -> (String, String) {
        let report: Value = serde_json::from_str(&self.body).unwrap();
        let text = |key| report["checks"][name][key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("message"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of a fault.
pub(crate) fn tell(fault: &str, noticed: Duration, recovered: Duration) {
    let (noticed, recovered) = (noticed.as_secs_f64(), recovered.as_secs_f64());
    println!("{fault}: noticed after {noticed:.1} s, over {recovered:.1} s after its end");
}
