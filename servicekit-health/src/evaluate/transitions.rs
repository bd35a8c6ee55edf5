//! Sends transitions to all listeners, and keeps the last ones for later readers.
//!
//! One bounded queue, read by every listener at its own pace: a listener that is too slow loses the
//! oldest transitions and is told how many; no other listener waits for it.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::model::Transition;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// How many transitions a listener may lag behind; more where there are more checks.
const QUEUE: usize = 128;

#[derive(Debug)]
pub(crate) struct Transitions {
    queue: broadcast::Sender<Transition>,
    history: Mutex<VecDeque<Transition>>,
    /// How many the history keeps.
    kept: usize,
    sent: AtomicU64,
}

impl Transitions {
    /// For this many checks, which may all change at once.
    pub(crate) fn new(checks: usize, kept: usize) -> Self {
        let (queue, _) = broadcast::channel(QUEUE.max(checks));
        Self { queue, history: Mutex::default(), kept, sent: AtomicU64::new(0) }
    }

    pub(crate) fn send(&self, transition: &Transition) {
        if self.kept > 0 {
            let mut history = lock(&self.history);
            if history.len() == self.kept {
                history.pop_front();
            }
            history.push_back(transition.clone());
        }
        self.sent.fetch_add(1, Ordering::AcqRel);
        // An error says that there is no listener.
        let _ = self.queue.send(transition.clone());
    }

    /// How many there have been.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// The last transitions, newest first.
    pub(crate) fn history(&self) -> Vec<Transition> {
        lock(&self.history).iter().rev().cloned().collect()
    }

    pub(crate) fn has_listeners(&self) -> bool {
        self.queue.receiver_count() > 0
    }

    pub(crate) fn listen(&self) -> Listener {
        Listener { queue: self.queue.subscribe() }
    }
}

/// One reader of the queue. It counts as listening until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    queue: broadcast::Receiver<Transition>,
}

impl Listener {
    /// The next transition; `None` once the engine is gone.
    pub(crate) async fn next(&mut self) -> Option<Transition> {
        let mut missed = 0;
        loop {
            match self.queue.recv().await {
                Ok(transition) => return Some(Transition { missed, ..transition }),
                Err(RecvError::Lagged(lost)) => missed += lost,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The same for a thread that may wait.
    pub(crate) fn blocking_next(&mut self) -> Option<Transition> {
        let mut missed = 0;
        loop {
            match self.queue.blocking_recv() {
                Ok(transition) => return Some(Transition { missed, ..transition }),
                Err(RecvError::Lagged(lost)) => missed += lost,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    pub(crate) fn into_stream(self) -> impl Stream<Item = Transition> + Send + 'static {
        stream::unfold(self, async |mut listener| {
            let transition = listener.next().await?;
            Some((transition, listener))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::HealthState;

    /// The longest name and message a check can have.
    fn transition(number: usize) -> Transition {
        Transition {
            check: format!("{number:064}"),
            from: Some(HealthState::Healthy),
            to: HealthState::Unhealthy,
            message: Some("x".repeat(1024)),
            at: SystemTime::UNIX_EPOCH,
            lasted: None,
            failures: 1,
            missed: 0,
        }
    }

    #[test]
    fn the_history_keeps_the_last_transitions_within_256_kib_whatever_happens() {
        let transitions = Transitions::new(100, 128);
        for number in 0..10_000 {
            transitions.send(&transition(number));
        }
        let history = transitions.history();
        assert_eq!((history.len(), &*history[0].check), (128, &*format!("{:064}", 9_999)));
        let texts = |it: &Transition| it.check.len() + it.message.as_ref().map_or(0, String::len);
        let bytes: usize = history.iter().map(|it| size_of::<Transition>() + texts(it)).sum();
        assert!(bytes < 256 * 1024, "{bytes} bytes");
    }
}
