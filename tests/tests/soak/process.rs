//! A service in a process of its own, and what the kernel says of it.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use crate::common::Process;
use crate::service::{GENERATION, PORT, SEED};
use crate::soak::Soak;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A port that is kept from everybody else while nobody serves it.
pub(crate) struct Port {
    _held: TcpSocket,
    pub(crate) address: SocketAddr,
}

impl Port {
    pub(crate) fn hold() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr()?;
        Ok(Self { _held: socket, address })
    }
}

/// A running service.
pub(crate) struct Running {
    process: Process,
    /// Where it answers on a thread of its own.
    pub(crate) beside: String,
}

impl Running {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(soak: &Soak, port: &Port, generation: u64) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.env(PORT, port.address.port().to_string());
        command.env(SEED, soak.seed.to_string()).env(GENERATION, generation.to_string());
        let mut process = Process::start(&mut command);
        soak.looks_at(process.id());
        let begin = Instant::now();
        while begin.elapsed() < START {
            if let Some(status) = process.status() {
                return Err(format!("the service ended with {status}: {}", tail(&process.said())));
            }
            let line =
                process.said().lines().find(|line| line.starts_with("http://")).map(str::to_owned);
            if let Some((_, beside)) = line.as_deref().and_then(|line| line.split_once("/ ")) {
                let beside = beside.trim_end_matches('/').to_owned();
                return Ok(Self { process, beside });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the service did not listen within {START:?}: {}", tail(&process.said())))
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status()?;
        if sent.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {sent}"))) }
    }

    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.process.status()
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self, most: Duration) -> Result<ExitStatus, String> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            if begin.elapsed() > most {
                return Err(format!("the service has not ended after {most:?}"));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it found itself, and panics that were not part of the soak.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let said = self.process.said();
        let is_complaint =
            |line: &&str| line.starts_with("violation: ") || line.contains("panicked at");
        said.lines().filter(is_complaint).map(str::to_owned).collect()
    }

    /// What it said on the way out, where it had the time to.
    pub(crate) fn last_state(&self) -> Option<Value> {
        let said = self.process.said();
        let last = said.lines().rev().find_map(|line| line.strip_prefix("final "))?;
        serde_json::from_str(last).ok()
    }

    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let directory = format!("/proc/{}", self.id());
        let status = fs::read_to_string(format!("{directory}/status"))?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let first = line.and_then(|line| line.split_whitespace().next());
            first.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Ok(Usage {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            files: u64::try_from(fs::read_dir(Path::new(&directory).join("fd"))?.count()).unwrap(),
        })
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

/// The end of what a service said.
fn tail(said: &str) -> String {
    let lines: Vec<_> = said.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
