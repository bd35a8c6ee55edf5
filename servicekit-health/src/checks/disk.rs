//! Whether a file system has room left.

use std::path::PathBuf;
use std::time::Duration;

use super::setting::{
    Running, TIMEOUT, failed, invalid_share, percent, rounded, share, timeout_and_on_error,
};
use super::thread;
use crate::model::{CheckResult, HealthState};

/// Whether the file system that holds `path` has room left. See [`Disk`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(probe = "none", interval = "1m")]
/// async fn disk() -> CheckResult {
///     checks::disk("/var/lib/shop").degraded_below(0.10).unhealthy_below(0.02).await
/// }
/// ```
pub fn disk(path: impl Into<PathBuf>) -> Disk {
    Disk {
        path: path.into(),
        degraded_below: 0.10,
        unhealthy_below: 0.02,
        degraded_below_bytes: 0,
        unhealthy_below_bytes: 0,
        inodes_degraded_below: 0.05,
        read_only_allowed: false,
        timeout: TIMEOUT,
        on_error: HealthState::Unhealthy,
    }
}

/// Whether a file system has room left: free space, free inodes, and whether it is writable.
///
/// Free is what a program without privileges can use (`f_bavail` of statvfs(3)): ext4 keeps 5% for
/// root by default (mke2fs(8)), so a count of all free blocks says 5% where every write fails. The
/// share is of what such a program could use at most, as df(1) counts it.
///
/// * Degraded below a free share of 0.10, the kubelet's threshold for evicting pods
///   (`nodefs.available`), or unhealthy below 0.02.
/// * Degraded below a share of 0.05 of free inodes (the kubelet's `nodefs.inodesFree`), or unhealthy
///   without any: a file system full of small files has room and takes no further file. File systems
///   that have no fixed number of inodes, such as btrfs, are left out.
/// * Unhealthy where it is mounted read-only, which Linux does to a file system with errors.
///
/// That a file can be written, within quotas and permissions, is what
/// [`writable`](super::writable()) tells. The call runs on a thread of its own, one at a time for a
/// path: an NFS server that hangs holds one thread and not the end of the process.
///
/// Details: `free_bytes`, `total_bytes`, `free_share` and `free_inodes_share` (0 to 1). Elsewhere
/// than on Unix the check is healthy with the detail `unsupported`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Disk {
    path: PathBuf,
    degraded_below: f64,
    unhealthy_below: f64,
    degraded_below_bytes: u64,
    unhealthy_below_bytes: u64,
    inodes_degraded_below: f64,
    read_only_allowed: bool,
    timeout: Duration,
    on_error: HealthState,
}

impl Disk {
    timeout_and_on_error!("unhealthy");

    /// The free share, 0 to 1, below which the check is degraded; 0.10 unless set.
    pub const fn degraded_below(mut self, share: f64) -> Self {
        self.degraded_below = share;
        self
    }

    /// The free share, 0 to 1, below which the check is unhealthy; 0.02 unless set.
    pub const fn unhealthy_below(mut self, share: f64) -> Self {
        self.unhealthy_below = share;
        self
    }

    /// The free bytes below which the check is degraded as well; none unless set. On a disk of many
    /// terabytes a share may be more than the service needs, on a small one less.
    pub const fn degraded_below_bytes(mut self, bytes: u64) -> Self {
        self.degraded_below_bytes = bytes;
        self
    }

    /// The free bytes below which the check is unhealthy as well; none unless set.
    pub const fn unhealthy_below_bytes(mut self, bytes: u64) -> Self {
        self.unhealthy_below_bytes = bytes;
        self
    }

    /// The share of free inodes, 0 to 1, below which the check is degraded; 0.05 unless set.
    pub const fn inodes_degraded_below(mut self, share: f64) -> Self {
        self.inodes_degraded_below = share;
        self
    }

    /// Accepts a file system that is mounted read-only.
    pub const fn allow_read_only(mut self) -> Self {
        self.read_only_allowed = true;
        self
    }

    async fn check(self) -> CheckResult {
        if let Some(why) = invalid_share(&[
            ("degraded_below", self.degraded_below),
            ("unhealthy_below", self.unhealthy_below),
            ("inodes_degraded_below", self.inodes_degraded_below),
        ]) {
            return failed(HealthState::Unhealthy, why);
        }
        let shown = self.path.display().to_string();
        let path = self.path.clone();
        match thread::run("disk", path.clone(), self.timeout, move || measure(&path)).await {
            Ok(Ok(Some(space))) => self.verdict(&space, &shown),
            Ok(Ok(None)) => CheckResult::healthy().with_detail("unsupported", "not a Unix system"),
            Ok(Err(error)) => failed(self.on_error, format!("cannot read `{shown}`: {error}")),
            Err(none) => {
                let late = format!("the file system of `{shown}` did not answer");
                failed(self.on_error, none.message(&late, self.timeout))
            }
        }
    }

