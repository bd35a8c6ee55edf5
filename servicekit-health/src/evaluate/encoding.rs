//! A report as its readers get it: encoded once, although the ages in it differ at every moment.

use std::time::Duration;

use bytes::Bytes;

use crate::sync::{Mutex, lock};

/// How long the ages in a text are near enough to the truth.
pub(crate) const AGES_HOLD: Duration = Duration::from_millis(1);

/// The same for each age, where there are more than a thousand: writing one anew takes about a tenth
/// of that, and so never takes more than a tenth of a processor, however many there are and however
/// often they are read.
const AGE_HOLDS: Duration = Duration::from_micros(1);

/// About how much room an age takes, in bytes.
const AGE_LEN: usize = 12;

/// A text in which only ages differ from one moment to the next.
#[derive(Default)]
pub(crate) struct Encoding {
    /// All but the ages.
    text: Bytes,
    ages: Vec<Age>,
    /// The newest text with ages, and how much time had passed then.
    newest: Mutex<Option<(Duration, Bytes)>>,
}

/// How old something was when the text was made.
struct Age {
    /// The place in the text before which it stands.
    at: usize,
    nanos: u64,
}

impl Encoding {
    /// `texts` with each of the `ages` between two of them. The first text stands before all ages.
    pub(crate) fn with_ages<'a>(
        texts: impl Iterator<Item = &'a [u8]>,
        ages: impl Iterator<Item = Duration>,
    ) -> Self {
        let mut ages = ages.map(nanos);
        let (mut all, mut places) = (Vec::new(), Vec::new());
        for (index, text) in texts.enumerate() {
            if index > 0 {
                let nanos = ages.next().expect("an age for each place");
                places.push(Age { at: all.len(), nanos });
            }
            all.extend_from_slice(text);
        }
        Self { text: all.into(), ages: places, newest: Mutex::default() }
    }

    /// The text of the moment which is that much later. Those who read it at about the same time share
    /// one.
    pub(crate) fn after(&self, passed: impl FnOnce() -> Duration) -> Bytes {
        if self.ages.is_empty() {
            return self.text.clone();
        }
        let passed = passed();
        let ages = u32::try_from(self.ages.len()).unwrap_or(u32::MAX);
        let hold = AGES_HOLD.max(AGE_HOLDS.saturating_mul(ages));
        let mut newest = lock(&self.newest);
        if let Some((then, text)) = &*newest
            && passed.checked_sub(*then).is_some_and(|since| since < hold)
        {
            return text.clone();
        }
        let text = Bytes::from(self.write(nanos(passed)));
        *newest = Some((passed, text.clone()));
        text
    }

    fn write(&self, passed: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + self.ages.len() * AGE_LEN);
        let mut begin = 0;
        for age in &self.ages {
            out.extend_from_slice(&self.text[begin..age.at]);
            write_millis(&mut out, age.nanos.saturating_add(passed));
            begin = age.at;
        }
        out.extend_from_slice(&self.text[begin..]);
        out
    }
}

impl From<Bytes> for Encoding {
    /// A text without ages.
    fn from(text: Bytes) -> Self {
        Self { text, ..Self::default() }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds with microseconds as their fraction, as `model::time::millis` and serde write them,
/// at a fraction of the cost: there may be thousands in one text.
fn write_millis(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos / 1000;
    let mut buffer = itoa::Buffer::new();
    out.extend_from_slice(buffer.format(micros / 1000).as_bytes());
    out.push(b'.');
    // The 1 keeps the zeros at the begin of the fraction. Those at its end are left out, but for the
    // first.
    let fraction = buffer.format(1000 + micros % 1000).as_bytes();
    let end = match fraction {
        [.., _, b'0', b'0'] => 2,
        [.., b'0'] => 3,
        _ => 4,
    };
    out.extend_from_slice(&fraction[1..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::millis;

    #[test]
    fn an_age_is_written_as_serde_writes_it() {
        let year = 366 * 24 * 60 * 60 * 1_000_000_u64;
        let numbers = (0..12_000).chain((0..5_000_000_000).step_by(1_234_567));
        let large = [year - 1, year, 100 * year + 7, 280 * year + 120];
        for micros in numbers.chain(large) {
            let mut text = Vec::new();
            write_millis(&mut text, micros * 1000 + 999);
            let serde = serde_json::to_string(&millis(Duration::from_micros(micros))).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), serde);
        }
    }

    #[test]
    fn only_the_ages_differ_and_readers_of_one_moment_share_them() {
        let texts = [&b"a "[..], b", b ", b"."].into_iter();
        let ages = [Duration::from_millis(5), Duration::from_micros(70)].into_iter();
        let encoding = Encoding::with_ages(texts, ages);
        let after = |micros| encoding.after(|| Duration::from_micros(micros));
        let first = after(0);
        assert_eq!(first, "a 5.0, b 0.07.");
        assert_eq!(after(999).as_ptr(), first.as_ptr());
        assert_eq!(after(1000), "a 6.0, b 1.07.");
        assert_eq!(after(500), "a 5.5, b 0.57.", "a reader that was slower than another");

        let ages = vec![Duration::ZERO; 3000];
        let encoding = Encoding::with_ages(std::iter::repeat_n(&b" "[..], 3001), ages.into_iter());
        let first = encoding.after(|| Duration::ZERO);
        assert_eq!(encoding.after(|| Duration::from_micros(2999)).as_ptr(), first.as_ptr());
        assert_ne!(encoding.after(|| Duration::from_millis(3)), first);

        let text = Encoding::from(Bytes::from_static(b"text"));
        assert_eq!(text.after(|| unreachable!("it has no ages")), "text");
    }
}
