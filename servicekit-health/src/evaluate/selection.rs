//! From what a reader names to the checks of a group.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::group::{Group, Member};
use super::runner::CheckRunner;
use super::view::View;
use crate::sync::{Mutex, lock};

/// How many selections keep their newest report. A query never decides how much memory is held.
const KEPT: usize = 16;

/// Which checks a reader wants: values of one kind unite, different kinds intersect.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Criteria<'a> {
    pub(crate) checks: Vec<Cow<'a, str>>,
    pub(crate) excluded: Vec<Cow<'a, str>>,
    pub(crate) tags: Vec<Cow<'a, str>>,
}

impl Criteria<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.checks.len() + self.excluded.len() + self.tags.len()
    }
}

/// Why a selection is not valid.
#[derive(Debug, PartialEq)]
pub(crate) enum SelectError {
    UnknownCheck(String),
    UnknownTag(String),
    /// No check matches.
    Empty,
}

/// The members of `group` that fulfil the criteria.
fn select(
    runners: &[Arc<CheckRunner>],
    group: &'static Group,
    criteria: &Criteria<'_>,
    starting: bool,
) -> Result<Vec<Member>, SelectError> {
    let marked = |names: &[Cow<'_, str>], otherwise| {
        let mut marks = vec![otherwise; runners.len()];
        for name in names {
            let index = find(runners, name);
            let index = index.ok_or_else(|| SelectError::UnknownCheck(name.to_string()))?;
            marks[index] = true;
        }
        Ok(marks)
    };
    let named = marked(&criteria.checks, criteria.checks.is_empty())?;
    let excluded = marked(&criteria.excluded, false)?;
    let mut is_known = vec![false; criteria.tags.len()];
    let mut tagged = vec![criteria.tags.is_empty(); runners.len()];
    if !criteria.tags.is_empty() {
        for (index, runner) in runners.iter().enumerate() {
            for tag in &runner.info.tags {
                for (known, _) in
                    is_known.iter_mut().zip(&criteria.tags).filter(|(_, wanted)| *wanted == tag)
                {
                    *known = true;
                    tagged[index] = true;
                }
            }
        }
    }
    if let Some(unknown) = is_known.iter().position(|known| !known) {
        return Err(SelectError::UnknownTag(criteria.tags[unknown].to_string()));
    }
    let fulfils = |index: &usize| named[*index] && tagged[*index] && !excluded[*index];
    let matching = || (0..runners.len()).filter(fulfils);
    if !matching().any(|index| group.may_have(&runners[index].info)) {
        return Err(SelectError::Empty);
    }
    let member = |index: usize| group.member(index, &runners[index].info, starting);
    Ok(matching().filter_map(member).collect())
}

/// The check of this name, by its place in the order of the names.
pub(crate) fn find(runners: &[Arc<CheckRunner>], name: &str) -> Option<usize> {
    runners.binary_search_by(|runner| runner.info.name.as_str().cmp(name)).ok()
}

/// The last selections, so that readers of the same one share its report.
#[derive(Default)]
pub(crate) struct Selections(Mutex<VecDeque<Arc<View>>>);

impl Selections {
    /// The view of what `criteria` select.
    pub(crate) fn of(
        &self,
        runners: &[Arc<CheckRunner>],
        group: &'static Group,
        criteria: &Criteria<'_>,
        starting: bool,
    ) -> Result<Arc<View>, SelectError> {
        Ok(self.view(group, select(runners, group, criteria, starting)?.into()))
    }

    /// The view of these members.
    pub(crate) fn view(&self, group: &'static Group, members: Arc<[Member]>) -> Arc<View> {
        let mut views = lock(&self.0);
        let same = |view: &&Arc<View>| std::ptr::eq(view.group, group) && view.members == members;
        if let Some(view) = views.iter().find(same) {
            return Arc::clone(view);
        }
        let view = Arc::new(View::new(group, members, false));
        if views.len() == KEPT {
            views.pop_front();
        }
        views.push_back(Arc::clone(&view));
        view
    }
}
