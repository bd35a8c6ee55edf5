//! The way of a change of state to whoever listens.
//!
//! One bounded queue, read by every listener at its own pace: a listener that is too slow loses the
//! oldest transitions and is told how many, and holds up nobody.

use std::sync::Arc;

use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, error::RecvError};

use super::model::Transition;

/// How many transitions a listener may lag behind.
const QUEUE: usize = 128;

/// A callback of `HealthBuilder::on_transition`.
pub(crate) type Callback = Arc<dyn Fn(&Transition) + Send + Sync>;

#[derive(Debug)]
pub(crate) struct Transitions {
    queue: broadcast::Sender<Transition>,
}

impl Transitions {
    pub(crate) fn new() -> Self {
        let (queue, _) = broadcast::channel(QUEUE);
        Self { queue }
    }

    pub(crate) fn send(&self, transition: Transition) {
        // An error says that nobody listens.
        let _ = self.queue.send(transition);
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
    async fn next(&mut self) -> Option<Transition> {
        let mut missed = 0;
        loop {
            match self.queue.recv().await {
                Ok(transition) => {
                    return Some(Transition { missed, ..transition });
                }
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

    /// Calls every callback with every transition, one at a time, on the blocking pool: a callback
    /// that blocks or panics disturbs neither the checks nor the other callbacks' order.
    pub(crate) async fn call(mut self, callbacks: Vec<Callback>) {
        while let Some(transition) = self.next().await {
            let transition = Arc::new(transition);
            for callback in &callbacks {
                let (callback, transition) = (Arc::clone(callback), Arc::clone(&transition));
                let called = tokio::task::spawn_blocking(move || callback(&transition)).await;
                if called.is_err_and(|error| error.is_panic()) {
                    tracing::error!("a callback of on_transition panicked");
                }
            }
        }
    }
}
