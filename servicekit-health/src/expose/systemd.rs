//! What systemd is told, where `NOTIFY_SOCKET` says that it listens. Feature `systemd`.
//!
//! A task reads the engine like every other reader, and a thread sends, so that a service manager
//! which does not read holds up neither the checks nor the end of the program.

use std::env;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::evaluate::engine::Engine;
use crate::evaluate::group::{HEALTH, LIVENESS, STARTUP};
use crate::model::HealthState;

/// How often the startup checks are asked until they have passed.
const STARTUP_INTERVAL: Duration = Duration::from_millis(500);

/// How long the end of the shutdown signal waits until systemd has been told that it begins.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(1);

/// Tells systemd from the first reader on, and only then: before, there may be no runtime.
pub(crate) struct Notifier {
    /// Whether systemd listens at all.
    is_enabled: bool,
    is_running: Arc<AtomicBool>,
    /// Whether systemd has been told that the program stops.
    has_stopped: Arc<watch::Sender<bool>>,
}

impl Notifier {
    pub(crate) fn new() -> Self {
        Self {
            is_enabled: env::var_os("NOTIFY_SOCKET").is_some(),
            is_running: Arc::default(),
            has_stopped: Arc::default(),
        }
    }

    /// Starts the task, unless it is there. Needs a runtime.
    pub(crate) fn start(&self, engine: &Arc<Engine>) {
        if !self.is_enabled || self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = Running(Arc::clone(&self.is_running));
        let Some(messages) = messages(Arc::clone(&self.has_stopped)) else { return };
        let engine_of_task = Arc::downgrade(engine);
        engine.executor.runtime().spawn(async move {
            let _guard = guard;
            tell(&engine_of_task, &messages).await;
        });
    }

    /// Ends once systemd has been told that the program stops, or does not read.
    pub(crate) async fn stopped(&self) {
        if self.is_enabled {
            let mut stopped = self.has_stopped.subscribe();
            let told = timeout(STOPPING_TIMEOUT, stopped.wait_for(|stopped| *stopped)).await;
            if told.is_err() {
                tracing::warn!(target: "servicekit_health", "systemd does not read its socket");
            }
        }
    }
}

/// When it is dropped, with its task, the next reader starts the task again.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

enum Message {
    Ready,
    Status(String),
    Stopping,
    Watchdog,
}

/// The way to the thread that sends, which ends with this.
fn messages(has_stopped: Arc<watch::Sender<bool>>) -> Option<mpsc::Sender<Message>> {
    let (sender, messages) = mpsc::channel();
    let thread = thread::Builder::new().name("health-systemd".to_owned());
    let started = thread.spawn(move || {
        let mut has_failed = false;
        for message in messages {
            let sent = match &message {
                Message::Ready => sd_notify::notify(&[NotifyState::Ready]),
                Message::Status(text) => sd_notify::notify(&[NotifyState::Status(text)]),
                Message::Stopping => {
                    sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("draining")])
                }
                Message::Watchdog => sd_notify::notify(&[NotifyState::Watchdog]),
            };
            // Once, not with every message: the watchdog's come for as long as the program lives.
            let had_failed = std::mem::replace(&mut has_failed, sent.is_err());
            if let (Err(error), false) = (sent, had_failed) {
                tracing::error!(target: "servicekit_health", %error, "cannot notify systemd");
            }
            if let Message::Stopping = message {
                has_stopped.send_replace(true);
            }
        }
    });
    match started {
        Ok(_) => Some(sender),
        Err(error) => {
            tracing::error!(target: "servicekit_health", %error, "cannot notify systemd");
            None
        }
    }
}

/// Tells everything there is to tell, as long as the engine lives.
async fn tell(engine: &Weak<Engine>, messages: &mpsc::Sender<Message>) {
    // An error says that the thread is gone, and has logged why.
    let send = |message| drop(messages.send(message));
    tokio::join!(
        ready(engine, &send),
        states(engine, &send),
        watchdog(engine, &send),
        stopping(engine, &send),
    );
}

