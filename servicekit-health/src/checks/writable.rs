//! Whether files can be written.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::setting::{Running, TIMEOUT, failed, millis, timeout_and_on_error};
use super::thread;
use crate::model::{CheckResult, HealthState};

/// What is written: a page. Less may fit into a directory entry or an inode (ext4's `inline_data`,
/// btrfs), where a full disk does not show.
const CONTENT: [u8; 4096] = [0; 4096];

/// Whether files can be written in the directory `dir`. See [`Writable`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "uploads", interval = "30s")]
/// async fn uploads() -> CheckResult {
///     checks::writable("/var/lib/shop/uploads").await
/// }
/// ```
pub fn writable(dir: impl Into<PathBuf>) -> Writable {
    Writable { dir: dir.into(), timeout: TIMEOUT, on_error: HealthState::Unhealthy }
}

/// Whether files can be written: creates a file of 4 KiB in the directory, syncs it to the disk and
/// removes it.
///
/// The name begins with `.servicekit-health-` and is unique, so that several processes can share the
/// directory. The file is removed on every way out; a process that is killed in the moment between
/// leaves it. It runs on a thread of its own, one at a time for a directory: a disk or an NFS server
/// that hangs holds one thread and not the end of the process.
///
/// A sync costs a disk something: give such a check an `interval`. The message names the step that
/// failed. Detail: `write_ms`, all steps together.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Writable {
    dir: PathBuf,
    timeout: Duration,
    on_error: HealthState,
}

impl Writable {
    timeout_and_on_error!("unhealthy");

    async fn check(self) -> CheckResult {
        let Self { dir, timeout, on_error } = self;
        if dir.as_os_str().is_empty() {
            // It would be the working directory, which nobody meant.
            let message = "invalid directory: expected a path, such as `/var/lib/shop`";
            return failed(HealthState::Unhealthy, message);
        }
        let shown = dir.display().to_string();
        let target = dir.clone();
        match thread::run("writable", target, timeout, move || write(&dir)).await {
            Ok(Ok(took)) => CheckResult::healthy().with_detail("write_ms", millis(took)),
            Ok(Err((step, error))) => {
                failed(on_error, format!("cannot {step} a file in `{shown}`: {error}"))
            }
            Err(none) => failed(on_error, none.message(&format!("no write in `{shown}`"), timeout)),
        }
    }
}

impl IntoFuture for Writable {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

/// The time that it took, or the step that failed, and why.
fn write(dir: &Path) -> Result<Duration, (&'static str, String)> {
    let at = |step| move |error: io::Error| (step, error.to_string());
    let started = Instant::now();
    let path = dir.join(file_name());
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(at("create"))?;
    let written = file
        .write_all(&CONTENT)
        .map_err(at("write"))
        .and_then(|()| file.sync_all().map_err(at("sync")));
    drop(file);
    let removed = fs::remove_file(&path).map_err(at("remove"));
    written.and(removed).map(|()| started.elapsed())
}

/// A name that no other process has, on this machine or another: its keys are random.
fn file_name() -> String {
    format!(".servicekit-health-{:016x}", RandomState::new().hash_one(()))
}
