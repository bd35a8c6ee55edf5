//! The spans around runs. Every test here listens: tracing asks once whether anybody wants a span,
//! and a run beside them that nobody listens to could be the one that is asked.

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{fixed, get};
use servicekit_health::{self as health, Check, CheckResult};
use tokio::time::sleep;
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument, Level};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Every event of this thread, and a line for each span that ends.
    fn at(level: Level) -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_span_events(FmtSpan::CLOSE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The lines with this text.
    fn with(&self, text: &str) -> Vec<String> {
        let lines = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        lines.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_a_span_with_its_check_outcome_and_duration() {
    let (lines, _guard) = Lines::at(Level::DEBUG);
    let error = Check::new("error", async || {
        sleep(Duration::from_millis(50)).await;
        Err::<(), _>("refused".to_owned())
    });
    let hang = Check::new("timeout", std::future::pending::<()>);
    let panic =
        Check::new("panic", async || std::hint::black_box(None::<()>).expect("out of bounds"));
    let router = health::builder()
        .check(fixed("degraded", CheckResult::degraded("slow")))
        .check(error)
        .check(hang.timeout(Duration::from_millis(80)))
        .check(panic)
        .router();
    get(&router, "/health").await;
    sleep(Duration::from_secs(1)).await;
    for (outcome, at_least) in
        [("degraded", 0.0), ("error", 50.0), ("timeout", 80.0), ("panic", 0.0)]
    {
        let spans = lines.with(&format!("health_check{{check=\"{outcome}\" "));
        let [span] = &spans[..] else { panic!("{outcome}: {spans:?}") };
        assert!(span.contains("DEBUG") && span.contains("servicekit_health"), "{span}");
        assert!(span.contains(&format!("outcome=\"{outcome}\"")), "{span}");
        let (_, duration) = span.split_once("duration_ms=").unwrap();
        let (duration, _) = duration.split_once('}').unwrap();
        let duration: f64 = duration.parse().unwrap();
        assert!((at_least..at_least + 10.0).contains(&duration), "{span}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_check_logs_is_inside_its_span_and_not_inside_a_request() {
    let (lines, _guard) = Lines::at(Level::DEBUG);
    let task = Check::new("task", async || {
        sleep(Duration::from_millis(1)).await;
        tracing::info!("asking the database");
    });
    let router = health::builder().check(task).router();
    get(&router, "/health").instrument(tracing::info_span!("request")).await;
    let events = lines.with("asking the database");
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.contains("health_check{check=\"task\"}"), "{event}");
    assert!(!event.contains("request"), "{event}");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_logs_at_info_gets_no_span() {
    let (lines, _guard) = Lines::at(Level::INFO);
    let check = Check::new("db", async || tracing::info!("asking the database"));
    get(&health::builder().check(check).router(), "/health").await;
    assert_eq!(lines.with("asking the database").len(), 1);
    assert!(lines.with("health_check").is_empty());
}
