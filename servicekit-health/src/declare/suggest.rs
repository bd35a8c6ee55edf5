//! Suggestions for unknown names.

/// How many names are listed where none is near.
const LISTED: usize = 20;

/// ``did you mean `redis`?``, or the names that there are.
pub(crate) fn known(wanted: &str, names: &[&str]) -> String {
    if let Some(near) = nearest(wanted, names) {
        return format!("did you mean `{near}`?");
    }
    let mut names: Vec<_> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "no checks are registered".to_owned();
    }
    let more = if names.len() > LISTED { ", …" } else { "" };
    let quoted: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    format!("registered: {}{more}", quoted.join(", "))
}

/// The name that differs least, if it differs little.
fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let most = wanted.chars().count().div_ceil(3);
    let distance = |name: &&str| edits(&wanted.to_lowercase(), &name.to_lowercase());
    let nearest = names.iter().copied().min_by_key(distance)?;
    (distance(&nearest) <= most).then_some(nearest)
}

/// How many characters have to be put in, taken out or replaced.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (index, char) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(char != *against);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_named_and_otherwise_what_there_is() {
        let names = ["redis", "database", "disk"];
        assert_eq!(known("redi", &names), "did you mean `redis`?");
        assert_eq!(known("Databse", &names), "did you mean `database`?");
        assert_eq!(known("queue", &names), "registered: `database`, `disk`, `redis`");
        assert_eq!(known("queue", &[]), "no checks are registered");
    }
}
