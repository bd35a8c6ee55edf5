//! From serving to gone: draining, what begins it, and how long it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::events::Events;
use super::signals::Signal;
use crate::model::{DRAIN_ENTRY, DRAIN_MESSAGE, HealthState, Transition};

/// How long a program stays after SIGTERM, for balancers to notice, unless it says otherwise.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

/// How long draining lasts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DrainConfig {
    /// For everything that begins it; by default it depends on that.
    pub(crate) delay: Option<Duration>,
    /// Beyond the delay, at most this long from the begin, for requests that are under way.
    pub(crate) until_idle: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    draining_since: Option<Instant>,
    /// Ctrl-C began it: a person at a terminal waits.
    by_interrupt: bool,
    signals: u32,
    /// The server may stop.
    is_over: bool,
}

/// What a signal led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    DrainingBegins,
    /// It had begun before, by a call of `drain`.
    DrainingGoesOn,
    DelayEnds,
    ProcessEnds,
}

/// The line of the log for the begin of draining, whatever began it.
pub(crate) fn log_draining() {
    tracing::info!(target: "servicekit_health", "draining: readiness now reports unhealthy");
}

pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    config: DrainConfig,
    pub(crate) in_flight: Arc<InFlight>,
    events: Arc<Events>,
}

impl Lifecycle {
    pub(crate) fn new(config: DrainConfig, events: Arc<Events>) -> Self {
        let phase = watch::Sender::new(Phase::default());
        Self { phase, config, in_flight: Arc::default(), events }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.phase.borrow().draining_since.is_some()
    }

    /// Begins to drain. Gives back whether that had not begun.
    pub(crate) fn drain(&self) -> bool {
        self.begin(false, 0)
    }

    /// Takes note of a signal: the first begins to drain, or finds the program draining; the second
    /// ends the wait; one more must end the process. Writes nothing: a log may hang.
    pub(crate) fn on_signal(&self, signal: Signal) -> Effect {
        let Phase { signals, is_over, .. } = *self.phase.borrow();
        if is_over || signals >= 2 {
            return Effect::ProcessEnds;
        }
        match (self.begin(signal == Signal::Interrupt, 1), signals) {
            (true, _) => Effect::DrainingBegins,
            (false, 0) => Effect::DrainingGoesOn,
            (false, _) => Effect::DelayEnds,
        }
    }

    fn begin(&self, by_interrupt: bool, signals: u32) -> bool {
        let mut begins = false;
        self.phase.send_modify(|phase| {
            begins = phase.draining_since.is_none();
            phase.signals += signals;
            if begins {
                phase.draining_since = Some(Instant::now());
                phase.by_interrupt = by_interrupt;
                // Before anyone can see it: a stream that is opened from here on waits for no
                // further word, and must not begin with a report of before.
                self.events.revision.changed();
            }
        });
        if begins {
            let transition = Transition {
                check: DRAIN_ENTRY.to_owned(),
                from: None,
                to: HealthState::Unhealthy,
                message: Some(DRAIN_MESSAGE.to_owned()),
                at: SystemTime::now(),
                lasted: None,
                failures: 0,
                missed: 0,
            };
            self.events.transitions.send(&transition);
            self.events.transitioned(&transition);
            self.events.changed(true);
        }
        begins
    }

    /// Ends when draining begins.
    pub(crate) fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(|phase| phase.draining_since.is_some())
    }

    /// Ends when draining is over, for those who do not decide that.
    #[cfg(any(feature = "grpc", feature = "listener"))]
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(|phase| phase.is_over)
    }

    fn reached(&self, condition: fn(&Phase) -> bool) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        // An error says that the `Health` is gone, and with it the reason to go on.
        async move { drop(phase.wait_for(condition).await) }
    }

    /// Waits for draining to begin, then for its delay, then for the requests under way.
    pub(crate) async fn wait_until_over(&self) {
        self.draining().await;
        let Phase { draining_since, by_interrupt, .. } = *self.phase.borrow();
        let begin = draining_since.unwrap_or_else(Instant::now);
        let unset = if by_interrupt { Duration::ZERO } else { DRAIN_DELAY };
        let delay = async {
            sleep_until(begin + self.config.delay.unwrap_or(unset)).await;
            if let Some(most) = self.config.until_idle {
                tokio::select! {
                    () = self.in_flight.idle() => {}
                    () = sleep_until(begin + most) => {
                        let requests = self.in_flight.count();
                        tracing::warn!(
                            target: "servicekit_health",
                            requests,
                            "draining ends with requests in flight"
                        );
                    }
                }
            }
        };
        tokio::select! {
            () = delay => {}
            () = self.reached(|phase| phase.is_over || phase.signals >= 2) => {}
        }
        self.phase.send_modify(|phase| phase.is_over = true);
    }
}

