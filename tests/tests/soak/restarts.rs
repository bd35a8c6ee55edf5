//! Drains a service under load, ends or kills it, and starts it again on the same port.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::Client;
use serde_json::Value;
use tokio::time::{sleep, timeout_at};

use crate::clients::Target;
use crate::growth::state;
use crate::process::{Port, Running};
use crate::service::DRAIN_DELAY;
use crate::soak::{DEADLINE, Server, Soak, Tally};

/// How long before the end of the drain delay connections may fail.
const MARGIN: Duration = Duration::from_millis(800);

/// How long clients may hold up the end once the delay is over: all of them leave within this.
const HELD_UP: Duration = Duration::from_secs(12);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Term,
    /// As a preStop hook does: a call that drains, then the signal.
    DrainThenTerm,
    /// The second signal ends the delay.
    TermTwice,
    Kill,
}

pub(crate) struct Restarts {
    pub(crate) soak: Arc<Soak>,
    pub(crate) target: Arc<Target>,
    pub(crate) port: Port,
    pub(crate) rng: Rng,
    client: Client,
}

impl Restarts {
    pub(crate) fn new(soak: &Arc<Soak>, target: &Arc<Target>, port: Port) -> Self {
        // Each request on a connection of its own: it asks whoever is there now.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
        Self {
            soak: Arc::clone(soak),
            target: Arc::clone(target),
            port,
            rng: Rng::with_seed(soak.seed),
            client: client.build().unwrap(),
        }
    }

    /// Until the soak ends. Gives back the service that is there then.
    pub(crate) async fn go_on(mut self, mut running: Running) -> (Self, Running) {
        let mut generation = 1;
        loop {
            let next = Instant::now() + Duration::from_millis(self.rng.u64(1000..5000));
            while self.soak.goes_on() && Instant::now() < next {
                sleep(Duration::from_millis(50)).await;
            }
            if !self.soak.goes_on() {
                return (self, running);
            }
            let way = match self.rng.u8(..10) {
                0..=4 => Way::Term,
                5..=6 => Way::DrainThenTerm,
                7 => Way::TermTwice,
                _ => Way::Kill,
            };
            generation += 1;
            self.end(&mut running, way).await;
            drop(running);
            running = match self.start(generation).await {
                Ok(running) => running,
                Err(error) => {
                    self.soak.finding(format!("restart {generation}: {error}"));
                    panic!("no service to go on with");
                }
            };
            Tally::count(&self.soak.tally.restarts);
        }
    }

    /// Starts it and waits until it answers. From then on nothing excuses a failure.
    pub(crate) async fn start(&self, generation: u64) -> Result<Running, String> {
        let running = Running::start(&self.soak, &self.port, generation).await?;
        self.target.beside.lock().unwrap().clone_from(&running.beside);
        calm(&self.client, &self.target, false).await?;
        let state = state(&self.client, &self.target).await?;
        if state["pid"] != running.id() || state["generation"] != generation {
            return Err(format!("another process answers: {state}, not {}", running.id()));
        }
        if self.target.epoch() % 2 == 1 {
            self.target.turn();
        }
        Ok(running)
    }

    /// Ends it, and looks at how it ends.
    async fn end(&self, running: &mut Running, way: Way) {
        let ended = self.try_end(running, way).await;
        self.soak.judge(format!("{} ended by {way:?}", self.target.role), ended);
        self.last_words(running);
    }

    async fn try_end(&self, running: &mut Running, way: Way) -> Result<(), String> {
        let error = |error: std::io::Error| error.to_string();
        if way == Way::Kill {
            self.target.turn();
            running.signal("KILL").map_err(error)?;
            running.end(Duration::from_secs(5)).await?;
            return Ok(());
        }
        let begin = Instant::now();
        if way == Way::DrainThenTerm {
            let url = self.target.url("/soak/drain");
            self.client.post(url).send().await.map_err(|error| error.to_string())?;
        }
        running.signal("TERM").map_err(error)?;
        if way == Way::TermTwice {
            sleep(Duration::from_millis(200)).await;
            self.target.turn();
            running.signal("TERM").map_err(error)?;
        } else {
            let time = DRAIN_DELAY.saturating_sub(MARGIN);
            let mut has_failed = false;
            let asked = self.is_not_ready(&mut has_failed);
            let wrong = timeout_at((begin + time).into(), asked).await;
            self.target.turn();
            if let Ok(wrong) = wrong {
                return Err(wrong);
            }
            if !has_failed && time > DEADLINE + self.soak.tolerance(Server::Listener, time) {
                return Err(format!("/readyz did not fail within {time:?}"));
            }
        }
        let most = DRAIN_DELAY + HELD_UP + self.soak.tolerance(Server::Application, DRAIN_DELAY);
        let status = running.end(most).await?;
        let took = begin.elapsed();
        if !status.success() {
            return Err(format!("it ended with {status}"));
        }
        if way != Way::TermTwice && took < DRAIN_DELAY {
            return Err(format!("it ended after {took:?}, before its drain delay was over"));
        }
        Ok(())
    }

    /// Readiness fails, and stays so. Ends only where it does not, with what it says then.
    async fn is_not_ready(&self, has_failed: &mut bool) -> String {
        loop {
            let answer = self.client.get(self.target.url("/readyz")).send().await;
            let body = match answer {
                Ok(answer) => answer.text().await,
                Err(error) => Err(error),
            };
            match body {
                Ok(body) if body.contains("\"$drain\"") => *has_failed = true,
                Ok(body) if *has_failed => return format!("/readyz has stopped to drain: {body}"),
                Ok(_) => {}
                Err(error) => return format!("/readyz while draining: {error}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What it found itself, and what it had done.
    pub(crate) fn last_words(&self, running: &Running) {
        for complaint in running.complaints() {
            self.soak.finding(format!("{}: {complaint}", self.target.role));
        }
        if let Some(state) = running.last_state() {
            self.soak.keep(&state);
        }
    }
}

impl Soak {
    /// Counts what a service has done that is gone now.
    pub(crate) fn keep(&self, state: &Value) {
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        self.tally.runs.fetch_add(count(&state["runs"]), Ordering::Relaxed);
        let seen = count(&state["subscriber"]["received"]);
        self.tally.transitions.fetch_add(seen, Ordering::Relaxed);
    }
}

/// Whether its checks are all healthy at once from now on.
pub(crate) async fn calm(client: &Client, target: &Target, calm: bool) -> Result<(), String> {
    let url = target.url(&format!("/soak/calm/{calm}"));
    let answer = client.post(url).send().await.map_err(|error| error.to_string())?;
    answer.error_for_status().map(drop).map_err(|error| error.to_string())
}
