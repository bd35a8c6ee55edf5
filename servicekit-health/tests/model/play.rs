//! Plays a script against a real `Health` in paused time, and writes down what can be seen.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use servicekit_health::{
    self as health, Check, CheckReport, CheckResult, Health, HealthState, Probe, Report, Transition,
};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;

use crate::common::get;
use crate::script::{Ask, Ends, Plan, Run, Scope, Script, Step, Way, When};

/// What was seen while a script was played. Times are in milliseconds from its beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// By check.
    pub(crate) runs: Vec<Vec<Ran>>,
    pub(crate) most_live: Vec<usize>,
    pub(crate) asks: Vec<Asked>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) drained: Option<u64>,
    /// Whether an answer has shown all startup checks to be not unhealthy.
    pub(crate) started_up: bool,
    pub(crate) waiting_at_end: usize,
    pub(crate) end: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) begin: u64,
    /// When its future was gone, and whether it had come to its end.
    pub(crate) gone: Option<(u64, bool)>,
}

/// The moment of a question, and what held then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: u64,
    pub(crate) scope: Scope,
    pub(crate) draining: bool,
    pub(crate) started_up: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) asked: Asked,
    pub(crate) at: u64,
    /// Whether startup had passed by then, with this answer at the latest.
    pub(crate) started_up: bool,
    pub(crate) seen: Seen,
}

/// A report, in whatever form it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) status: HealthState,
    pub(crate) checks: BTreeMap<String, Said>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) state: HealthState,
    pub(crate) message: Option<String>,
    pub(crate) more: Option<More>,
}

/// What the plain form leaves out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct More {
    pub(crate) stale: bool,
    pub(crate) age: Option<u64>,
    pub(crate) took: Option<u64>,
    pub(crate) failures: u32,
    pub(crate) raw_state: Option<HealthState>,
    pub(crate) raw_message: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) period: u64,
    pub(crate) on_change: bool,
    pub(crate) opened: u64,
    /// `None` is a comment.
    pub(crate) events: Vec<(u64, Option<Seen>)>,
    /// When it ended by itself.
    pub(crate) ended: Option<u64>,
    /// Until when there was a reader.
    pub(crate) read_until: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) heard: Vec<(u64, Transition)>,
}

pub(crate) fn name_of(number: usize) -> String {
    format!("check-{number}")
}

#[derive(Clone)]
struct Notebook {
    start: Instant,
    startup_checks: Arc<[usize]>,
    notes: Arc<Mutex<Notes>>,
}

impl Notebook {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    fn note<T>(&self, write: impl FnOnce(&mut Notes) -> T) -> T {
        write(&mut self.notes.lock().unwrap())
    }

    fn ask(&self, scope: Scope) -> Asked {
        let at = self.now();
        self.note(|notes| {
            let (draining, started_up) = (notes.drained.is_some(), notes.started_up);
            let asked = Asked { at, scope, draining, started_up };
            notes.asks.push(asked);
            asked
        })
    }

    fn answer(&self, asked: Asked, seen: Seen) {
        let at = self.now();
        let sees_startup = matches!(asked.scope, Scope::Probe(Probe::Readiness | Probe::Startup));
        let passes = |number: &usize| {
            let said = seen.checks.get(&name_of(*number));
            // An answer that is no result does not latch.
            let has_result = |said: &Said| said.message.as_deref() != Some(NO_RESULT);
            said.is_some_and(|said| said.state != HealthState::Unhealthy && has_result(said))
        };
        let passes = sees_startup && self.startup_checks.iter().all(passes);
        self.note(|notes| {
            notes.started_up |= passes;
            let started_up = notes.started_up;
            notes.answers.push(Answer { asked, at, started_up, seen });
        });
    }
}

/// What a late reader is told of a check without any result.
const NO_RESULT: &str = "no result within the deadline";

