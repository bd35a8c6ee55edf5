//! The last queries as they were sent, so that a reader that polls with the same one again costs
//! little more than one without: up to 64 names need not be decoded and looked up each time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::endpoints::refused;
use super::http::HttpState;
use super::problem::Problem;
use super::request::HealthRequest;
use crate::evaluate::group::Group;
use crate::evaluate::view::View;
use crate::sync::{Mutex, lock};

/// How many are kept, and how long one may be. A query never decides how much memory is held.
const KEPT: usize = 16;
const MAX_LEN: usize = 8 * 1024;

/// What a query asks of a report.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) view: Arc<View>,
    pub(crate) verbose: bool,
}

#[derive(Default)]
pub(crate) struct Queries(Mutex<VecDeque<Known>>);

struct Known {
    group: &'static Group,
    /// Whether that was before startup had passed.
    starting: bool,
    text: Box<str>,
    asked: Asked,
}

impl Queries {
    fn find(&self, group: &'static Group, starting: bool, text: &str) -> Option<Asked> {
        let same = |it: &&Known| {
            *it.text == *text && it.starting == starting && std::ptr::eq(it.group, group)
        };
        lock(&self.0).iter().find(same).map(|known| known.asked.clone())
    }

    fn keep(&self, group: &'static Group, starting: bool, text: &str, asked: Asked) {
        if text.len() > MAX_LEN {
            return;
        }
        let mut all = lock(&self.0);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(Known { group, starting, text: text.into(), asked });
    }
}

impl HttpState {
    /// What a request asks of a report of `group`.
    ///
    /// # Errors
    /// Where its query is not valid.
    pub(crate) fn asked(
        &self,
        group: &'static Group,
        request: &HealthRequest,
    ) -> Result<Asked, Problem> {
        let Some(text) = request.query_text() else {
            return Ok(Asked { view: self.engine.group(group), verbose: false });
        };
        let starting = !self.engine.has_started_up();
        if let Some(asked) = self.queries.find(group, starting, text) {
            return Ok(asked);
        }
        let query = request.query()?;
        let view = self.engine.select(group, &query.criteria);
        let view = view.map_err(|error| refused(self, error, request.details))?;
        let asked = Asked { view, verbose: query.verbose };
        // Without a selection there is little to save.
        if !query.criteria.is_empty() {
            self.queries.keep(group, starting, text, asked.clone());
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::group::{HEALTH, READINESS};

    #[test]
    fn the_newest_queries_are_kept() {
        let queries = Queries::default();
        let view = Arc::new(View::new(&HEALTH, Vec::new(), false));
        for number in 0..=KEPT {
            let asked = Asked { view: Arc::clone(&view), verbose: number % 2 == 0 };
            queries.keep(&HEALTH, false, &format!("tag={number}"), asked);
        }
        assert!(queries.find(&HEALTH, false, "tag=0").is_none());
        assert!(!queries.find(&HEALTH, false, "tag=1").unwrap().verbose);
        assert!(queries.find(&HEALTH, false, "tag=2").unwrap().verbose);
        assert!(queries.find(&HEALTH, true, "tag=2").is_none());
        assert!(queries.find(&READINESS, false, "tag=2").is_none());
    }

    #[test]
    fn a_long_query_is_not_kept() {
        let queries = Queries::default();
        let view = Arc::new(View::new(&HEALTH, Vec::new(), false));
        for (len, is_kept) in [(MAX_LEN, true), (MAX_LEN + 1, false)] {
            let text = "x".repeat(len);
            queries.keep(&HEALTH, false, &text, Asked { view: Arc::clone(&view), verbose: false });
            assert_eq!(queries.find(&HEALTH, false, &text).is_some(), is_kept, "{len} bytes");
        }
    }
}
