//! Finds the word that was meant.
//!
//! Written out here, because a dependency that every user builds would cost more than it saves.

/// `word` without what differs between the habits of writing a name: case, `_`, `-` and spaces.
pub(crate) fn squashed(word: &str) -> String {
    word.chars()
        .filter(|char| !matches!(char, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The candidate that is only a slip away from `word`: case, `-` for `_`, or about one mistake in
/// three letters.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    let (slips, candidate) = candidates
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .min_by_key(|(slips, _)| *slips)?;
    let allowed = candidate.len().max(word.len()) / 3;
    (slips <= allowed).then_some(candidate)
}

/// How many letters to insert, drop, replace or swap with their neighbour to get from `a` to `b`.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 3] = ["timeout", "on_error", "tags"];

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        for slip in ["timeot", "tiemout", "Timeout", "time_out", "timeouts"] {
            assert_eq!(nearest(slip, &WORDS), Some("timeout"), "{slip}");
        }
        assert_eq!(nearest("on-error", &WORDS), Some("on_error"));
        assert_eq!(nearest("tag", &WORDS), Some("tags"));
    }

    #[test]
    fn another_word_is_not_bent_into_one_of_ours() {
        for word in ["", "x", "color", "retry"] {
            assert_eq!(nearest(word, &WORDS), None, "{word}");
        }
    }
}