/// A live run. However it goes away, that is written down.
struct Live {
    notebook: Notebook,
    check: usize,
    run: usize,
    came_to_its_end: bool,
}

impl Live {
    fn begin(notebook: Notebook, check: usize) -> Self {
        let begin = notebook.now();
        let run = notebook.note(|notes| {
            let runs = &mut notes.runs[check];
            runs.push(Ran { begin, gone: None });
            let live = runs.iter().filter(|run| run.gone.is_none()).count();
            notes.most_live[check] = notes.most_live[check].max(live);
            runs.len() - 1
        });
        Self { notebook, check, run, came_to_its_end: false }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let gone = Some((self.notebook.now(), self.came_to_its_end));
        self.notebook.note(|notes| notes.runs[self.check][self.run].gone = gone);
    }
}

fn check(number: usize, plan: &Plan, notebook: &Notebook) -> Check {
    let (runs, notebook) = (plan.runs.clone(), notebook.clone());
    let check = Check::new(name_of(number), move || {
        let live = Live::begin(notebook.clone(), number);
        let run = runs[live.run % runs.len()];
        perform(run, live)
    });
    let check = check
        .timeout(Duration::from_millis(plan.timeout))
        .on_error(plan.on_error)
        .failure_threshold(plan.failure_threshold)
        .success_threshold(plan.success_threshold);
    let check = match plan.when {
        When::Cache(cache) => check.cache(Duration::from_millis(cache)),
        When::Interval(interval) => check.interval(Duration::from_millis(interval)),
    };
    match *plan.probes {
        [one] => check.probe(one),
        [one, other] => check.probe([one, other]),
        _ => unreachable!("no script has others"),
    }
}

async fn perform(run: Run, mut live: Live) -> Result<CheckResult, String> {
    if run.takes > 0 {
        sleep(Duration::from_millis(run.takes)).await;
    }
    let number = live.run;
    match run.ends {
        Ends::Never => pending().await,
        Ends::With(state) => {
            live.came_to_its_end = true;
            Ok(CheckResult::new(state).with_message(format!("run {number}")))
        }
        Ends::WithError => {
            live.came_to_its_end = true;
            Err(format!("run {number} failed"))
        }
        Ends::WithPanic => {
            live.came_to_its_end = true;
            // A panic that does not write to stderr thousands of times.
            resume_unwind(Box::new(format!("run {number} panicked")));
        }
    }
}

pub(crate) fn play(script: &Script) -> Notes {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let startup = |number: &usize| script.checks[*number].probes.contains(&Probe::Startup);
        let startup_checks: Arc<[usize]> = (0..script.checks.len()).filter(startup).collect();
        let notes = Notes {
            runs: vec![Vec::new(); script.checks.len()],
            most_live: vec![0; script.checks.len()],
            started_up: startup_checks.is_empty(),
            ..Notes::default()
        };
        let notes = Arc::new(Mutex::new(notes));
        let notebook = Notebook { start: Instant::now(), startup_checks, notes };
        Stage::new(script, notebook).play().await
    })
}

/// A `Health` and those who use it.
struct Stage<'a> {
    script: &'a Script,
    notebook: Notebook,
    health: Health,
    router: Router,
    readers: Vec<JoinHandle<()>>,
    /// They stay until the end if they have the patience.
    listeners: Vec<JoinHandle<()>>,
}

impl<'a> Stage<'a> {
    fn new(script: &'a Script, notebook: Notebook) -> Self {
        let mut builder = health::builder()
            .deadline(Duration::from_millis(script.deadline))
            .watch_interval(Duration::from_millis(script.watch_interval));
        for (number, plan) in script.checks.iter().enumerate() {
            builder = builder.check(check(number, plan, &notebook));
        }
        let health = builder.build().unwrap();
        let router = health.router();
        Self { script, notebook, health, router, readers: Vec::new(), listeners: Vec::new() }
    }