    fn verdict(&self, space: &Space, shown: &str) -> CheckResult {
        let free = space.free_share();
        let inodes = space.inodes.map(|Inodes { free, total }| share(free, total));
        let below = |limit: f64| format!("less than {} of `{shown}` is free", percent(limit));
        let below_bytes = |bytes: u64| format!("less than {bytes} bytes of `{shown}` are free");
        let result = if space.read_only && !self.read_only_allowed {
            CheckResult::unhealthy(format!("`{shown}` is mounted read-only"))
        } else if space.free == 0 {
            CheckResult::unhealthy(format!("`{shown}` is full"))
        } else if free < self.unhealthy_below {
            CheckResult::unhealthy(below(self.unhealthy_below))
        } else if space.free < self.unhealthy_below_bytes {
            CheckResult::unhealthy(below_bytes(self.unhealthy_below_bytes))
        } else if space.inodes.is_some_and(|inodes| inodes.free == 0) {
            CheckResult::unhealthy(format!("`{shown}` has no free inode"))
        } else if free < self.degraded_below {
            CheckResult::degraded(below(self.degraded_below))
        } else if space.free < self.degraded_below_bytes {
            CheckResult::degraded(below_bytes(self.degraded_below_bytes))
        } else if inodes.is_some_and(|free| free < self.inodes_degraded_below) {
            let limit = percent(self.inodes_degraded_below);
            CheckResult::degraded(format!("less than {limit} of the inodes of `{shown}` are free"))
        } else {
            CheckResult::healthy()
        };
        let result = result
            .with_detail("free_bytes", space.free)
            .with_detail("total_bytes", space.total)
            .with_detail("free_share", rounded(free));
        match inodes {
            Some(free) => result.with_detail("free_inodes_share", rounded(free)),
            None => result,
        }
    }
}

impl IntoFuture for Disk {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

/// Space in bytes.
#[derive(Clone, Copy, Debug)]
struct Space {
    /// What a program without privileges can still use.
    free: u64,
    /// What is used, by any user.
    used: u64,
    total: u64,
    /// `None` where their number is not fixed.
    inodes: Option<Inodes>,
    read_only: bool,
}

#[derive(Clone, Copy, Debug)]
struct Inodes {
    free: u64,
    total: u64,
}

impl Space {
    fn free_share(&self) -> f64 {
        share(self.free, self.used.saturating_add(self.free))
    }
}

#[cfg(unix)]
fn measure(path: &std::path::Path) -> Result<Option<Space>, String> {
    use rustix::fs::StatVfsMountFlags;

    let stat =
        rustix::fs::statvfs(path).map_err(|error| std::io::Error::from(error).to_string())?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Some(Space {
        free: bytes(stat.f_bavail),
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        total: bytes(stat.f_blocks),
        inodes: (stat.f_files > 0).then_some(Inodes { free: stat.f_favail, total: stat.f_files }),
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    }))
}

#[cfg(not(unix))]
fn measure(_: &std::path::Path) -> Result<Option<Space>, String> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(free: u64) -> Space {
        let inodes = Some(Inodes { free: 50, total: 100 });
        Space { free, used: 1000 - free, total: 1050, inodes, read_only: false }
    }

    fn state(space: &Space) -> HealthState {
        disk("/data").verdict(space, "/data").state()
    }

    #[test]
    fn the_share_is_of_what_can_be_used_without_privileges() {
        assert_eq!(state(&at(100)), HealthState::Healthy);
        assert_eq!(state(&at(99)), HealthState::Degraded);
        assert_eq!(state(&at(20)), HealthState::Degraded);
        assert_eq!(state(&at(19)), HealthState::Unhealthy);
        let result = disk("/data").unhealthy_below(0.0).verdict(&at(0), "/data");
        assert_eq!(result.state(), HealthState::Unhealthy, "a full one is never degraded only");
        assert_eq!(result.message(), Some("`/data` is full"));
    }

    #[test]
    fn bytes_and_inodes_have_limits_of_their_own() {
        let message = |check: Disk, space: &Space| check.verdict(space, "/data").message;
        let bytes = disk("/data").degraded_below_bytes(600).unhealthy_below_bytes(300);
        let expected = "less than 600 bytes of `/data` are free";
        assert_eq!(message(bytes.clone(), &at(599)).as_deref(), Some(expected));
        let expected = "less than 300 bytes of `/data` are free";
        assert_eq!(message(bytes, &at(299)).as_deref(), Some(expected));

        let inodes = |free| Space { inodes: Some(Inodes { free, total: 100 }), ..at(500) };
        assert_eq!(message(disk("/data"), &inodes(5)), None);
        let expected = "less than 5% of the inodes of `/data` are free";
        assert_eq!(message(disk("/data"), &inodes(4)).as_deref(), Some(expected));
        let expected = "`/data` has no free inode";
        assert_eq!(message(disk("/data"), &inodes(0)).as_deref(), Some(expected));
        assert_eq!(state(&Space { inodes: None, ..at(500) }), HealthState::Healthy);
    }

    #[test]
    fn a_read_only_mount_is_unhealthy_unless_that_is_allowed() {
        let space = Space { read_only: true, ..at(500) };
        assert_eq!(state(&space), HealthState::Unhealthy);
        let allowed = disk("/data").allow_read_only().verdict(&space, "/data");
        assert_eq!(allowed.state(), HealthState::Healthy);
    }
}
