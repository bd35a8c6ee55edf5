//! From serving to gone: draining, and the signals that begin it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::slot::Board;

/// How long a program stays after SIGTERM, for the balancers to notice, unless it says otherwise.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Not ready any more, still answering.
    Draining,
    /// The drain delay is over: the server may stop.
    Over,
}

pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    delay: Option<Duration>,
    watcher: Mutex<Option<AbortHandle>>,
    board: Arc<Board>,
}

impl Lifecycle {
    pub(crate) fn new(delay: Option<Duration>, board: Arc<Board>) -> Self {
        Self { phase: watch::Sender::new(Phase::Serving), delay, watcher: Mutex::default(), board }
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.phase.borrow() != Phase::Serving
    }

    /// Begins to drain; does nothing if that has begun.
    pub(crate) fn drain(&self) {
        let begins = self.phase.send_if_modified(|phase| {
            let serving = *phase == Phase::Serving;
            if serving {
                *phase = Phase::Draining;
            }
            serving
        });
        if begins {
            self.board.generation.changed();
            tracing::info!("draining: not ready from now on");
        }
    }

    /// Ends when draining begins.
    pub(crate) fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Phase::Draining)
    }

    /// Ends when the drain delay is over. Starts to listen for signals.
    pub(crate) fn over(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let lifecycle = Arc::clone(self);
        async move {
            lifecycle.watch_signals();
            lifecycle.reached(Phase::Over).await;
        }
    }

    fn reached(&self, end: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            if phase.wait_for(|phase| *phase >= end).await.is_err() {
                // The `Health` is gone, and with it the reason to go on.
            }
        }
    }

    fn watch_signals(self: &Arc<Self>) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.as_ref().is_none_or(AbortHandle::is_finished) {
            *watcher = Some(tokio::spawn(Arc::clone(self).obey_signals()).abort_handle());
        }
    }

    /// The first signal, or a call of `drain`, drains; the next ends the drain delay; one after
    /// the delay ends the process.
    async fn obey_signals(self: Arc<Self>) {
        let mut signals = Signals::new();
        let first = tokio::select! {
            signal = signals.next() => Some(signal),
            () = self.draining() => None,
        };
        self.drain();
        let unset = if first == Some(Signal::Interrupt) { Duration::ZERO } else { DRAIN_DELAY };
        let delay = self.delay.unwrap_or(unset);
        tokio::select! {
            () = sleep(delay) => {}
            _ = signals.next() => tracing::info!("second signal: the drain delay ends now"),
        }
        self.phase.send_replace(Phase::Over);
        let status = 128 + signals.next().await as i32;
        tracing::warn!(status, "further signal: the process ends now");
        std::process::exit(status);
    }

    pub(crate) fn abort(&self) {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watcher) = &*watcher {
            watcher.abort();
        }
    }
}

/// A request to end, with its number on Unix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Interrupt = 2,
    #[cfg(unix)]
    Terminate = 15,
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
            let failed = |error| tracing::error!(%error, "cannot listen for a signal");
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
            tracing::error!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
