//! The commands `healthcheck` and `watch`, as processes that connect to real sockets.

#[path = "../common/mod.rs"]
mod common;

mod command;
#[cfg(unix)]
mod pty;
#[cfg(unix)]
mod table;
mod watch;

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use servicekit_health::{self as health, Check, CheckResult, Health};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

/// A service that calls `answer`.
const SERVICE: &str = env!("CARGO_BIN_EXE_answers");
/// The stand-alone program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_servicekit-health-under-test");

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
}

impl Outcome {
    #[track_caller]
    fn passed_with(&self, text: &str) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        assert!(self.stdout.contains(text), "{text:?} is not in {:?}", self.stdout);
    }

    #[track_caller]
    fn failed_with(&self, text: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        assert!(self.stderr.contains(text), "{text:?} is not in {:?}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
    }

    #[track_caller]
    fn took_between(&self, min: Duration, max: Duration) {
        assert!((min..max).contains(&self.took), "{:?}", self.took);
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

async fn finish(mut command: Command) -> Outcome {
    let started = Instant::now();
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: started.elapsed(),
    }
}

async fn run(program: &str, arguments: &[&str]) -> Outcome {
    finish(command(program, arguments)).await
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// The result that a check returns from now on.
type Switch = Arc<Mutex<CheckResult>>;

fn switch(result: impl Into<CheckResult>) -> Switch {
    Arc::new(Mutex::new(result.into()))
}

fn set(switch: &Switch, result: impl Into<CheckResult>) {
    *switch.lock().unwrap() = result.into();
}

fn redis(switch: &Switch) -> Health {
    let switch = Arc::clone(switch);
    let redis = Check::new("redis", move || {
        let result = switch.lock().unwrap().clone();
        async move { result }
    });
    let builder = health::builder().check(redis).cache(Duration::ZERO);
    builder.drain_delay(Duration::from_millis(1200)).build().unwrap()
}

async fn service(result: impl Into<CheckResult>) -> String {
    let (listener, url) = listen().await;
    serve(listener, redis(&switch(result)).router());
    url
}

/// Answers every connection with `head`, then with `endless` again and again unless it is empty.
async fn raw(head: &'static [u8], endless: &'static [u8], then: Then) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_request(&mut socket).await;
                let mut result = socket.write_all(head).await;
                while result.is_ok() && !endless.is_empty() {
                    result = socket.write_all(endless).await;
                }
                if then == Then::Stay {
                    let _ = socket.read_u8().await;
                }
            });
        }
    });
    url
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    Stay,
}

/// Reads a request to its end, so that closing the socket resets nothing.
async fn read_request(socket: &mut TcpStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") && socket.read_buf(&mut read).await.is_ok_and(|n| n > 0) {}
}
