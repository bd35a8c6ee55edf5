//! From a request's criteria to the checks it is about.

use axum::http::StatusCode;

use super::problem::{Problem, quoted};
use super::query::Criteria;
use super::settings::Details;
use crate::evaluate::engine::Engine;

/// The `members` that fulfil the criteria.
///
/// # Errors
/// For a name or tag that nobody has, and where nothing is left.
pub(crate) fn select(
    engine: &Engine,
    members: Vec<usize>,
    criteria: &Criteria,
    details: Details,
) -> Result<Vec<usize>, Problem> {
    if criteria.is_empty() {
        return Ok(members);
    }
    for name in criteria.checks.iter().chain(&criteria.excluded) {
        if engine.find(name).is_none() {
            return Err(unknown_check(engine, name, StatusCode::BAD_REQUEST, details));
        }
    }
    let slots = engine.slots();
    for tag in &criteria.tags {
        if !slots.iter().any(|slot| slot.tags.contains(tag)) {
            let tags = slots.iter().flat_map(|slot| &slot.tags);
            return Err(unknown("tag", tag, "tags", tags, StatusCode::BAD_REQUEST, details));
        }
    }
    let fulfils = |index: &usize| {
        let slot = &slots[*index];
        (criteria.checks.is_empty() || criteria.checks.contains(&slot.name))
            && (criteria.tags.is_empty() || criteria.tags.iter().any(|tag| slot.tags.contains(tag)))
            && !criteria.excluded.contains(&slot.name)
    };
    let selected: Vec<_> = members.into_iter().filter(fulfils).collect();
    if selected.is_empty() {
        return Err(Problem::bad_request("the selection leaves no check"));
    }
    Ok(selected)
}

/// There is no check of this name.
pub(crate) fn unknown_check(
    engine: &Engine,
    name: &str,
    status: StatusCode,
    details: Details,
) -> Problem {
    let names = engine.slots().iter().map(|slot| &slot.name);
    unknown("check", name, "checks", names, status, details)
}

fn unknown<'a>(
    kind: &str,
    asked: &str,
    kinds: &str,
    valid: impl Iterator<Item = &'a String>,
    status: StatusCode,
    details: Details,
) -> Problem {
    /// A hint, not a catalogue.
    const LISTED: usize = 100;

    let mut detail = format!("there is no {kind} {}", quoted(asked));
    if details != Details::Status {
        let mut valid: Vec<_> = valid.map(String::as_str).collect();
        valid.sort_unstable();
        valid.dedup();
        let more = valid.len() > LISTED;
        valid.truncate(LISTED);
        let more = if more { ", …" } else { "" };
        detail = format!("{detail}; the {kinds} are: {}{more}", valid.join(", "));
    }
    Problem::new(status, detail)
}