    async fn play(mut self) -> Notes {
        for step in &self.script.steps {
            match *step {
                Step::Wait(0) => tokio::task::yield_now().await,
                Step::Wait(millis) => sleep(Duration::from_millis(millis)).await,
                Step::Ask { what, patience } => self.ask(what, patience),
                Step::Stream { period, on_change, patience } => {
                    self.stream(period, on_change, patience);
                }
                Step::Subscribe { patience } => self.subscribe(patience),
                Step::Drain => {
                    self.health.drain();
                    let now = self.notebook.now();
                    self.notebook.note(|notes| notes.drained.get_or_insert(now).to_owned());
                }
            }
        }
        // Time for everybody who asked to be answered, and for streams to end.
        sleep(Duration::from_millis(self.script.deadline + 2)).await;
        let end = self.notebook.now();
        let waiting = self.readers.iter().filter(|reader| !reader.is_finished()).count();
        let mut notes = self.notebook.note(|notes| notes.clone());
        for reader in self.readers.into_iter().chain(self.listeners) {
            if reader.is_finished() {
                reader.await.expect("nobody who asks panics");
            }
        }
        (notes.end, notes.waiting_at_end) = (end, waiting);
        for subscriber in &mut notes.subscribers {
            subscriber.until = subscriber.until.min(end);
        }
        for stream in &mut notes.streams {
            stream.read_until = stream.read_until.min(end);
        }
        notes
    }

    fn ask(&mut self, what: Ask, patience: Option<u64>) {
        let (health, router) = (self.health.clone(), self.router.clone());
        let (notebook, checks) = (self.notebook.clone(), self.script.checks.len());
        let ask = async move {
            let scope = match what.scope {
                Scope::One(number) => Scope::One(number % checks),
                scope => scope,
            };
            let asked = notebook.ask(scope);
            let seen = match what.way {
                Way::Handle => by_handle(&health, scope).await,
                Way::Http => over_http(&router, scope, "").await,
                Way::Verbose => over_http(&router, scope, "?verbose").await,
            };
            notebook.answer(asked, seen);
        };
        self.readers.push(tokio::spawn(with_patience(ask, patience)));
    }

    fn stream(&mut self, period: u64, on_change: bool, patience: Option<u64>) {
        let (router, notebook) = (self.router.clone(), self.notebook.clone());
        let seconds = Duration::from_millis(period).as_secs_f64();
        let on = if on_change { "&on=change" } else { "" };
        let path = format!("/health/$stream?poll_interval={seconds}{on}");
        let read = async move {
            let asked = notebook.ask(Scope::All);
            let read_until = patience.map_or(u64::MAX, |patience| asked.at + patience);
            let (opened, events) = (asked.at, Vec::new());
            let stream = Stream { period, on_change, opened, events, ended: None, read_until };
            let number = notebook.note(|notes| {
                notes.streams.push(stream);
                notes.streams.len() - 1
            });
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.oneshot(request).await.unwrap();
            let mut events = response.into_body().into_data_stream();
            while let Some(event) = events.next().await {
                let event = event_of(&event.unwrap());
                let now = notebook.now();
                notebook.note(|notes| notes.streams[number].events.push((now, event)));
            }
            let now = notebook.now();
            notebook.note(|notes| notes.streams[number].ended = Some(now));
        };
        self.listeners.push(tokio::spawn(with_patience(read, patience)));
    }

    fn subscribe(&mut self, patience: Option<u64>) {
        let mut transitions = self.health.subscribe();
        let notebook = self.notebook.clone();
        let from = notebook.now();
        let until = patience.map_or(u64::MAX, |patience| from + patience);
        let number = notebook.note(|notes| {
            notes.subscribers.push(Subscriber { from, until, heard: Vec::new() });
            notes.subscribers.len() - 1
        });
        let listen = async move {
            while let Some(transition) = transitions.next().await {
                let now = notebook.now();
                notebook.note(|notes| notes.subscribers[number].heard.push((now, transition)));
            }
        };
        self.listeners.push(tokio::spawn(with_patience(listen, patience)));
    }
}

