//! How near the process is to its limit of open files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::setting::{Running, TIMEOUT, failed, invalid_share, percent, rounded, share};
use super::thread;
use crate::model::{CheckResult, HealthState};

/// Linux' number of the error "too many open files" of a process.
const EMFILE: i32 = 24;

/// How near the process is to its limit of open files. See [`OpenFiles`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "open-files", interval = "30s")]
/// async fn open_files() -> CheckResult {
///     checks::open_files().await
/// }
/// ```
pub const fn open_files() -> OpenFiles {
    OpenFiles { degraded_above: 0.7, root: None }
}

/// The open file descriptors of this process, sockets included, against its soft `RLIMIT_NOFILE`.
///
/// At the limit `accept` fails, so nothing is left to answer a probe either: the check is for the
/// time before, and is degraded at worst. The default, above 70%, is the warning level of the
/// Prometheus node mixin's alert `NodeFileDescriptorLimit`.
///
/// Details: `open`, `limit`, `used_share` (0 to 1). Read from `/proc/self`, so on Linux; elsewhere,
/// and where `/proc` cannot be read, the check is healthy with the detail `unsupported`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct OpenFiles {
    degraded_above: f64,
    root: Option<PathBuf>,
}

impl OpenFiles {
    /// The share of the limit, 0 to 1, above which the check is degraded; 0.7 unless set.
    pub const fn degraded_above(mut self, share: f64) -> Self {
        self.degraded_above = share;
        self
    }

    async fn check(self) -> CheckResult {
        if let Some(why) = invalid_share(&[("degraded_above", self.degraded_above)]) {
            return failed(HealthState::Unhealthy, why);
        }
        let process = self.root.unwrap_or_else(|| PathBuf::from("/proc/self"));
        let target = process.display().to_string();
        // Where the kernel does not tell the number, it is counted, which takes a while for many.
        match thread::run("open-files", target, TIMEOUT, move || count(&process)).await {
            Ok(Ok(count)) => verdict(count, self.degraded_above),
            Ok(Err(Unread::AtLimit)) => {
                CheckResult::degraded("no further file can be opened: the limit is reached")
            }
            Ok(Err(Unread::Unsupported(why))) => {
                CheckResult::healthy().with_detail("unsupported", why)
            }
            Err(none) => {
                let why = none.message("the open files could not be counted", TIMEOUT);
                CheckResult::healthy().with_detail("unsupported", why)
            }
        }
    }
}

impl IntoFuture for OpenFiles {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    open: u64,
    /// `None` for `unlimited`.
    limit: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Unread {
    AtLimit,
    Unsupported(String),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(EMFILE) if cfg!(target_os = "linux") => Self::AtLimit,
            _ => Self::Unsupported(format!("/proc/self: {error}")),
        }
    }
}

fn verdict(Count { open, limit }: Count, degraded_above: f64) -> CheckResult {
    let Some(limit) = limit else {
        return CheckResult::healthy().with_detail("open", open).with_detail("limit", "unlimited");
    };
    let used = share(open, limit);
    let result = if used > degraded_above {
        let allowed = percent(degraded_above);
        CheckResult::degraded(format!("more than {allowed} of {limit} allowed files are open"))
    } else {
        CheckResult::healthy()
    };
    result
        .with_detail("open", open)
        .with_detail("limit", limit)
        .with_detail("used_share", rounded(used))
}

fn count(process: &Path) -> Result<Count, Unread> {
    let limits = fs::read_to_string(process.join("limits"))?;
    let limit = soft_limit(&limits).map_err(|()| {
        Unread::Unsupported("/proc/self/limits: `Max open files` and a number expected".to_owned())
    })?;
    let directory = process.join("fd");
    // Since Linux 6.2 the size of `/proc/self/fd` is the number of its entries, before it is 0.
    let open = match fs::metadata(&directory)?.len() {
        told if told > 0 && process == Path::new("/proc/self") => told,
        // One of them is the descriptor that reads the directory.
        _ => (fs::read_dir(&directory)?.count() as u64).saturating_sub(1),
    };
    Ok(Count { open, limit })
}

/// The soft limit in `/proc/self/limits`; `None` is `unlimited`.
fn soft_limit(limits: &str) -> Result<Option<u64>, ()> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => Ok(None),
        Some(number) => number.parse().map(Some).map_err(drop),
        None => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max processes             96265                96265                processes \n\
Max open files            1024                 524288               files     \n";

    fn at(open: u64) -> CheckResult {
        verdict(Count { open, limit: Some(1000) }, 0.7)
    }

    #[test]
    fn the_soft_limit_counts() {
        assert_eq!(soft_limit(LIMITS), Ok(Some(1024)));
        assert_eq!(soft_limit("Max open files   unlimited   unlimited files"), Ok(None));
        assert_eq!(soft_limit("Max open files"), Err(()));
        assert_eq!(soft_limit("something else"), Err(()));
    }

    #[test]
    fn it_is_degraded_above_the_share_and_not_at_it() {
        assert_eq!(at(700).message(), None);
        assert_eq!(at(701).message(), Some("more than 70% of 1000 allowed files are open"));
        assert_eq!(at(701).details()["used_share"], 0.701);
    }

    #[test]
    fn where_no_file_can_be_opened_any_more_the_limit_is_reached() {
        let error = io::Error::from_raw_os_error(EMFILE);
        if cfg!(target_os = "linux") {
            assert_eq!(Unread::from(error), Unread::AtLimit);
        }
    }

    #[tokio::test]
    async fn where_there_is_no_proc_it_is_healthy_and_says_so() {
        let check = OpenFiles { root: Some(PathBuf::from("/not/there")), ..open_files() };
        let result = check.await;
        assert_eq!(result.message(), None);
        assert!(result.details()["unsupported"].as_str().unwrap().starts_with("/proc/self: "));
    }
}
