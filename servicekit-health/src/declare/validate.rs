//! What a list of checks must fulfil. Every function adds what it finds to the problems.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{Check, Origin};
use super::descriptor::CheckDescriptor;
use super::provided::Provided;

/// The longest duration anywhere: a health check that takes longer is none.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The longest name or tag, in bytes.
const NAME_LIMIT: usize = 64;

/// `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 64 characters: safe in a path, a query and a label.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= NAME_LIMIT
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(inner)
}

/// The rules that the attribute checks at compile time, for the checks made at run time.
pub(crate) fn check(check: &Check, problems: &mut Vec<String>) {
    let Check { name, settings, origin, .. } = check;
    let mut refuse = |what: String| problems.push(format!("check `{name}` ({origin}): {what}"));
    let rule =
        "letters, digits, `.`, `_` and `-`, begins with a letter or digit, and has 1 to 64 of them";
    if !is_name(name) {
        refuse(format!("its name breaks the rule; a name consists of {rule}"));
    }
    for tag in check.tags.iter().filter(|tag| !is_name(tag)) {
        refuse(format!("its tag `{tag}` breaks the rule; a tag consists of {rule}"));
    }
    for (what, duration) in [("timeout", settings.timeout), ("interval", settings.interval)] {
        if let Some(problem) = duration.and_then(|duration| duration_problem(what, duration)) {
            refuse(problem);
        }
    }
    if settings.cache.is_some_and(|cache| cache > LONGEST) {
        refuse("its cache is longer than an hour".to_owned());
    }
    if settings.cache.is_some() && settings.interval.is_some() {
        refuse(
            "it has a cache and an interval; a background check's result serves until its next one"
                .to_owned(),
        );
    }
    if settings.probes.is_empty() {
        refuse(
            "it belongs to no probe; name at least one of liveness, readiness and startup"
                .to_owned(),
        );
    }
    if check.zero_threshold {
        refuse("its threshold is 0; the least is 1".to_owned());
    }
}

/// `what` must be above zero and at most an hour.
pub(crate) fn duration_problem(what: &str, duration: Duration) -> Option<String> {
    if duration.is_zero() {
        Some(format!("the {what} is zero; it must be above zero"))
    } else if duration > LONGEST {
        Some(format!("the {what} is {duration:?}; the most is an hour"))
    } else {
        None
    }
}

/// Every name once.
pub(crate) fn unique_names(checks: &[Check], problems: &mut Vec<String>) {
    let mut by_name: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in checks {
        by_name.entry(&check.name).or_default().push(check);
    }
    for (name, checks) in by_name.into_iter().filter(|(_, checks)| checks.len() > 1) {
        let places = checks.iter().map(|check| match check.origin {
            Origin::Linked(function) => {
                format!("`{}` at {}", path(function), check.origin)
            }
            Origin::Made(_) => format!("a `Check` at {}", check.origin),
        });
        let places = places.collect::<Vec<_>>().join(" and ");
        let skippable = checks.iter().find_map(|check| match check.origin {
            Origin::Linked(function) => Some(path(function)),
            Origin::Made(_) => None,
        });
        let remedy = match skippable {
            Some(path) => format!("rename one, or leave one out, as `.skip([\"{path}\"])`"),
            None => "rename one".to_owned(),
        };
        let count = checks.len();
        problems.push(format!("{count} checks are named `{name}`: {places}; {remedy}"));
    }
}

/// `module::function`
pub(crate) fn path(function: &CheckDescriptor) -> String {
    format!("{}::{}", function.module, function.function)
}

/// Every dependency provided.
pub(crate) fn dependencies(
    function: &CheckDescriptor,
    provided: &Provided,
    problems: &mut Vec<String>,
) {
    let missing = function.parameters.iter().filter_map(|parameter| parameter.missing(provided));
    for wanted in missing {
        let CheckDescriptor { name, file, line, .. } = function;
        let hint = provided.type_names().find_map(|given| near_miss(wanted, given));
        let remedy = hint.unwrap_or_else(|| {
            "give one to the builder with `.provide(...)`, or take an `Option<&T>`".to_owned()
        });
        problems.push(format!(
            "check `{name}` ({file}:{line}) depends on a `{wanted}`, which nobody provided; {remedy}"
        ));
    }
}

/// What to do where `given` is almost what is `wanted`.
fn near_miss(wanted: &str, given: &str) -> Option<String> {
    let holds = |outer: &str, inner: &str| {
        let argument = outer.strip_suffix('>').and_then(|outer| outer.strip_suffix(inner));
        argument.is_some_and(|outer| outer.ends_with('<'))
            || outer.strip_prefix('&').is_some_and(|outer| outer == inner)
    };
    if holds(given, wanted) {
        Some(format!("a `{given}` was provided: take that, or provide what is in it"))
    } else if holds(wanted, given) {
        Some(format!("a `{given}` was provided: take that, or provide it wrapped"))
    } else if simple_name(wanted) == simple_name(given) {
        Some(format!("a `{given}` was provided: another type of the same name"))
    } else {
        None
    }
}

/// The name of a type without its path: `Pool<Postgres>` of `sqlx::Pool<sqlx::Postgres>`.
fn simple_name(name: &str) -> String {
    name.split_inclusive(['<', '>', ',', ' ', '(', ')', '[', ']', '&'])
        .map(|part| part.rsplit("::").next().unwrap_or(part))
        .collect()
}

/// Every required check there.
pub(crate) fn required(names: &[String], checks: &[Check], problems: &mut Vec<String>) {
    for name in names {
        if !checks.iter().any(|check| check.name == *name) {
            problems.push(format!(
                "the required check `{name}` is not there; {}. A crate is only linked when \
                 something of it is used: `use my_checks as _;` in `main.rs` brings its checks in",
                listed(checks.iter().map(|check| check.name.as_str()))
            ));
        }
    }
}

/// `there are a, b and c`
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.sort();
    match names.as_slice() {
        [] => "there is none at all".to_owned(),
        [one] => format!("there is only {one}"),
        [several @ .., last] => format!("there are {} and {last}", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_a_path_and_a_label() {
        for name in ["a", "0", "redis", "db.primary", "shard-3", "a_b", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "$drain", "-a", ".a", "_a", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_type_that_was_almost_provided_is_pointed_out() {
        let hint = |wanted, given| near_miss(wanted, given).unwrap_or_default();
        assert!(hint("app::Db", "alloc::sync::Arc<app::Db>").contains("take that"));
        assert!(hint("alloc::sync::Arc<app::Db>", "app::Db").contains("wrapped"));
        assert!(hint("app::Db", "&app::Db").contains("take that"));
        assert!(hint("v1::Pool<v1::Pg>", "v2::Pool<v2::Pg>").contains("same name"));
        assert_eq!(near_miss("app::Db", "app::Cache"), None);
        assert_eq!(near_miss("app::Db", "alloc::sync::Arc<app::OtherDb>"), None);
    }
}