/// Requests of the application's that are under way, as far as a drain layer sees them.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: AtomicUsize,
    /// Whether a drain layer counts at all.
    is_counted: std::sync::atomic::AtomicBool,
    ended: Notify,
}

impl InFlight {
    /// From now on the count means something.
    pub(crate) fn start_counting(&self) {
        self.is_counted.store(true, Ordering::Release);
    }

    /// A request begins; it ends when the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> RequestGuard {
        self.requests.fetch_add(1, Ordering::AcqRel);
        RequestGuard(Arc::clone(self))
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::Acquire)
    }

    /// How many there are; `None` where nothing counts them.
    pub(crate) fn counted(&self) -> Option<usize> {
        self.is_counted.load(Ordering::Acquire).then(|| self.count())
    }

    async fn idle(&self) {
        loop {
            // Before the count is read, so that no end is missed.
            let ended = self.ended.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct RequestGuard(Arc<InFlight>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::events::Observers;
    use crate::evaluate::transitions::Transitions;

    fn lifecycle() -> Lifecycle {
        let events = Events::new(Transitions::new(0, 0), Vec::new(), Observers::default());
        Lifecycle::new(DrainConfig::default(), Arc::new(events))
    }

    fn effects<const N: usize>(lifecycle: &Lifecycle) -> [Effect; N] {
        [(); N].map(|()| lifecycle.on_signal(Signal::Interrupt))
    }

    #[test]
    fn whoever_sees_that_draining_has_begun_gets_no_report_of_before() {
        use std::sync::{OnceLock, Weak};

        let events: Arc<OnceLock<Weak<Events>>> = Arc::default();
        let told = Arc::new(AtomicUsize::new(0));
        let observer = {
            let (events, told) = (Arc::clone(&events), Arc::clone(&told));
            move |_: &Transition| {
                let events = events.get().and_then(Weak::upgrade).unwrap();
                told.fetch_add(usize::from(events.revision.now() > 0), Ordering::Relaxed);
            }
        };
        let observers = Observers { transitions: vec![Arc::new(observer)], ..Observers::default() };
        let of_lifecycle = Arc::new(Events::new(Transitions::new(0, 0), Vec::new(), observers));
        events.set(Arc::downgrade(&of_lifecycle)).unwrap();
        assert!(Lifecycle::new(DrainConfig::default(), of_lifecycle).drain());
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_signal_goes_further_than_the_one_before() {
        use Effect::{DelayEnds, DrainingBegins, ProcessEnds};
        assert_eq!(effects(&lifecycle()), [DrainingBegins, DelayEnds, ProcessEnds, ProcessEnds]);
    }

    #[test]
    fn the_first_signal_after_a_call_of_drain_is_the_first() {
        use Effect::{DelayEnds, DrainingGoesOn, ProcessEnds};
        let lifecycle = lifecycle();
        assert!(lifecycle.drain());
        assert!(!lifecycle.drain());
        assert_eq!(effects(&lifecycle), [DrainingGoesOn, DelayEnds, ProcessEnds]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_after_the_delay_ends_the_process() {
        let lifecycle = lifecycle();
        assert_eq!(effects(&lifecycle), [Effect::DrainingBegins]);
        lifecycle.wait_until_over().await;
        assert_eq!(effects(&lifecycle), [Effect::ProcessEnds]);
    }
}
