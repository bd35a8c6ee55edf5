//! A set of checks that readers ask for, and the newest report of it, which they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::group::{Group, Member};
use crate::model::Report;
use crate::sync::{Mutex, lock};

/// How many forms of a snapshot its readers may keep beside it.
pub(crate) const FORMS: usize = 18;

/// How long the ages in a report are near enough to the truth.
const AGES_HOLD: Duration = Duration::from_millis(1);

/// Whether a reader sees how old the results are, which differs at every moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ages {
    Seen,
    Unseen,
}

/// Some checks of one group. Only the engine makes one.
pub(crate) struct View {
    pub(crate) group: &'static Group,
    pub(crate) members: Vec<Member>,
    /// Whether it is the whole group.
    pub(crate) is_whole: bool,
    cell: Mutex<Cell>,
}

#[derive(Default)]
struct Cell {
    newest: Option<Arc<Snapshot>>,
    evaluation: Option<Arc<Evaluation>>,
}

/// A report, the same for every reader until something changes.
pub(crate) struct Snapshot {
    pub(crate) report: Report,
    made: Instant,
    revision: u64,
    valid_until: Instant,
    /// The evaluation that was not complete when its readers' deadline passed.
    late_for: Option<Arc<Evaluation>>,
    /// What its readers made of the report, for the next who want the same.
    forms: [OnceLock<Bytes>; FORMS],
}

/// Runs that readers wait for together: one that ends wakes none of them, the last wakes all.
pub(crate) struct Evaluation {
    /// The check's index and its run, in the order of the indices.
    pub(crate) awaited: Vec<(usize, u64)>,
    /// Until this revision and this time are over, every reader would wait for the same.
    revision: u64,
    same_until: Instant,
    /// Every run has brought a result, as the first reader found.
    is_complete: AtomicBool,
    opened: watch::Receiver<()>,
}

impl View {
    pub(crate) fn new(group: &'static Group, members: Vec<Member>, is_whole: bool) -> Self {
        Self { group, members, is_whole, cell: Mutex::default() }
    }

    /// The newest snapshot, if a reader at `now` would get the same one.
    pub(crate) fn valid(&self, revision: u64, now: Instant, ages: Ages) -> Option<Arc<Snapshot>> {
        let cell = lock(&self.cell);
        cell.newest.as_ref().filter(|newest| newest.holds(revision, now, ages)).cloned()
    }

    /// The evaluation that a reader at `now` would wait for, where that is known without asking the
    /// checks: so many readers at one tick cost little more than one.
    pub(crate) fn under_way(&self, revision: u64, now: Instant) -> Option<Arc<Evaluation>> {
        let cell = lock(&self.cell);
        let same = |it: &&Arc<Evaluation>| it.revision == revision && now < it.same_until;
        cell.evaluation.as_ref().filter(same).cloned()
    }

    /// The evaluation of these runs: the one that is under way, or a new one. `hold` is called for
    /// each run of a new one, with what the run has to hold until it has a result.
    pub(crate) fn evaluation(
        &self,
        awaited: Vec<(usize, u64)>,
        revision: u64,
        same_until: Instant,
        mut hold: impl FnMut(usize, u64, &Arc<watch::Sender<()>>),
    ) -> Arc<Evaluation> {
        let mut cell = lock(&self.cell);
        if let Some(evaluation) = cell.evaluation.as_ref().filter(|it| it.awaited == awaited) {
            return Arc::clone(evaluation);
        }
        let (gate, opened) = watch::channel(());
        let gate = Arc::new(gate);
        for (index, run) in &awaited {
            hold(*index, *run, &gate);
        }
        let evaluation = Arc::new(Evaluation {
            awaited,
            revision,
            same_until,
            is_complete: AtomicBool::new(false),
            opened,
        });
        cell.evaluation = Some(Arc::clone(&evaluation));
        evaluation
    }

    /// The snapshot of now: one that another reader has just made, or else a new one by `make`,
    /// which all who wait here then share.
    pub(crate) fn snapshot(
        &self,
        revision: impl Fn() -> u64,
        ages: Ages,
        evaluation: Option<&Arc<Evaluation>>,
        make: impl FnOnce(Instant) -> (Report, Instant),
    ) -> Arc<Snapshot> {
        let mut cell = lock(&self.cell);
        let now = Instant::now();
        // Before the parts are read: what changes meanwhile makes the snapshot old.
        let revision = revision();
        if let Some(newest) = &cell.newest
            && (newest.holds(revision, now, ages)
                || newest.is_late_for(evaluation, revision, now, ages))
        {
            return Arc::clone(newest);
        }
        let (report, valid_until) = make(now);
        let snapshot = Arc::new(Snapshot {
            report,
            made: now,
            revision,
            valid_until,
            late_for: evaluation.cloned(),
            forms: Default::default(),
        });
        cell.newest = Some(Arc::clone(&snapshot));
        snapshot
    }
}

impl Snapshot {
    fn holds(&self, revision: u64, now: Instant, ages: Ages) -> bool {
        self.revision == revision && now < self.valid_until && self.shows(ages, now)
    }

    /// Whether the reader that waited for `evaluation` in vain gets what another one got.
    fn is_late_for(
        &self,
        evaluation: Option<&Arc<Evaluation>>,
        revision: u64,
        now: Instant,
        ages: Ages,
    ) -> bool {
        let same = match (&self.late_for, evaluation) {
            (Some(late_for), Some(evaluation)) => Arc::ptr_eq(late_for, evaluation),
            _ => false,
        };
        same && self.revision == revision && self.shows(ages, now)
    }

    /// Whether the ages in it, where they are seen, are those of `now`.
    fn shows(&self, ages: Ages, now: Instant) -> bool {
        ages == Ages::Unseen || now < self.made + AGES_HOLD
    }

    /// The form of this number, made by the first who wants it and shared by all others.
    pub(crate) fn form(&self, number: usize, make: impl FnOnce(&Report) -> Bytes) -> Bytes {
        self.forms[number].get_or_init(|| make(&self.report)).clone()
    }
}

impl Evaluation {
    /// Whether every run, or one after it, has brought a result.
    pub(crate) fn is_complete(&self, has_result: impl Fn(usize, u64) -> bool) -> bool {
        if self.is_complete.load(Ordering::Acquire) {
            return true;
        }
        let complete = self.awaited.iter().all(|(index, run)| has_result(*index, *run));
        // Results stay, so it is never undone.
        self.is_complete.fetch_or(complete, Ordering::AcqRel);
        complete
    }

    /// Ends when every run has a result, or is over without one.
    pub(crate) fn done(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut opened = self.opened.clone();
        // It is an error once no run holds the gate any more.
        async move { while opened.changed().await.is_ok() {} }
    }
}