async fn with_patience(task: impl Future<Output = ()>, patience: Option<u64>) {
    match patience {
        None => task.await,
        // One who goes away takes the rest of the question along.
        Some(millis) => drop(timeout(Duration::from_millis(millis), task).await),
    }
}

async fn by_handle(health: &Health, scope: Scope) -> Seen {
    match scope {
        Scope::All => seen(health.report().await),
        Scope::Probe(probe) => seen(health.probe(probe).await),
        Scope::One(number) => {
            let name = name_of(number);
            let said = said(health.check(&name).await.expect("a check of this name"));
            Seen { status: said.state, checks: BTreeMap::from([(name, said)]) }
        }
    }
}

async fn over_http(router: &Router, scope: Scope, query: &str) -> Seen {
    let path = match scope {
        Scope::All => "/health".to_owned(),
        Scope::Probe(Probe::Liveness) => "/livez".to_owned(),
        Scope::Probe(Probe::Readiness) => "/readyz".to_owned(),
        Scope::Probe(Probe::Startup) => "/startupz".to_owned(),
        Scope::Probe(other) => unreachable!("{other} is no probe of these"),
        Scope::One(number) => format!("/health/{}", name_of(number)),
    };
    let answer = get(router, &format!("{path}{query}")).await;
    let seen = parse(&answer.json(), !query.is_empty());
    assert_eq!(answer.header("x-health-status"), seen.status.as_str());
    let code = if seen.status == HealthState::Unhealthy { 503 } else { 200 };
    assert_eq!(answer.status, code);
    seen
}

fn seen(report: Report) -> Seen {
    let checks = report.checks.into_iter().map(|(name, check)| (name, said(check)));
    let mut checks: BTreeMap<_, _> = checks.collect();
    if report.draining {
        let message = Some("draining".to_owned());
        let drain = Said { state: HealthState::Unhealthy, message, more: None };
        checks.insert("$drain".to_owned(), drain);
    }
    Seen { status: report.status, checks }
}

fn said(check: CheckReport) -> Said {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
    let more = More {
        stale: check.stale,
        age: check.age.map(millis),
        took: check.duration.map(millis),
        failures: check.consecutive_failures,
        raw_state: check.raw_state,
        raw_message: check.raw_message,
    };
    Said { state: check.state, message: check.message, more: Some(more) }
}

fn event_of(bytes: &[u8]) -> Option<Seen> {
    let text = std::str::from_utf8(bytes).unwrap();
    if text == ":\n\n" {
        return None;
    }
    let json = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n"));
    Some(parse(&serde_json::from_str(json.expect("an event")).unwrap(), false))
}

fn parse(json: &serde_json::Value, verbose: bool) -> Seen {
    let state = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let millis = |value: &serde_json::Value| {
        let millis = value.as_f64()?;
        Some(u64::try_from(Duration::from_secs_f64(millis / 1e3).as_millis()).unwrap())
    };
    let more = |check: &serde_json::Value| More {
        stale: check["stale"].as_bool().unwrap(),
        age: millis(&check["age_ms"]),
        took: millis(&check["duration_ms"]),
        failures: u32::try_from(check["consecutive_failures"].as_u64().unwrap()).unwrap(),
        raw_state: check.get("raw_state").map(state),
        raw_message: text(&check["raw_message"]),
    };
    let said = |(name, check): (&String, &serde_json::Value)| {
        let more = (verbose && name != "$drain").then(|| more(check));
        let said = Said { state: state(&check["state"]), message: text(&check["message"]), more };
        (name.clone(), said)
    };
    let checks = json["checks"].as_object().map(|checks| checks.iter().map(said).collect());
    Seen { status: state(&json["status"]), checks: checks.unwrap_or_default() }
}
