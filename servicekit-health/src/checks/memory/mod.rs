//! How near the process is to the memory at which the kernel kills it.

mod cgroup;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::cgroup::{Bounds, Usage};
use super::setting::{Running, TIMEOUT, failed, invalid_share, percent, rounded, share};
use super::thread;
use crate::model::{CheckResult, HealthState};

/// How near the process is to the memory at which the kernel kills it. See [`Memory`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "memory", probe = "none", interval = "15s")]
/// async fn memory() -> CheckResult {
///     checks::memory().await
/// }
/// ```
pub fn memory() -> Memory {
    Memory { degraded_above: 0.9, stalled_above: 0.2, root: PathBuf::from("/") }
}

/// The memory of the process' control group against its limit, and how long the group is stalled for
/// want of memory.
///
/// What counts as used is `memory.current` without `inactive_file`, the part of the page cache that
/// the kernel takes back first; the kubelet counts the same (its working set). With that cache
/// included, every program that reads or writes files sits at its limit, and is well. The limits are
/// `memory.max` of the group and of all above it that can be seen, and the one that is nearest to
/// being reached counts. Both versions of control groups are read. Without a limit, the machine's
/// `MemAvailable` and `MemTotal` are.
///
/// The check is degraded at worst: the rest is the kernel's decision, and a program that is taken
/// off its traffic does not free memory by that.
///
/// * Degraded above 0.9 of the limit, the share from which the kubelet can slow a container down
///   (`memoryThrottlingFactor`, 0.9 by default).
/// * Degraded where all tasks of the group were stalled for more than 0.2 of the last minute (`full
///   avg60` in `memory.pressure`, see the kernel's `accounting/psi`), a third of the 60% at which
///   systemd-oomd kills by default (`DefaultMemoryPressureLimit`). Version 2 only; a kernel without
///   pressure information leaves it out.
///
/// Details: `used_bytes`, `limit_bytes`, `used_share` (0 to 1), `limited_by` (the group, or
/// `machine`), `stalled_share` (0 to 1). Elsewhere than on Linux, and where nothing can be read, the
/// check is healthy with the detail `unsupported`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Memory {
    degraded_above: f64,
    stalled_above: f64,
    /// Where `/proc` and `/sys` are.
    root: PathBuf,
}

impl Memory {
    /// The share of the limit, 0 to 1, above which the check is degraded; 0.9 unless set.
    pub const fn degraded_above(mut self, share: f64) -> Self {
        self.degraded_above = share;
        self
    }

    /// The share of the last minute, 0 to 1, in which all tasks waited for memory, above which the
    /// check is degraded; 0.2 unless set.
    pub const fn stalled_above(mut self, share: f64) -> Self {
        self.stalled_above = share;
        self
    }

    async fn check(self) -> CheckResult {
        let Self { degraded_above, stalled_above, root } = self;
        let shares = [("degraded_above", degraded_above), ("stalled_above", stalled_above)];
        if let Some(why) = invalid_share(&shares) {
            return failed(HealthState::Unhealthy, why);
        }
        let target = root.display().to_string();
        // `memory.stat` adds up the counts of all processors, which takes a while on large machines.
        match thread::run("memory", target, TIMEOUT, move || cgroup::read(&root)).await {
            Ok(Ok(usage)) => verdict(&usage, degraded_above, stalled_above),
            Ok(Err(why)) => CheckResult::healthy().with_detail("unsupported", why),
            Err(none) => {
                let why = none.message("the memory's state could not be read", TIMEOUT);
                CheckResult::healthy().with_detail("unsupported", why)
            }
        }
    }
}

impl IntoFuture for Memory {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

fn verdict(usage: &Usage, degraded_above: f64, stalled_above: f64) -> CheckResult {
    let Usage { bounds: Bounds { used, limit, by }, stalled } = usage;
    let used_share = share(*used, *limit);
    let mut messages = Vec::new();
    if used_share > degraded_above {
        let mebibytes = limit / 1024 / 1024;
        let allowed = percent(degraded_above);
        messages.push(format!("more than {allowed} of {mebibytes} MiB are used, limited by {by}"));
    }
    if stalled.is_some_and(|stalled| stalled > stalled_above) {
        let allowed = percent(stalled_above);
        messages.push(format!("all tasks waited for memory for more than {allowed} of a minute"));
    }
    let result = match messages.as_slice() {
        [] => CheckResult::healthy(),
        messages => CheckResult::degraded(messages.join("; ")),
    };
    let result = result
        .with_detail("used_bytes", *used)
        .with_detail("limit_bytes", *limit)
        .with_detail("used_share", rounded(used_share))
        .with_detail("limited_by", by.as_str());
    match stalled {
        Some(stalled) => result.with_detail("stalled_share", rounded(*stalled)),
        None => result,
    }
}
