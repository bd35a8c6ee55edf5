//! The signals that ask a program to end.
//!
//! A thread of its own listens for them, with a runtime of its own: whatever hangs in the
//! application's, and whatever the end of the process waits for, one more signal still ends it. What
//! it writes is written by other threads, because the log or the disk may be what hangs.

use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::time::timeout;

use super::engine::Engine;
use super::lifecycle::{Effect, log_draining};

/// How long the first poll of the shutdown signal waits for the listening to begin.
const BEGIN: Duration = Duration::from_secs(1);

/// How long the end of the process waits for its last line in the log.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A request to end, with its number on Unix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt = 2,
    #[cfg(unix)]
    Terminate = 15,
}

/// Begins to listen, and goes on until the process ends: also when the engine is gone, because the
/// default of a signal that was once listened for does not come back.
pub(crate) fn listen(engine: &Arc<Engine>) {
    let engine = Arc::downgrade(engine);
    let (send, begun) = mpsc::channel();
    let thread = thread::Builder::new().name("health-signals".to_owned());
    let started = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(obey(&engine, &send)),
            Err(error) => {
                tracing::error!(target: "servicekit_health", %error, "cannot listen for signals");
            }
        }
    });
    match started {
        // It ends without a word where it cannot listen, which it has logged.
        Ok(_) => drop(begun.recv_timeout(BEGIN)),
        Err(error) => {
            tracing::error!(target: "servicekit_health", %error, "cannot listen for signals");
        }
    }
}

async fn obey(engine: &Weak<Engine>, begun: &mpsc::Sender<()>) {
    let mut signals = Signals::new();
    // An error says that the first poll has not waited.
    let _ = begun.send(());
    loop {
        let signal = signals.next().await;
        let engine = engine.upgrade();
        let effect = engine
            .as_ref()
            .map_or(Effect::ProcessEnds, |engine| engine.lifecycle.on_signal(signal));
        let status = 128 + signal as i32;
        let written = super::thread::start("signal", move || {
            log(effect, status);
            if let Some(engine) = engine {
                engine.write_termination_log();
            }
        });
        if effect == Effect::ProcessEnds {
            if let Ok(written) = written {
                let _ = timeout(LAST_WORDS, written).await;
            }
            std::process::exit(status);
        }
    }
}

fn log(effect: Effect, status: i32) {
    match effect {
        Effect::DrainingBegins => log_draining(),
        Effect::DrainingGoesOn => {}
        Effect::DelayEnds => {
            tracing::info!(target: "servicekit_health", "second signal: the drain delay ends now");
        }
        Effect::ProcessEnds => {
            tracing::warn!(
                target: "servicekit_health",
                status,
                "further signal: the process ends now"
            );
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        let listen = |kind: SignalKind| {
            let failed = |error| {
                tracing::error!(target: "servicekit_health", %error, "cannot listen for a signal");
            };
            signal(kind).map_err(failed).ok()
        };
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
        }
    }

    async fn next(&mut self) -> Signal {
        async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
            if let Some(signal) = signal
                && signal.recv().await.is_some()
            {
                return;
            }
            std::future::pending::<()>().await;
        }
        tokio::select! {
            () = received(&mut self.interrupt) => Signal::Interrupt,
            () = received(&mut self.terminate) => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> Signal {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(target: "servicekit_health", %error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
