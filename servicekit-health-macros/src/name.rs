//! The grammar that names and tags share: they stand in paths, query strings and metric labels.

const MAX_LEN: usize = 64;

const RULE: &str =
    "use 1 to 64 ASCII letters, digits, `.`, `_` or `-`, starting with a letter or digit";

/// Why `name` is not valid.
pub(crate) fn problem(name: &str) -> Option<String> {
    let first = name.chars().next();
    if first == Some('$') {
        return Some(format!("`$` is reserved; {RULE}"));
    }
    if let Some(other) = name.chars().find(|char| !is_allowed(*char)) {
        return Some(format!("`{}` is not allowed; {RULE}", other.escape_debug()));
    }
    match name.len() {
        1..=MAX_LEN if first.is_some_and(|first| first.is_ascii_alphanumeric()) => None,
        length if length > MAX_LEN => Some(format!("{length} characters are too many; {RULE}")),
        _ => Some(RULE.to_owned()),
    }
}

/// `name` with a `-` for each run of what is not allowed, if that is still the same name: without
/// its umlauts, a word is another word.
pub(crate) fn rewrite(name: &str) -> Option<String> {
    let is_separator = |char: char| char.is_ascii() && !is_allowed(char);
    let parts: Vec<_> = name.split(is_separator).filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    let name = name.trim_start_matches(|char: char| !char.is_alphanumeric());
    problem(name).is_none().then(|| name.to_owned())
}

fn is_allowed(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_dots_dashes_and_underscores_are_a_name() {
        let longest = "a".repeat(MAX_LEN);
        for name in ["a", "7", "redis", "shard-3", "db.main_1", "A-", longest.as_str()] {
            assert_eq!(problem(name), None, "{name}");
            assert_eq!(rewrite(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn anything_else_is_told_what_is_wrong_and_what_it_could_be() {
        for (name, wrong, written) in [
            ("", "use 1 to 64", None),
            ("$stream", "`$` is reserved", Some("stream")),
            ("a b", "` ` is not allowed", Some("a-b")),
            ("db/main", "`/` is not allowed", Some("db-main")),
            ("größe", "`ö` is not allowed", None),
            ("/", "`/` is not allowed", None),
            ("tab\there", "`\\t` is not allowed", Some("tab-here")),
            ("_x", "starting with a letter or digit", Some("x")),
            (".", "use 1 to 64", None),
            (&"a".repeat(65), "65 characters are too many", None),
        ] {
            let problem = problem(name).unwrap();
            assert!(problem.contains(wrong), "{name}: {problem}");
            assert_eq!(rewrite(name).as_deref(), written);
        }
    }
}
