//! A program of this package, in a process of its own, and the signals that end it.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::{Process, eventually};

pub(crate) struct Program {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Program {
    /// With these variables, on a free port that it prints.
    pub(crate) async fn start(executable: &str, variables: &[(&str, &str)]) -> Self {
        let process = Process::start(Command::new(executable).envs(variables.iter().copied()));
        let address = eventually("the address", async || {
            let said = process.said();
            Some(said.split_once("http://")?.1.split_once('/')?.0.to_owned())
        })
        .await;
        Self { process, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `kill` of the shell: what an orchestrator does. The signal arrives between the two moments.
    pub(crate) fn signal(&self, name: &str) -> (Instant, Instant) {
        let before = Instant::now();
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
        (before, Instant::now())
    }

    pub(crate) async fn end(&mut self) -> ExitStatus {
        eventually("the end of the process", async || self.process.status()).await
    }

    pub(crate) async fn is_alive_for(&mut self, time: Duration) {
        sleep(time).await;
        assert_eq!(self.process.status(), None, "{}", self.process.said());
    }

    /// Waits until it has said this.
    pub(crate) async fn says(&self, text: &str) {
        eventually(text, async || self.process.said().contains(text).then_some(())).await;
    }

    /// Sends a request over a socket of its own.
    pub(crate) async fn send(&self, socket: TcpSocket, path: &str) -> TcpStream {
        let mut stream = socket.connect(self.address.parse().unwrap()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}
