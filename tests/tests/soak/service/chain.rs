//! The transitions as one listener has them: each begins where the last one of its check ended.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use servicekit_health::{HealthState, Transition};

/// How many are kept, for a comparison with the history.
const KEPT: usize = 512;

pub(super) struct Chain {
    listener: &'static str,
    states: BTreeMap<String, HealthState>,
    received: u64,
    missed: u64,
    recent: VecDeque<Value>,
}

impl Chain {
    pub(super) fn new(listener: &'static str) -> Self {
        Self { listener, states: BTreeMap::new(), received: 0, missed: 0, recent: VecDeque::new() }
    }

    /// What is wrong with this one, if something is.
    pub(super) fn take(&mut self, next: &Transition) -> Option<String> {
        self.received += 1;
        if next.missed > 0 {
            self.missed += next.missed;
            self.states.clear();
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        let state = |state: HealthState| state.as_str();
        self.recent.push_back(json!([next.check, next.from.map(state), state(next.to)]));

        let Transition { check, from, to, .. } = next;
        let before = self.states.insert(check.clone(), *to);
        let fits = match before {
            Some(before) => *from == Some(before),
            // A check that starts out healthy is no news.
            None => self.missed > 0 || from.is_none_or(|from| from == HealthState::Healthy),
        };
        let changes = *from != Some(*to) && (from.is_some() || *to != HealthState::Healthy);
        (!fits || !changes).then(|| {
            format!(
                "{}: the transition of {check} from {from:?} to {to:?} follows one to {before:?}",
                self.listener
            )
        })
    }

    /// How many it has seen, and how many it was told that it lost.
    pub(super) fn counts(&self) -> Value {
        json!({"received": self.received, "missed": self.missed})
    }

    /// The last ones, oldest first: check, from, to.
    pub(super) fn recent(&self) -> Value {
        self.recent.iter().cloned().collect()
    }
}
