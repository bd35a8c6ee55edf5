//! What the checks themselves notice: two live runs of one check, and two within one cache window.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The books of all checks, and every violation found in this process.
pub(crate) struct Ledger {
    pub(super) seed: u64,
    pub(super) began: Instant,
    /// Every check is healthy at once from now on.
    pub(super) is_calm: AtomicBool,
    /// The runtime goes away.
    pub(super) is_ending: AtomicBool,
    /// From when on a check may block its thread.
    pub(super) next_block: Mutex<Option<Instant>>,
    books: Mutex<BTreeMap<String, Arc<Book>>>,
    violations: Mutex<Vec<String>>,
}

/// One check's runs.
pub(crate) struct Book {
    pub(super) name: String,
    pub(super) timeout: Duration,
    /// No two runs begin within this time.
    window: Duration,
    /// At most so many runs begin in this time, on average.
    period: Duration,
    live: AtomicU32,
    runs: AtomicU64,
    last_start: Mutex<Option<Instant>>,
}

/// How often a check may run.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    Cache(Duration),
    Interval(Duration),
}

impl Ledger {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            began: Instant::now(),
            is_calm: AtomicBool::new(true),
            is_ending: AtomicBool::new(false),
            next_block: Mutex::default(),
            books: Mutex::default(),
            violations: Mutex::default(),
        })
    }

    /// The book of the check of this name; a new one where there is none.
    pub(super) fn book(&self, name: &str, timeout: Duration, pace: Pace) -> Arc<Book> {
        let (window, period) = match pace {
            Pace::Cache(cache) => (cache, cache),
            // Points of a grid: one that is late comes closer to the next.
            Pace::Interval(interval) => (Duration::ZERO, interval),
        };
        let mut books = self.books.lock().unwrap();
        let book = books.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Book {
                name: name.to_owned(),
                timeout,
                window,
                period,
                live: AtomicU32::new(0),
                runs: AtomicU64::new(0),
                last_start: Mutex::default(),
            })
        });
        Arc::clone(book)
    }

    /// Written at once, so that a process that is killed has told it.
    #[allow(clippy::print_stderr, reason = "the soak reads it")]
    pub(super) fn violation(&self, text: String) {
        eprintln!("violation: {text}");
        self.violations.lock().unwrap().push(text);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub(super) fn runs(&self) -> u64 {
        self.books.lock().unwrap().values().map(|book| book.runs.load(Ordering::Relaxed)).sum()
    }

    /// Counts the runs of each check against the time that this process has lived.
    pub(super) fn count_runs(&self) {
        let lived = self.began.elapsed();
        let books: Vec<_> = self.books.lock().unwrap().values().cloned().collect();
        for book in books.iter().filter(|book| !book.period.is_zero()) {
            let runs = book.runs.load(Ordering::Relaxed);
            // The first, and one at either end.
            let most = lived.as_nanos() / book.period.as_nanos() + 2;
            if u128::from(runs) > most {
                self.violation(format!(
                    "check {} ran {runs} times in {lived:?}; at most {most} are allowed at one in {:?}",
                    book.name, book.period
                ));
            }
        }
    }
}

/// A run that is under way; dropped when it is over, for whatever reason.
pub(super) struct LiveRun<'a> {
    book: &'a Book,
    pub(super) number: u64,
}

impl Book {
    pub(super) fn begin(&self, ledger: &Ledger) -> LiveRun<'_> {
        let now = Instant::now();
        let others = self.live.fetch_add(1, Ordering::AcqRel);
        if others > 0 {
            ledger.violation(format!("check {} has {} live runs at once", self.name, others + 1));
        }
        let before = self.last_start.lock().unwrap().replace(now);
        let pause = before.map(|before| now - before).filter(|pause| *pause < self.window);
        // A run that goes with its runtime has no result, and its readers ask again.
        if let Some(pause) = pause.filter(|_| !ledger.is_ending.load(Ordering::Acquire)) {
            ledger.violation(format!(
                "check {} began again after {pause:?}, within its cache of {:?}",
                self.name, self.window
            ));
        }
        LiveRun { book: self, number: self.runs.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for LiveRun<'_> {
    fn drop(&mut self) {
        self.book.live.fetch_sub(1, Ordering::AcqRel);
    }
}
