//! A service whose checks the test controls, and the programs around it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use servicekit_health::{self as health, Check, CheckResult, Health, HealthState};

/// A service with a healthy database, and a redis as the test wants it.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    redis: Arc<AtomicUsize>,
}

impl Service {
    /// Serves health, and beside it what `app` adds.
    pub(crate) async fn start(app: impl FnOnce(Router) -> Router) -> Self {
        let redis = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&redis);
        let check = Check::new("redis", move || {
            let result = match HealthState::ALL[seen.load(Ordering::Relaxed)] {
                HealthState::Healthy => CheckResult::healthy(),
                HealthState::Degraded => CheckResult::degraded("one replica left"),
                HealthState::Unhealthy => CheckResult::unhealthy("Connection refused"),
            };
            async move { result }
        });
        let health = health::builder()
            .check(Check::new("database", || async {}).tags(["storage"]))
            .check(check.tags(["storage", "cache"]).cache(Duration::from_millis(50)))
            .service("shop", "1.2.3")
            .build()
            .unwrap();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let app = app(Router::new().merge(health.router()));
        tokio::spawn(async move { axum::serve(socket, app).await });
        Self { address, health, redis }
    }

    pub(crate) fn set(&self, state: HealthState) {
        self.redis.store(state as usize, Ordering::Relaxed);
    }
}

/// Where a program is. `None`, with a line, where it is missing; in CI that is a failure.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/programs/python/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![python, PathBuf::from("/usr/sbin")];
    folders.extend(std::env::split_paths(&path));
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is missing: run tests/programs/install");
        // Not `println`, which a test keeps to itself unless it fails.
        let line = format!("skipped: {name} is missing; tests/programs/install brings it\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// The interpreter that the Python clients are installed for; never the system's own.
pub(crate) fn python() -> Option<PathBuf> {
    program("schemathesis").map(|tool| tool.with_file_name("python"))
}

/// A program in the foreground, ended with the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of the test's own, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A port for a program that cannot be given port 0.
pub(crate) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// The answer to a request, head and body, as far as it comes within a second of silence.
pub(crate) fn ask(port: u16, request: &str) -> String {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = format!("{request}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits until `probe` gives something, off the runtime's threads.
pub(crate) async fn eventually<T: Send + 'static>(
    what: &str,
    probe: impl Fn() -> Option<T> + Send + 'static,
) -> T {
    const PATIENCE: Duration = Duration::from_secs(30);

    let found = tokio::task::spawn_blocking(move || {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(found) = probe() {
                return Some(found);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    });
    found.await.unwrap().unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}
