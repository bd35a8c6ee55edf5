//! The callbacks of `HealthBuilder::on_transition`, each on a thread of its own.
//!
//! A callback is the user's code: one that is slow, hangs or panics holds up neither the checks nor
//! another callback nor the end of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::thread::hold_paused_clock;
use super::transitions::{Listener, Transitions};
use crate::model::Transition;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};
use crate::text::panic::panic_text;

/// A callback that takes this long is worth a line in the log.
const HANGS: Duration = Duration::from_secs(10);

/// A callback of `HealthBuilder::on_transition`.
pub(crate) type Callback = Box<dyn Fn(&Transition) + Send + Sync>;

/// All callbacks of one engine. They listen from the beginning; their threads start with the first
/// reader.
#[derive(Default)]
pub(crate) struct Callbacks {
    waiting: Mutex<Vec<(Callback, Listener)>>,
    calls: Mutex<Vec<Arc<Call>>>,
}

/// What a callback is doing.
#[derive(Default)]
struct Call {
    started: Mutex<Option<Started>>,
    /// How many transitions it has been called with, or has missed.
    seen: AtomicU64,
}

#[derive(Clone, Copy)]
struct Started {
    at: Instant,
    is_reported: bool,
}

impl Callbacks {
    pub(crate) fn new(callbacks: Vec<Callback>, transitions: &Transitions) -> Self {
        let listening = callbacks.into_iter().map(|callback| (callback, transitions.listen()));
        Self { waiting: Mutex::new(listening.collect()), calls: Mutex::default() }
    }

    /// Starts the threads that have not been started.
    pub(crate) fn start(&self) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        for (callback, listener) in waiting {
            let call = Arc::new(Call::default());
            lock(&self.calls).push(Arc::clone(&call));
            let thread = thread::Builder::new().name("health-callback".to_owned());
            if let Err(error) = thread.spawn(move || call_with_each(&callback, listener, &call)) {
                tracing::error!(target: "servicekit_health", %error, "cannot start the thread of an `on_transition` callback");
            }
        }
    }

    /// Ends when every callback has been called with every transition; at once where the clock runs.
    /// Where a test has paused it, callbacks need real time in which the clock must not jump ahead.
    pub(crate) async fn settled(&self, transitions: &Transitions) {
        let sent = transitions.sent();
        let is_behind = |call: &Arc<Call>| call.seen.load(Ordering::Acquire) < sent;
        hold_paused_clock(|| !lock(&self.calls).iter().any(is_behind)).await;
    }

    /// Logs each callback that hangs, once for each of its calls.
    pub(crate) fn report_hanging(&self) {
        for call in &*lock(&self.calls) {
            let mut started = lock(&call.started);
            if let Some(started) = &mut *started
                && !started.is_reported
                && started.at.elapsed() >= HANGS
            {
                started.is_reported = true;
                tracing::warn!(
                    target: "servicekit_health",
                    running_ms = started.at.elapsed().as_millis(),
                    "an `on_transition` callback does not return"
                );
            }
        }
    }
}

/// One transition after the other, until the engine is gone.
fn call_with_each(callback: &Callback, mut listener: Listener, call: &Call) {
    while let Some(transition) = listener.blocking_next() {
        *lock(&call.started) = Some(Started { at: Instant::now(), is_reported: false });
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(&transition))) {
            let panic = panic_text(&*panic);
            tracing::error!(target: "servicekit_health", panic, "an `on_transition` callback panicked");
        }
        *lock(&call.started) = None;
        call.seen.fetch_add(1 + transition.missed, Ordering::AcqRel);
    }
}
