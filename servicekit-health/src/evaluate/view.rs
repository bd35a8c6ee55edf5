//! A set of checks that readers ask for, and the newest report of it, which they share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::encoding::Encoding;
use super::group::{Group, Member};
use crate::model::{CheckReport, Report};
use crate::sync::{Mutex, lock};

/// For how long readers share what others have just found out, without asking every check. Short,
/// because asking is also what ends runs whose supervisor cannot, and because what is said of a run
/// that is late changes with time alone: the last result gets too old to be shown.
pub(crate) const SAME_MOMENT: Duration = Duration::from_millis(10);

/// How many forms of a snapshot its readers may keep beside it.
pub(crate) const FORMS: usize = 18;

/// Some checks of one group. Only the engine makes one.
pub(crate) struct View {
    pub(crate) group: &'static Group,
    /// Who asks for them again keeps these and not the view, which holds its newest report.
    pub(crate) members: Arc<[Member]>,
    /// Whether it is the whole group.
    pub(crate) is_whole: bool,
    cell: Mutex<Cell>,
}

#[derive(Default)]
struct Cell {
    newest: Option<Arc<Snapshot>>,
    under_way: Option<UnderWay>,
}

/// The newest evaluation: until this revision and this time are over, every reader would wait for
/// the same.
struct UnderWay {
    evaluation: Arc<Evaluation>,
    revision: u64,
    same_until: Instant,
}

/// A report, the same for every reader until something changes.
pub(crate) struct Snapshot {
    /// With ages of when it was made.
    pub(crate) report: Report,
    made: Instant,
    revision: u64,
    valid_until: Instant,
    /// The evaluation that was not complete when its readers' deadline passed.
    late_for: Option<Arc<Evaluation>>,
    /// What its readers made of the report, for the next who want the same.
    /// Boxed, because most snapshots are read in one form or none.
    forms: [OnceLock<Box<Encoding>>; FORMS],
}

/// Runs that readers wait for together: one that ends wakes none of them, the last wakes all.
pub(crate) struct Evaluation {
    /// The check's index and its run, in the order of the indices.
    pub(crate) awaited: Vec<(usize, u64)>,
    /// Every run has brought a result, as the first reader found.
    is_complete: AtomicBool,
    opened: watch::Receiver<()>,
}

impl View {
    pub(crate) fn new(
        group: &'static Group,
        members: impl Into<Arc<[Member]>>,
        is_whole: bool,
    ) -> Self {
        Self { group, members: members.into(), is_whole, cell: Mutex::default() }
    }

    /// The newest snapshot, if a reader at `now` would get the same one.
    pub(crate) fn valid(&self, revision: u64, now: Instant) -> Option<Arc<Snapshot>> {
        let cell = lock(&self.cell);
        cell.newest.as_ref().filter(|newest| newest.holds(revision, now)).cloned()
    }

    /// The evaluation that a reader at `now` would wait for, where that is known without asking the
    /// checks: so many readers at one tick cost little more than one.
    pub(crate) fn under_way(&self, revision: u64, now: Instant) -> Option<Arc<Evaluation>> {
        let cell = lock(&self.cell);
        let same = |it: &&UnderWay| it.revision == revision && now < it.same_until;
        cell.under_way.as_ref().filter(same).map(|it| Arc::clone(&it.evaluation))
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
        if let Some(same) = cell.under_way.as_mut().filter(|it| it.evaluation.awaited == awaited) {
            // This reader has asked the checks, so that those after it need not.
            (same.revision, same.same_until) = (revision, same_until);
            return Arc::clone(&same.evaluation);
        }
        let (gate, opened) = watch::channel(());
        let gate = Arc::new(gate);
        for (index, run) in &awaited {
            hold(*index, *run, &gate);
        }
        let is_complete = AtomicBool::new(false);
        let evaluation = Arc::new(Evaluation { awaited, is_complete, opened });
        let shared = Arc::clone(&evaluation);
        cell.under_way = Some(UnderWay { evaluation: shared, revision, same_until });
        evaluation
    }

    /// The snapshot of now: one that another reader has just made, or else a new one by `make`,
    /// which all who wait here then share.
    pub(crate) fn snapshot(
        &self,
        revision: impl Fn() -> u64,
        evaluation: Option<&Arc<Evaluation>>,
        make: impl FnOnce(Instant) -> (Report, Instant),
    ) -> Arc<Snapshot> {
        let mut cell = lock(&self.cell);
        let now = Instant::now();
        // Before the parts are read: what changes meanwhile makes the snapshot old.
        let revision = revision();
        if let Some(newest) = &cell.newest
            && (newest.holds(revision, now) || newest.is_late_for(evaluation, revision, now))
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
    fn holds(&self, revision: u64, now: Instant) -> bool {
        self.revision == revision && now < self.valid_until
    }

    /// Whether the reader that waited for `evaluation` in vain gets what another one has just got.
    fn is_late_for(
        &self,
        evaluation: Option<&Arc<Evaluation>>,
        revision: u64,
        now: Instant,
    ) -> bool {
        let same = match (&self.late_for, evaluation) {
            (Some(late_for), Some(evaluation)) => Arc::ptr_eq(late_for, evaluation),
            _ => false,
        };
        same && self.revision == revision && now < self.made + SAME_MOMENT
    }

    /// The form of this number, made by the first who wants it and shared by all others, with the
    /// ages of now.
    pub(crate) fn form(&self, number: usize, make: impl FnOnce(&Report) -> Encoding) -> Bytes {
        self.forms[number]
            .get_or_init(|| Box::new(make(&self.report)))
            .after(|| self.made.elapsed())
    }

    /// A copy of the report, with the ages of now.
    pub(crate) fn report_of_now(&self) -> Report {
        let mut report = self.report.clone();
        report.checks.values_mut().for_each(|check| self.age(check));
        report
    }

    /// A copy of what it says of one check, likewise.
    pub(crate) fn check_of_now(&self, name: &str) -> Option<CheckReport> {
        let mut check = self.report.checks.get(name).cloned()?;
        self.age(&mut check);
        Some(check)
    }

    fn age(&self, check: &mut CheckReport) {
        if let Some(age) = &mut check.age {
            *age += self.made.elapsed();
        }
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
