//! What a run does: drawn from the seed, the check's name and the number of the run.
//!
//! A check keeps a mood for a few runs, so that thresholds are passed and states last. What hangs
//! does so in some periods only, so that in the others answers come at once.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use servicekit_health::CheckResult;
use tokio::time::sleep;

use super::ledger::{Book, Ledger};

pub(crate) type Outcome = Result<CheckResult, Box<dyn Error + Send + Sync>>;

/// In every message that could leak it; no answer may contain it.
pub(crate) const SECRET: &str = "hunter2";

/// Panics that are part of the soak begin so.
pub(super) const CHAOS: &str = "chaos";

/// How many runs a mood lasts.
const MOOD: u64 = 8;

const BETWEEN_BLOCKS: Duration = Duration::from_secs(2);

/// How long it takes until checks may begin to hang, or none does any more.
const WEATHER: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Pause {
    No,
    Wait(Duration),
    /// Of the thread that the run is on.
    Block(Duration),
    Forever,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Healthy,
    Degraded,
    Unhealthy,
    Refused,
    Chain,
    DisplayPanics,
    DropPanics,
    Panic,
    Big,
}

const FAILURES: [End; 8] = [
    End::Degraded,
    End::Unhealthy,
    End::Refused,
    End::Chain,
    End::DisplayPanics,
    End::DropPanics,
    End::Panic,
    End::Big,
];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Ledger {
    /// Whether a check may block its thread for this time: one at a time, and with a pause between
    /// them, so that no answer is held up twice.
    fn may_block(&self, time: Duration) -> bool {
        let now = Instant::now();
        let mut next = self.next_block.lock().unwrap();
        let may = next.is_none_or(|next| now >= next);
        if may {
            *next = Some(now + time + BETWEEN_BLOCKS);
        }
        may
    }

    fn act(&self, book: &Book, run: u64) -> (Pause, End) {
        if self.is_calm.load(Ordering::Relaxed) {
            return (Pause::No, End::Healthy);
        }
        let rng = |what: &str, number: u64| {
            let mut hasher = DefaultHasher::new();
            (self.seed, what, number).hash(&mut hasher);
            Rng::with_seed(hasher.finish())
        };
        let is_stormy = rng("weather", self.began.elapsed().as_secs() / WEATHER).u8(..3) == 0;
        let mood = rng(&book.name, run / MOOD).u8(..10);
        let rng = &mut rng(&book.name, run + (1 << 32));
        match mood {
            7.. if !is_stormy => (Pause::No, if rng.bool() { End::Healthy } else { failure(rng) }),
            0..=4 if rng.u8(..20) > 0 => (Pause::Wait(millis(rng.u64(..30))), End::Healthy),
            0..=6 => (Pause::Wait(millis(rng.u64(..200))), failure(rng)),
            7 => (hang(rng, book.timeout), End::Healthy),
            _ => {
                let end = if rng.bool() { End::Healthy } else { failure(rng) };
                let pause = match rng.u8(..4) {
                    0 => Pause::No,
                    1 => hang(rng, book.timeout),
                    _ => Pause::Wait(millis(rng.u64(..500))),
                };
                (pause, end)
            }
        }
    }

    /// The behaviour of an async check.
    pub(super) async fn run(&self, book: &Book) -> Outcome {
        let run = book.begin(self);
        let (pause, end) = self.act(book, run.number);
        match pause {
            Pause::No => {}
            Pause::Wait(time) => sleep(time).await,
            Pause::Forever => pending().await,
            Pause::Block(time) => {
                if self.may_block(time) {
                    thread::sleep(time);
                }
            }
        }
        end.outcome()
    }

    /// The behaviour of a blocking check, whose thread is its own.
    pub(super) fn run_blocking(&self, book: &Book) -> Outcome {
        let run = book.begin(self);
        let (pause, end) = self.act(book, run.number);
        match pause {
            Pause::No => {}
            Pause::Wait(time) | Pause::Block(time) => thread::sleep(time),
            Pause::Forever => thread::sleep(book.timeout + millis(1500)),
        }
        end.outcome()
    }
}

fn failure(rng: &mut Rng) -> End {
    FAILURES[rng.usize(..FAILURES.len())]
}

/// Something that runs into the timeout, or nearly does.
fn hang(rng: &mut Rng, timeout: Duration) -> Pause {
    match rng.u8(..8) {
        0 => Pause::Block(millis(rng.u64(400..1200))),
        1..=3 => Pause::Forever,
        _ => Pause::Wait((timeout + millis(rng.u64(..40))).saturating_sub(millis(20))),
    }
}

impl End {
    fn outcome(self) -> Outcome {
        match self {
            Self::Healthy => Ok(CheckResult::healthy().with_detail("lag", 1)),
            Self::Degraded => {
                Ok(CheckResult::degraded(format!("no replica at redis://:{SECRET}@cache/0")))
            }
            Self::Unhealthy => Ok(CheckResult::unhealthy(format!("password={SECRET} was refused"))),
            Self::Refused => Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            Self::Chain => Err(Box::new(Outer(io::Error::other(format!(
                "cannot reach postgres://app:{SECRET}@db:5432/app"
            ))))),
            Self::DisplayPanics => Err(Box::new(Treacherous { in_drop: false })),
            Self::DropPanics => Err(Box::new(Treacherous { in_drop: true })),
            Self::Panic => panic!("{CHAOS}: index out of bounds"),
            Self::Big => {
                let text = format!("postgres://app:{SECRET}@db ").repeat(3000);
                Ok(CheckResult::degraded(&text).with_detail("rows", text))
            }
        }
    }
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the query failed")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error whose own code panics.
#[derive(Debug)]
struct Treacherous {
    in_drop: bool,
}

impl fmt::Display for Treacherous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.in_drop, "{CHAOS}: a Display that panics");
        f.write_str("treacherous")
    }
}

impl Error for Treacherous {}

impl Drop for Treacherous {
    fn drop(&mut self) {
        assert!(!self.in_drop || thread::panicking(), "{CHAOS}: a Drop that panics");
    }
}
