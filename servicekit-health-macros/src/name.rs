//! The grammar that names and tags share: they stand in paths, query strings and metric labels.

use syn::LitStr;

use crate::errors::Errors;

const LONGEST: usize = 64;

/// Whether `text` may be a name; otherwise it is reported.
pub(crate) fn check(what: &str, text: &LitStr, errors: &mut Errors) -> bool {
    match problem(&text.value()) {
        None => true,
        Some(problem) => {
            errors.at(text, format!("this cannot be a {what}: {problem}"));
            false
        }
    }
}

/// What keeps `name` from being one.
pub(crate) fn problem(name: &str) -> Option<String> {
    let mut chars = name.chars();
    let Some(first) = chars.next() else {
        return Some("it is empty".to_owned());
    };
    if first == '$' {
        return Some("what begins with `$` is reserved".to_owned());
    }
    if let Some(odd) = name.chars().find(|char| !allowed(*char)) {
        let odd = odd.escape_debug();
        let tame = tame(name);
        // Without its umlauts a word is no word any more.
        let write = match problem(&tame) {
            None if name.is_ascii() => format!("; `\"{tame}\"` would do"),
            _ => String::new(),
        };
        return Some(format!(
            "only ASCII letters, digits, `.`, `_` and `-` are allowed, not `{odd}`{write}"
        ));
    }
    if !first.is_ascii_alphanumeric() {
        return Some(format!("it begins with a letter or a digit, not with `{first}`"));
    }
    let length = name.len();
    (length > LONGEST).then(|| format!("it has {length} characters, and {LONGEST} are allowed"))
}

fn allowed(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-')
}

/// `name` with a `-` for each run of what is not allowed.
fn tame(name: &str) -> String {
    let parts: Vec<_> = name.split(|char| !allowed(char)).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_dots_dashes_and_underscores_are_a_name() {
        let longest = "a".repeat(LONGEST);
        for name in ["a", "7", "redis", "shard-3", "db.main_1", "A-", longest.as_str()] {
            assert_eq!(problem(name), None, "{name}");
        }
    }

    #[test]
    fn anything_else_is_told_what_is_wrong() {
        for (name, wrong) in [
            ("", "it is empty"),
            ("$stream", "reserved"),
            ("a b", "`\"a-b\"` would do"),
            ("db/main", "not `/`; `\"db-main\"` would do"),
            ("größe", "not `ö`"),
            ("/", "not `/`"),
            ("tab\there", "not `\\t`"),
            ("_x", "begins with a letter or a digit, not with `_`"),
            (".", "begins with"),
            (&"a".repeat(65), "it has 65 characters, and 64 are allowed"),
        ] {
            let problem = problem(name).unwrap();
            assert!(problem.contains(wrong), "{name}: {problem}");
        }
    }
}
