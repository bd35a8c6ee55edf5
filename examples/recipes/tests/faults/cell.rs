//! One fault of one server: caused, watched, mended.

use std::fs;
use std::time::Duration;

use servicekit_health::{self as health, Check, CheckReport, CheckResult, Health, HealthState};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// The password that each server is given, which no message may hold.
pub(crate) const PASSWORD: &str = "geheim-7x";

/// How often the check is read, and how long its result serves.
const TICK: Duration = Duration::from_millis(50);

/// How long the fault lasts once it was seen: several timeouts.
const LASTS: Duration = Duration::from_millis(2500);

/// From the fault to the state, and from its end to `healthy`: the age at which a recipe opens a new
/// connection in these tests (1 s), two runs of at most the timeout, and some for a busy machine.
const BOUND: Duration = Duration::from_secs(4);

/// The check of one recipe, in an engine with the default timeout.
pub(crate) struct Watched {
    server: &'static str,
    port: Option<u16>,
    health: Health,
    rows: Vec<String>,
    wrong: Vec<String>,
    _alone: MutexGuard<'static, ()>,
}

impl Watched {
    /// One at a time: times are measured.
    pub(crate) async fn new<F, R>(server: &'static str, port: Option<u16>, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<CheckResult, String>> + Send + 'static,
    {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let health =
            health::builder().cache(TICK).check(Check::new(server, check)).build().unwrap();
        Self { server, port, health, rows: Vec::new(), wrong: Vec::new(), _alone: alone }
    }

    /// The next answer, which must come within the deadline of 900 ms.
    pub(crate) async fn read(&mut self) -> CheckReport {
        let asked = Instant::now();
        let report = self.health.check(self.server).await.unwrap();
        let took = asked.elapsed();
        if took > Duration::from_millis(1200) {
            self.wrong.push(format!("an answer took {took:?}"));
        }
        report
    }

    async fn wait_for(&mut self, wanted: impl Fn(&CheckReport) -> bool) -> (Duration, CheckReport) {
        let start = Instant::now();
        loop {
            let report = self.read().await;
            if wanted(&report) || start.elapsed() > BOUND {
                return (start.elapsed(), report);
            }
            sleep(TICK).await;
        }
    }

    /// Causes the fault, watches, mends it, and writes the row of the table.
    pub(crate) async fn cell(
        &mut self,
        fault: &str,
        expected: HealthState,
        cause: &str,
        begin: impl AsyncFnOnce(),
        end: impl AsyncFnOnce(),
    ) {
        let (_, before) = self.wait_for(|report| report.state == HealthState::Healthy).await;
        assert_eq!(before.state, HealthState::Healthy, "{fault}, before: {:?}", before.message);

        begin().await;
        let open_before = self.open();
        let says = |report: &CheckReport| {
            report.state == expected
                && report.message.as_deref().is_some_and(|message| message.contains(cause))
        };
        let (noticed, seen) = self.wait_for(says).await;
        let ok = says(&seen);
        let mut most_open = 0;
        let watched = Instant::now();
        while watched.elapsed() < LASTS {
            let report = self.read().await;
            let message = report.message.unwrap_or_default();
            if message.contains(PASSWORD) {
                self.wrong.push(format!("{fault}: the password is in `{message}`"));
            }
            most_open = most_open.max(self.open());
            sleep(TICK).await;
        }

        end().await;
        let (recovered, after) = self.wait_for(|report| report.state == HealthState::Healthy).await;
        let message = seen.message.unwrap_or_default();
        let state = seen.state;
        self.rows.push(format!(
            "| {fault} | {state} | {message} | {:.2} s | {:.2} s |",
            noticed.as_secs_f64(),
            recovered.as_secs_f64()
        ));
        if !ok {
            self.wrong
                .push(format!("{fault}: {state}, `{message}`; expected {expected}, `{cause}`"));
        }
        if after.state != HealthState::Healthy {
            self.wrong.push(format!("{fault}: no recovery within {BOUND:?}: {:?}", after.message));
        }
        // The kept connection, one being opened and the look at the address.
        if most_open > open_before + 3 {
            self.wrong.push(format!("{fault}: {most_open} open connections, {open_before} before"));
        }
    }

    /// How many connections to the server are open or being opened; without a server, files.
    fn open(&self) -> usize {
        let Some(port) = self.port else { return fs::read_dir("/proc/self/fd").unwrap().count() };
        let (port, established, opening) = (format!(":{port:04X}"), "01", "02");
        let sockets = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let open = sockets.lines().filter(|line| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next().is_some_and(|remote| remote.ends_with(&port))
                && fields.next().is_some_and(|state| state == established || state == opening)
        });
        open.count()
    }

    /// Prints the table.
    ///
    /// # Panics
    /// Where a cell is not as expected.
    pub(crate) fn finish(self) {
        println!(
            "\n{}: fault | state | message | noticed after | healthy again after",
            self.server
        );
        for row in self.rows {
            println!("{row}");
        }
        assert!(self.wrong.is_empty(), "{}: {:#?}", self.server, self.wrong);
    }
}
