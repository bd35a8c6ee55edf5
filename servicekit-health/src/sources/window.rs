//! Successes and failures within a sliding window of time, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many parts the window has. The oldest leaves as a whole, so a count covers between 9 and 10
/// tenths of the window.
const PARTS: usize = 10;

/// A count takes 22 bits, and the number of its part 20.
const COUNT_BITS: u32 = 22;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const PART_MASK: u64 = (1 << (u64::BITS - 2 * COUNT_BITS)) - 1;

/// The counts of one window: ten words.
pub(super) struct Window {
    parts: [AtomicU64; PARTS],
}

/// What one call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Succeeded,
    Failed,
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
}

impl Calls {
    pub(super) const fn all(self) -> u64 {
        self.succeeded + self.failed
    }
}

/// One part's word, unpacked.
#[derive(Clone, Copy)]
struct Part {
    /// Which part of all time it is, modulo 2^20.
    number: u64,
    calls: Calls,
}

impl Part {
    const fn unpack(word: u64) -> Self {
        let succeeded = word & COUNT_MAX;
        let failed = word >> COUNT_BITS & COUNT_MAX;
        Self { number: word >> (2 * COUNT_BITS), calls: Calls { succeeded, failed } }
    }

    const fn pack(self) -> u64 {
        let Calls { succeeded, failed } = self.calls;
        self.number << (2 * COUNT_BITS) | failed << COUNT_BITS | succeeded
    }

    /// Counts a call of the part `number`; what was there of an older part goes. A late call counts
    /// in the part that it finds.
    const fn count(mut self, number: u64, call: Call) -> Self {
        if self.number != number && !self.is_after(number) {
            self = Self { number, calls: Calls { succeeded: 0, failed: 0 } };
        }
        let Calls { succeeded, failed } = &mut self.calls;
        if *succeeded == COUNT_MAX || *failed == COUNT_MAX {
            // The share of failures stays.
            *succeeded /= 2;
            *failed /= 2;
        }
        match call {
            Call::Succeeded => *succeeded += 1,
            Call::Failed => *failed += 1,
        }
        self
    }

    /// How many parts ago this one was, seen from `number`.
    const fn age(self, number: u64) -> u64 {
        number.wrapping_sub(self.number) & PART_MASK
    }

    /// Whether another thread has begun this part already, while the one that asks was held up.
    const fn is_after(self, number: u64) -> bool {
        self.age(number) > PART_MASK - 2 * PARTS as u64
    }
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { parts: [const { AtomicU64::new(0) }; PARTS] }
    }

    /// How long a part of such a window is, in nanoseconds.
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    pub(super) const fn part_length(window: Duration) -> u64 {
        match window.as_nanos() / PARTS as u128 {
            0 => 1,
            // 584 years fit.
            length if length > u64::MAX as u128 => u64::MAX,
            length => length as u64,
        }
    }

    /// The number of the part that is so many nanoseconds after the beginning. From 1: the words
    /// begin as part 0, without a call.
    pub(super) const fn part(since: u64, part_length: u64) -> u64 {
        (since / part_length).saturating_add(1)
    }

    pub(super) fn count(&self, part: u64, call: Call) {
        let word = &self.parts[Self::index(part)];
        let number = part & PART_MASK;
        let counted = |word| Some(Part::unpack(word).count(number, call).pack());
        // It never declines, so it ends with the count.
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }

    /// All calls of the window that ends with `part`.
    pub(super) fn calls(&self, part: u64) -> Calls {
        let number = part & PART_MASK;
        let parts = self.parts.iter().map(|word| Part::unpack(word.load(Ordering::Relaxed)));
        let current = parts.filter(|part| {
            // One that begins while this reads is part of the window too.
            part.age(number) < PARTS as u64 || part.is_after(number)
        });
        current.fold(Calls::default(), |sum, part| Calls {
            succeeded: sum.succeeded + part.calls.succeeded,
            failed: sum.failed + part.calls.failed,
        })
    }

    fn index(part: u64) -> usize {
        usize::try_from(part % PARTS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn calls_leave_with_their_part_of_the_window() {
        let window = Window::new();
        window.count(1, Call::Failed);
        window.count(5, Call::Succeeded);
        assert_eq!(window.calls(10), Calls { succeeded: 1, failed: 1 });
        assert_eq!(window.calls(11), Calls { succeeded: 1, failed: 0 });
        assert_eq!(window.calls(15), Calls::default());
        window.count(11, Call::Failed);
        assert_eq!(window.calls(11), Calls { succeeded: 1, failed: 1 }, "in the place of part 1");
    }

    #[test]
    fn a_window_without_calls_for_long_is_empty() {
        let window = Window::new();
        window.count(1, Call::Failed);
        for later in [12, 1000, PART_MASK / 2, PART_MASK - 100, 10 * PART_MASK / 4] {
            assert_eq!(window.calls(later).all(), 0, "{later}");
        }
    }

    #[test]
    fn a_late_call_counts_and_discards_nothing() {
        let window = Window::new();
        window.count(21, Call::Failed);
        window.count(11, Call::Succeeded);
        assert_eq!(window.calls(21), Calls { succeeded: 1, failed: 1 });
    }

    #[test]
    fn a_count_that_is_full_keeps_the_share_of_failures() {
        let window = Window::new();
        let full = Part { number: 1, calls: Calls { succeeded: COUNT_MAX, failed: 1_000_000 } };
        window.parts[1].store(full.pack(), Ordering::Relaxed);
        window.count(1, Call::Succeeded);
        let calls = window.calls(1);
        assert_eq!(calls, Calls { succeeded: COUNT_MAX / 2 + 1, failed: 500_000 });
    }

    #[test]
    fn parts_begin_on_the_grid_of_the_window() {
        let second = Window::part_length(Duration::from_secs(10));
        let part = |millis: u64| Window::part(millis * 1_000_000, second);
        assert_eq!([0, 999, 1000, 10_000].map(part), [1, 1, 2, 11]);
        assert_eq!(Window::part_length(Duration::MAX), u64::MAX);
        assert_eq!(Window::part(u64::MAX, Window::part_length(Duration::ZERO)), u64::MAX);
    }

    #[test]
    fn no_call_is_lost_between_threads() {
        const CALLS: u64 = 20_000;
        let window = Window::new();
        thread::scope(|scope| {
            for call in [Call::Succeeded, Call::Failed, Call::Succeeded, Call::Failed] {
                // All over the window's parts, each begun by the thread that is first.
                let window = &window;
                scope.spawn(move || (0..CALLS).for_each(|at| window.count(1 + at % 10, call)));
            }
        });
        let both = 2 * CALLS;
        assert_eq!(window.calls(10), Calls { succeeded: both, failed: both });
    }
}
