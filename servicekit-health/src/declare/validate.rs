//! What a list of checks must fulfil. Every function adds what it finds to the problems.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::check::{Check, Origin};
use super::dependencies::Provided;
use super::descriptor::CheckDescriptor;
use super::suggest;

/// The longest duration anywhere.
const MAX_DURATION: Duration = Duration::from_secs(60 * 60);

/// The shortest time between two runs.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The longest name or tag, in bytes.
const MAX_NAME_LEN: usize = 64;

const NAME_RULE: &str =
    "use 1 to 64 ASCII letters, digits, `.`, `_` or `-`, starting with a letter or digit";

/// `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 64 characters: safe in a path, a query and a label.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= MAX_NAME_LEN
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(inner)
}

/// The rules that the attribute checks at compile time, for the checks made at run time.
pub(crate) fn check(check: &Check, problems: &mut Vec<String>) {
    let Check { name, settings, origin, .. } = check;
    let mut refuse = |what: String| problems.push(format!("check `{name}` ({origin}): {what}"));
    if !is_name(name) {
        refuse(format!("invalid name: {NAME_RULE}"));
    }
    for tag in check.tags.iter().filter(|tag| !is_name(tag)) {
        refuse(format!("invalid tag `{tag}`: {NAME_RULE}"));
    }
    let durations =
        [("timeout", settings.timeout), ("`unhealthy_after`", settings.unhealthy_after)];
    for (what, duration) in durations {
        if let Some(problem) = duration.and_then(|duration| duration_problem(what, duration)) {
            refuse(problem);
        }
    }
    if let Some(problem) = settings.interval.and_then(|it| interval_problem("interval", it)) {
        refuse(problem);
    }
    if settings.cache.is_some_and(|cache| cache > MAX_DURATION) {
        refuse("the cache exceeds the maximum of 1 hour".to_owned());
    }
    if settings.cache.is_some() && settings.interval.is_some() {
        refuse(
            "`cache` and `interval` exclude each other; a background check's result serves until \
             the next one"
                .to_owned(),
        );
    }
    if check.zero_threshold {
        refuse("invalid threshold 0: expected an integer of at least 1".to_owned());
    }
}

/// `what` must be above zero and at most an hour.
pub(crate) fn duration_problem(what: &str, duration: Duration) -> Option<String> {
    if duration.is_zero() {
        Some(format!("the {what} is zero; expected a duration above zero"))
    } else if duration > MAX_DURATION {
        Some(format!("the {what} of {duration:?} exceeds the maximum of 1 hour"))
    } else {
        None
    }
}

/// `what` must be long enough to leave time for anything else.
pub(crate) fn interval_problem(what: &str, interval: Duration) -> Option<String> {
    if interval < MIN_INTERVAL {
        Some(format!("the {what} of {interval:?} is too short; expected at least {MIN_INTERVAL:?}"))
    } else {
        duration_problem(what, interval)
    }
}

/// Every name once.
pub(crate) fn unique_names(checks: &[Check], problems: &mut Vec<String>) {
    let mut by_name: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in checks {
        by_name.entry(&check.name).or_default().push(check);
    }
    for (name, checks) in by_name.into_iter().filter(|(_, checks)| checks.len() > 1) {
        problems.push(compiled_twice(name, &checks).unwrap_or_else(|| duplicate(name, &checks)));
    }
}

fn duplicate(name: &str, checks: &[&Check]) -> String {
    let places = checks.iter().map(|check| match check.origin {
        Origin::Linked(function) => format!("`{}` at {}", path(function), check.origin),
        Origin::Dynamic(_) => format!("a `Check` at {}", check.origin),
    });
    let mut places: Vec<_> = places.collect();
    // The linker's order changes with profile and LTO.
    places.sort();
    let skippable = checks.iter().filter_map(|check| match check.origin {
        Origin::Linked(function) => Some(path(function)),
        Origin::Dynamic(_) => None,
    });
    let remedy = match skippable.min() {
        Some(path) => format!("rename one, or leave one out with `.skip([\"{path}\"])`"),
        None => "rename one".to_owned(),
    };
    format!("duplicate check name `{name}`: {}; {remedy}", places.join(" and "))
}

/// The same function of the same file, in the library and in the program of one package: to skip it
/// would leave out both.
fn compiled_twice(name: &str, checks: &[&Check]) -> Option<String> {
    let [one, other] = checks else { return None };
    let (Origin::Linked(one), Origin::Linked(other)) = (one.origin, other.origin) else {
        return None;
    };
    let place = |it: &CheckDescriptor| (it.module, it.function, it.file, it.line);
    if place(one) != place(other) {
        return None;
    }
    let (package, module) = one.module.split_once("::").unwrap_or((one.module, "checks"));
    let module = module.split("::").next().unwrap_or(module);
    Some(format!(
        "check `{name}` is compiled into this program twice: {} is a module of the library and of \
         the binary; remove `mod {module};` from one of them (keep it in lib.rs and write \
         `use {package} as _;` in main.rs)",
        one.file
    ))
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
    // A type may be borrowed and cloned by the same function.
    for wanted in missing.collect::<BTreeSet<_>>() {
        let CheckDescriptor { name, file, line, .. } = function;
        let hint = provided.type_names().find_map(|given| near_miss(wanted, given));
        let remedy = hint.unwrap_or_else(|| {
            "give one to the builder with `.provide(...)`, or take `Option<&T>`".to_owned()
        });
        problems.push(format!(
            "check `{name}` ({file}:{line}) depends on `{wanted}`, which was not provided; {remedy}"
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
        Some(format!("`{given}` was provided: take that, or provide what is in it"))
    } else if holds(wanted, given) {
        Some(format!("`{given}` was provided: take that, or provide it wrapped"))
    } else if simple_name(wanted) == simple_name(given) {
        Some(format!("`{given}` was provided: another type of the same name"))
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
pub(crate) fn required(
    names: &[String],
    checks: &[Check],
    skipped: &[String],
    problems: &mut Vec<String>,
) {
    let known: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
    let wanted: BTreeSet<_> = names.iter().collect();
    for name in wanted.into_iter().filter(|name| !known.contains(&name.as_str())) {
        problems.push(if skipped.contains(name) {
            format!("required check `{name}` is left out by `skip`; remove it from one of the two")
        } else if known.is_empty() {
            format!(
                "required check `{name}` is not registered (no checks are registered); {NOT_LINKED}"
            )
        } else {
            let hint = suggest::known(name, &known);
            format!("required check `{name}` is not registered; {hint}; {NOT_LINKED}")
        });
    }
}

const NOT_LINKED: &str = "a crate is linked only when something of it is used: \
     `use my_checks as _;` in main.rs links its checks";

/// Every skipped check linked.
pub(crate) fn skipped(
    names: &[String],
    linked: &[&'static CheckDescriptor],
    problems: &mut Vec<String>,
) {
    let wanted: BTreeSet<_> = names.iter().collect();
    for name in wanted {
        if linked.iter().any(|check| is_called(check, name)) {
            continue;
        }
        let paths: Vec<_> = linked.iter().map(|check| path(check)).collect();
        let known: Vec<_> = if name.contains("::") {
            paths.iter().map(String::as_str).collect()
        } else {
            linked.iter().map(|check| check.name).collect()
        };
        let hint = suggest::known(name, &known);
        problems.push(format!("`skip` refers to unknown check `{name}`; {hint}"));
    }
}

/// By name or by path.
pub(crate) fn is_called(check: &CheckDescriptor, wanted: &str) -> bool {
    check.name == wanted || path(check) == wanted
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
