//! What all clients share: whether to go on, what was found, and what was counted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::Call;

/// The builder's default, which the service keeps.
pub(crate) const DEADLINE: Duration = Duration::from_millis(900);

/// How much later than promised is still in time, on a machine that holds nothing up.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How much later than on a listener an answer may be on the runtime that the checks block: what was
/// woken by the same worker waits for it.
const BLOCKED: Duration = Duration::from_millis(1200);

/// Whose thread an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Application,
    Listener,
}

/// After so many there is no need for more.
const FINDINGS: usize = 20;

pub(crate) struct Soak {
    pub(crate) seed: u64,
    stop: AtomicBool,
    findings: Mutex<Vec<String>>,
    pub(crate) tally: Tally,
    machine: Arc<Machine>,
}

/// What was done.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) hostile: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) watches: AtomicU64,
    pub(crate) scrapes: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) drained_streams: AtomicU64,
    /// Of the services that are gone.
    pub(crate) runs: AtomicU64,
    pub(crate) transitions: AtomicU64,
    /// By who answered.
    slowest: [Mutex<(Duration, String)>; 2],
}

impl Soak {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            stop: AtomicBool::new(false),
            findings: Mutex::default(),
            tally: Tally::default(),
            machine: Machine::start(),
        })
    }

    /// An invariant does not hold. The soak ends.
    #[allow(clippy::print_stderr, reason = "it is told when it happens, and again at the end")]
    pub(crate) fn finding(&self, text: impl Display) {
        let mut findings = self.findings.lock().unwrap();
        self.stop();
        if findings.len() < FINDINGS {
            let text = text.to_string();
            eprintln!("soak (seed {}): {text}", self.seed);
            findings.push(text);
        }
    }

    /// Keeps what is wrong, if something is.
    pub(crate) fn judge(&self, what: impl Display, judged: Result<(), String>) {
        if let Err(text) = judged {
            self.finding(format!("{what}: {text}"));
        }
    }

    pub(crate) fn findings(&self) -> Vec<String> {
        self.findings.lock().unwrap().clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// A service has this process, whose threads may have to wait.
    pub(crate) fn looks_at(&self, process: u32) {
        let mut services = self.machine.services.lock().unwrap();
        services.retain(|process| Path::new(&format!("/proc/{process}")).exists());
        services.push(process);
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    /// How much later than promised is in time, of what has taken this long by now: that, and three
    /// times what a thread has waited for a processor meanwhile.
    pub(crate) fn tolerance(&self, server: Server, took: Duration) -> Duration {
        let blocked = if server == Server::Application { BLOCKED } else { Duration::ZERO };
        TOLERANCE + blocked + 3 * self.machine.worst(took)
    }

    /// Whether what was promised within `promised` has taken too long; gives back the most it may
    /// take.
    pub(crate) fn is_late(
        &self,
        server: Server,
        took: Duration,
        promised: Duration,
    ) -> Option<Duration> {
        // Looking at the machine costs more than all that is in time should.
        (took > promised + TOLERANCE)
            .then(|| promised + self.tolerance(server, took))
            .filter(|most| took > *most)
    }

    /// An answer that is due within the deadline took this long.
    pub(crate) fn answered(&self, call: &Call) {
        let Call { server, ref what, begin, .. } = *call;
        let took = begin.elapsed();
        Tally::count(&self.tally.requests);
        let mut slowest = self.tally.slowest[server as usize].lock().unwrap();
        if took > slowest.0 {
            *slowest = (took, what.clone());
        }
        drop(slowest);
        if let Some(most) = self.is_late(server, took, DEADLINE) {
            self.finding(format!("{what} was answered after {took:?}, later than {most:?}"));
        }
    }
}

impl Tally {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn slowest(&self, server: Server) -> (Duration, String) {
        self.slowest[server as usize].lock().unwrap().clone()
    }
}

/// How long the threads of the processes that are looked at have waited for a processor: what the
/// machine, and nobody else, is to blame for.
#[derive(Default)]
struct Machine {
    /// When, and what each thread had waited in all by then.
    looks: Mutex<VecDeque<(Instant, Waits)>>,
    services: Mutex<Vec<u32>>,
}

type Waits = BTreeMap<String, Duration>;

impl Machine {
    const EVERY: Duration = Duration::from_millis(250);
    /// Longer than anything takes that is measured.
    const MEMORY: Duration = Duration::from_secs(30);

    fn start() -> Arc<Self> {
        let machine = Arc::<Self>::default();
        let looking = Arc::clone(&machine);
        thread::spawn(move || {
            loop {
                let waits = looking.waits();
                let mut looks = looking.looks.lock().unwrap();
                looks.push_back((Instant::now(), waits));
                while looks.front().is_some_and(|(at, _)| at.elapsed() > Self::MEMORY) {
                    looks.pop_front();
                }
                drop(looks);
                thread::sleep(Self::EVERY);
            }
        });
        machine
    }

    fn waits(&self) -> Waits {
        let services = self.services.lock().unwrap().clone();
        let mut waits = Waits::new();
        for process in services.into_iter().chain([process::id()]) {
            // One that is gone waits for nothing.
            let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
            for thread in threads.flatten() {
                let path = thread.path().join("schedstat");
                let times = fs::read_to_string(&path).unwrap_or_default();
                let waited = times.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
                let waited = Duration::from_nanos(waited.unwrap_or_default());
                waits.insert(path.to_string_lossy().into_owned(), waited);
            }
        }
        waits
    }

    /// The longest that a thread has waited in this time.
    fn worst(&self, time: Duration) -> Duration {
        let now = self.waits();
        let looks = self.looks.lock().unwrap();
        let before = looks.iter().rev().find(|(at, _)| at.elapsed() >= time).or(looks.front());
        let before = before.map(|(_, waits)| waits);
        let waited = |(thread, now): (&String, &Duration)| {
            let before = before.and_then(|waits| waits.get(thread)).copied().unwrap_or_default();
            now.saturating_sub(before)
        };
        now.iter().map(waited).max().unwrap_or_default()
    }
}
