//! What is asked over real sockets: a service whose state the test sets, programs that end with
//! the test, and a client.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::print_stderr, reason = "what was skipped, or went wrong, is for a person")]

#[cfg(unix)]
pub(crate) mod program;

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use reqwest::{Client, ClientBuilder, Method, Response};
use servicekit_health::{self as health, Check, CheckResult, Health, HealthBuilder};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is installed; `None`, said aloud, where it is not.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian has servers where not every user looks.
    let directories = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut places = directories.map(|directory| directory.join(name));
    places.find(|place| place.is_file()).or_else(|| missing(name))
}

/// The Python with what `tests/programs/install` has put beside it.
pub(crate) fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("programs/venv/bin/python");
    if python.is_file() { Some(python) } else { missing("the Python environment") }
}

/// The modules of Node that `tests/programs/install` has put beside it.
pub(crate) fn node_modules() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let modules = target.join("programs/node/node_modules");
    if modules.join("axe-core").is_dir() { Some(modules) } else { missing("axe-core") }
}

fn missing<T>(name: &str) -> Option<T> {
    assert!(env::var_os("CI").is_none(), "{name} is not installed: run tests/programs/install");
    // `eprintln` would keep it to itself unless the test fails.
    let test = std::thread::current();
    let test = test.name().unwrap_or_default();
    let line =
        format!("skipped {test}: {name} is not installed; tests/programs/install brings it\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// A process that ends with the test. What it said is shown if the test fails.
pub(crate) struct Process {
    child: Child,
    files: TempDir,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), command)
    }

    /// The directory with its files goes with it.
    pub(crate) fn start_in(files: TempDir, command: &mut Command) -> Self {
        let said = File::create(files.path().join("said")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, files }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.files.path().join(file)
    }

    /// What it has written so far, to either of its outputs.
    pub(crate) fn said(&self) -> String {
        fs::read(self.path("said")).map_or_else(
            |error| error.to_string(),
            |said| String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// `Some` once it has ended.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        if std::thread::panicking() {
            eprintln!("process {} ({killed:?}) said:\n{}", self.child.id(), self.said());
        }
        // A browser's helpers outlive it for a moment, and write.
        for _ in 0..100 {
            if fs::remove_dir_all(self.files.path()).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A running example program.
pub(crate) struct Example {
    process: Process,
    address: SocketAddr,
}

impl Example {
    /// With these variables, on a free port that it prints.
    pub(crate) async fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(Self::path(name));
        command.env("PORT", "0").envs(variables.iter().copied());
        let mut process = Process::start(&mut command);
        let address = eventually(name, async || {
            assert_eq!(process.status(), None, "it has ended: {}", process.said());
            let said = process.said();
            let (address, _) = said.split_once("http://")?.1.split_once('/')?;
            address.parse().ok()
        })
        .await;
        Self { process, address }
    }

    pub(crate) fn path(name: &str) -> PathBuf {
        // Tests are built into `deps`, beside `examples`.
        let own = env::current_exe().unwrap();
        let built = own.ancestors().nth(2).unwrap();
        let program = built.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
        assert!(program.is_file(), "run `cargo build --examples` first: no {}", program.display());
        program
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has written so far, to either of its outputs.
    pub(crate) fn said(&self) -> String {
        self.process.said()
    }
}

/// What an example's database check connects to.
pub(crate) struct Database {
    /// Keeps the port from everybody else while nobody listens.
    held: TcpSocket,
    listener: Option<TcpListener>,
}

impl Database {
    pub(crate) fn up() -> Self {
        let held = Self::bind(0);
        let socket = Self::bind(held.local_addr().unwrap().port());
        Self { held, listener: Some(socket.listen(1024).unwrap()) }
    }

    fn bind(port: u16) -> TcpSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, port).into()).unwrap();
        socket
    }

    pub(crate) fn goes_down(&mut self) {
        self.listener = None;
    }

    pub(crate) fn comes_back(&mut self) {
        let socket = Self::bind(self.held.local_addr().unwrap().port());
        self.listener = Some(socket.listen(1024).unwrap());
    }

    pub(crate) fn address(&self) -> String {
        self.held.local_addr().unwrap().to_string()
    }
}

/// A service with a `database` and a `redis`, both healthy until the test says otherwise.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    states: [Arc<Mutex<CheckResult>>; 2],
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder, Router::new()).await
    }

    /// With more settings, and with routes of the application.
    pub(crate) async fn start_with(
        settings: impl FnOnce(HealthBuilder) -> HealthBuilder,
        routes: Router,
    ) -> Self {
        let states = [(); 2].map(|()| Arc::new(Mutex::new(CheckResult::healthy())));
        let check = |name, state: &Arc<Mutex<CheckResult>>| {
            let state = Arc::clone(state);
            Check::new(name, move || {
                let result = state.lock().unwrap().clone();
                async move { result }
            })
        };
        let builder = health::builder()
            .cache(Duration::ZERO)
            .drain_delay(Duration::from_secs(2))
            .check(check("database", &states[0]))
            .check(check("redis", &states[1]));
        let health = settings(builder).build().unwrap();

        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let note = move |request: Request, next: Next| {
            let mut line =
                format!("{} {} {:?}", request.method(), request.uri(), request.version());
            for (name, value) in request.headers() {
                write!(line, "; {name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
            }
            noted.lock().unwrap().push(line);
            next.run(request)
        };
        let app = routes.merge(health.router()).layer(from_fn(note));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let serving = axum::serve(socket, app).with_graceful_shutdown(health.shutdown_signal());
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, health, states, asked, server }
    }

    pub(crate) fn database(&self, result: CheckResult) {
        *self.states[0].lock().unwrap() = result;
    }

    pub(crate) fn redis(&self, result: CheckResult) {
        *self.states[1].lock().unwrap() = result;
    }

    /// The requests until now: method, path, version and headers.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits for so many more requests that begin with this.
    pub(crate) async fn asked_again(&self, times: usize, beginning: &str) {
        let count = || self.asked().iter().filter(|line| line.starts_with(beginning)).count();
        let enough = count() + times;
        eventually(beginning, async || (count() >= enough).then_some(())).await;
    }

    /// Whether it has shut down.
    pub(crate) fn has_ended(&self) -> bool {
        self.server.is_finished()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Looks until there is something to see.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A client whose every request goes to this socket, whatever its address.
pub(crate) fn through(socket: &Path) -> Client {
    client_builder().unix_socket(socket).build().unwrap()
}

pub(crate) fn client() -> Client {
    client_builder().build().unwrap()
}

fn client_builder() -> ClientBuilder {
    Client::builder().no_proxy().read_timeout(PATIENCE)
}

pub(crate) async fn send(method: Method, url: &str) -> Response {
    client().request(method, url).send().await.unwrap()
}

pub(crate) async fn get(url: &str) -> Response {
    send(Method::GET, url).await
}

/// A stream of server-sent events, block by block as they come.
pub(crate) struct Events {
    response: Response,
    pending: String,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, pending: String::new() }
    }

    /// The next event or comment; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.pending.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.pending = rest;
                return Some(block);
            }
            let more = timeout(PATIENCE, self.response.chunk()).await.expect("a stream is silent");
            let more = more.expect("a stream is cut")?;
            self.pending.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    /// The next event, whatever comments come before it.
    pub(crate) async fn event(&mut self) -> Option<serde_json::Value> {
        loop {
            let block = self.next().await?;
            if let Some(json) = block.strip_prefix("data: ") {
                return Some(serde_json::from_str(json).unwrap());
            }
            assert_eq!(block, ":");
        }
    }
}
