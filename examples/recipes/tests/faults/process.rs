//! A server as a child process, with its data in a directory that goes with it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// The command for a directory and a port.
type Start = Box<dyn Fn(&Path, u16) -> Command + Send>;

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) dir: TempDir,
    command: Start,
    child: Option<Child>,
    firewall: Vec<&'static str>,
}

impl Server {
    /// Starts it on a free port; `command` is given the directory and the port.
    pub(crate) async fn start(
        dir: TempDir,
        command: impl Fn(&Path, u16) -> Command + Send + 'static,
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let command = Box::new(command);
        let mut server = Self { port, dir, command, child: None, firewall: Vec::new() };
        server.restart().await;
        server
    }

    /// The same data, to be started by another command.
    pub(crate) fn with_command(
        mut self,
        command: impl Fn(&Path, u16) -> Command + Send + 'static,
    ) -> Self {
        self.command = Box::new(command);
        self
    }

    /// Starts the ended server, with the data that it has.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::File::create(self.dir.path().join("server.log")).unwrap();
        let mut command = (self.command)(self.dir.path(), self.port);
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let log = self.dir.path().join("server.log");
            assert!(Instant::now() < end, "no start: {}", fs::read_to_string(log).unwrap());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal to the server and all its children.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id();
        let pids = std::iter::once(pid).chain(children(pid)).map(|pid| pid.to_string());
        Command::new("kill").arg(format!("-{signal}")).args(pids).output().unwrap();
    }

    /// Sends a signal to the server itself and waits for its end.
    pub(crate) fn end(&mut self, signal: &str) {
        let child = self.child.as_mut().unwrap();
        let pid = child.id().to_string();
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success()
        );
        child.wait().unwrap();
        self.child = None;
    }

    /// Kills the server and all its children.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.child.take().unwrap().wait().unwrap();
    }

    /// A rule of the firewall for the server's port: `DROP`, or `REJECT` with a reset.
    pub(crate) fn firewall(&mut self, target: &'static str) {
        self.iptables("-I", target);
        self.firewall.push(target);
    }

    pub(crate) fn open_firewall(&mut self) {
        while let Some(target) = self.firewall.pop() {
            self.iptables("-D", target);
        }
    }

    fn iptables(&self, action: &str, target: &str) {
        let port = self.port.to_string();
        let mut command = Command::new("iptables");
        command
            .args(["-w", action, "INPUT", "-i", "lo", "-p", "tcp", "--dport", &port, "-j", target]);
        if target == "REJECT" {
            command.args(["--reject-with", "tcp-reset"]);
        }
        assert!(command.status().unwrap().success(), "iptables needs root");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open_firewall();
        if self.child.is_some() {
            self.kill();
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let threads = format!("/proc/{parent}/task/{parent}/children");
    let listed = fs::read_to_string(threads).unwrap_or_default();
    listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether the test can run: its programs are there. In CI they must be.
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        !Command::new("which").arg(program).output().is_ok_and(|found| found.status.success())
    });
    let Some(missing) = missing else { return true };
    let text = format!("{missing} is missing: examples/recipes/run installs it");
    assert!(std::env::var_os("CI").is_none(), "{text}");
    println!("skipped: {text}");
    false
}

/// Whether a server written in Python can run: its package is there. In CI it must be.
pub(crate) fn have_python(module: &str) -> bool {
    let import = ["-c", &format!("import {module}")];
    if Command::new("python3").args(import).output().is_ok_and(|found| found.status.success()) {
        return true;
    }
    let text = format!("the Python package {module} is missing: examples/recipes/run installs it");
    assert!(std::env::var_os("CI").is_none(), "{text}");
    println!("skipped: {text}");
    false
}