/// Once, when startup has passed, unless the program stops before: what waits for it would begin.
async fn ready(engine: &Weak<Engine>, send: &impl Fn(Message)) {
    while let Some(engine) = engine.upgrade().filter(|engine| !engine.lifecycle.is_draining()) {
        if !engine.has_started_up() {
            engine.snapshot(&engine.group(&STARTUP)).await;
        }
        if engine.has_started_up() && !engine.lifecycle.is_draining() {
            return send(Message::Ready);
        }
        drop(engine);
        sleep(STARTUP_INTERVAL).await;
    }
}

/// Whenever the overall state changes, or which checks are not well, until draining begins.
async fn states(engine: &Weak<Engine>, send: &impl Fn(Message)) {
    let Some(first) = engine.upgrade() else { return };
    // As long as this is held, the engine evaluates on-demand checks regularly.
    let _listener = first.listen();
    let mut differences = first.differences();
    let interval = first.watch_interval();
    first.snapshot(&first.group(&HEALTH)).await;
    drop(first);
    let mut sent = String::new();
    while let Some(engine) = engine.upgrade().filter(|engine| !engine.lifecycle.is_draining()) {
        engine.wake();
        let text = text(engine.watched(&engine.group(&HEALTH)));
        drop(engine);
        if text != sent {
            send(Message::Status(text.clone()));
            sent = text;
        }
        tokio::select! {
            changed = differences.changed() => if changed.is_err() { return },
            // A background check whose runs have stopped is no difference of a result.
            () = sleep(interval) => {}
        }
    }
}

/// `degraded: redis`, or `unhealthy: database, redis degraded`.
fn text<'a>(checks: impl Iterator<Item = (&'a str, HealthState)>) -> String {
    let mut checks: Vec<_> = checks.filter(|(_, state)| *state != HealthState::Healthy).collect();
    checks.sort_by_key(|(_, state)| std::cmp::Reverse(*state));
    let worst = checks.first().map(|(_, state)| *state).unwrap_or_default();
    let mut text = worst.to_string();
    for (index, (name, state)) in checks.into_iter().enumerate() {
        let separator = if index == 0 { ": " } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{name}");
        if state != worst {
            let _ = write!(text, " {state}");
        }
    }
    text
}

/// Twice within the time that systemd waits, while liveness is not unhealthy.
async fn watchdog(engine: &Weak<Engine>, send: &impl Fn(Message)) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
    else {
        return;
    };
    let mut next = Instant::now();
    while let Some(engine) = engine.upgrade() {
        let view = engine.group(&LIVENESS);
        // A reader waits until its deadline, for which systemd may not have the time.
        let snapshot = timeout(patience / 4, engine.snapshot(&view)).await;
        let state = match snapshot {
            Ok(snapshot) => snapshot.report.status,
            Err(_) => engine.watched(&view).map(|(_, state)| state).max().unwrap_or_default(),
        };
        drop(engine);
        if state != HealthState::Unhealthy {
            send(Message::Watchdog);
        }
        next = (next + patience / 2).max(Instant::now());
        sleep_until(next).await;
    }
}

/// When draining begins.
async fn stopping(engine: &Weak<Engine>, send: &impl Fn(Message)) {
    let Some(draining) = engine.upgrade().map(|engine| engine.lifecycle.draining()) else { return };
    draining.await;
    if engine.upgrade().is_some() {
        send(Message::Stopping);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_the_checks_that_are_not_well_worst_first() {
        use HealthState::{Degraded, Healthy, Unhealthy};

        let text = |checks: &[(&'static str, HealthState)]| text(checks.iter().copied());
        assert_eq!(text(&[]), "healthy");
        assert_eq!(text(&[("database", Healthy)]), "healthy");
        assert_eq!(text(&[("database", Healthy), ("redis", Degraded)]), "degraded: redis");
        let all = [("a", Degraded), ("b", Unhealthy), ("c", Healthy), ("d", Unhealthy)];
        assert_eq!(text(&all), "unhealthy: b, d, a degraded");
    }
}
