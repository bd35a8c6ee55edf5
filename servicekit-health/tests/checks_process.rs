//! `checks::writable` and `checks::open_files`: what the process may do on its machine.

#[cfg(unix)]
mod mounts;

use std::fs;
#[cfg(unix)]
use std::time::{Duration, Instant};

use servicekit_health::{HealthState, checks};

#[tokio::test]
async fn a_directory_that_can_be_written_is_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let result = checks::writable(directory.path()).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    assert!(result.details()["write_ms"].as_f64().is_some());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named() {
    let path = tempfile::tempdir().unwrap().path().join("gone");
    let result = checks::writable(&path).on_error(HealthState::Degraded).await;
    assert_eq!(result.state(), HealthState::Degraded);
    let begin = format!("cannot create a file in `{}`: ", path.display());
    assert!(result.message().unwrap().starts_with(&begin), "{result:?}");
}

#[tokio::test]
async fn no_directory_is_not_the_working_directory() {
    let result = checks::writable("").await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(result.message().unwrap().starts_with("invalid directory: expected a path"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn paths_that_are_shown_alike_are_checked_apart() {
    use std::os::unix::ffi::OsStringExt;

    let directory = tempfile::tempdir().unwrap();
    let path = |byte| directory.path().join(std::ffi::OsString::from_vec(vec![byte]));
    let (there, missing) = (path(0xff), path(0xfe));
    fs::create_dir(&there).unwrap();
    assert_eq!(there.display().to_string(), missing.display().to_string());
    let (there, missing) = tokio::join!(checks::writable(there), checks::writable(missing));
    assert_eq!(there.state(), HealthState::Healthy, "{there:?}");
    assert_eq!(missing.state(), HealthState::Unhealthy, "{missing:?}");
}

#[tokio::test]
async fn a_share_that_is_none_is_refused() {
    let files = |share| checks::open_files().degraded_above(share);
    let memory = |share| checks::memory().stalled_above(share);
    for result in [files(70.0).await, files(f64::NAN).await, memory(-0.1).await] {
        assert_eq!(result.state(), HealthState::Unhealthy, "{result:?}");
        assert!(result.message().unwrap().ends_with("expected a share from 0 to 1, such as 0.1"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_system_is_not_writable() {
    let Some(tmpfs) = mounts::tmpfs("ro") else { return };
    let result = checks::writable(tmpfs.path()).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(result.message().unwrap().contains("Read-only file system"), "{result:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_file_system_is_not_writable_and_nothing_is_left_on_it() {
    let Some(tmpfs) = mounts::tmpfs("size=64k") else { return };
    let _ = fs::write(tmpfs.join("ballast"), vec![0; 128 * 1024]);
    let result = checks::writable(tmpfs.path()).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    let text = result.message().unwrap();
    assert!(text.starts_with("cannot write a file in `"), "{text}");
    assert!(text.contains("No space left on device"), "{text}");
    assert_eq!(fs::read_dir(tmpfs.path()).unwrap().count(), 1, "the ballast only");

    fs::remove_file(tmpfs.join("ballast")).unwrap();
    // The kernel may count what is free a moment later.
    let freed = Instant::now();
    let mut result = checks::writable(tmpfs.path()).await;
    while result.state() != HealthState::Healthy && freed.elapsed() < Duration::from_secs(5) {
        result = checks::writable(tmpfs.path()).await;
    }
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_system_without_inodes_is_not_writable() {
    let Some(tmpfs) = mounts::tmpfs("nr_inodes=2") else { return };
    fs::write(tmpfs.join("last"), "").unwrap();
    let result = checks::writable(tmpfs.path()).await;
    assert!(result.message().unwrap().starts_with("cannot create a file"), "{result:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_written_reaches_the_disk() {
    let Some(disk) = mounts::ext4() else { return };
    let before = disk.written();
    let result = checks::writable(disk.path()).timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    let after = disk.written();
    assert!(after >= before + 4, "{before} KiB before, {after} KiB after");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_hangs_holds_one_thread_until_it_answers_again() {
    let Some(disk) = mounts::ext4() else { return };
    let check = || checks::writable(disk.path()).timeout(Duration::from_millis(50));
    let frozen = disk.freeze();
    let first = check().await;
    let begin = format!("no write in `{}` within 50ms", disk.path().display());
    assert_eq!(first.message(), Some(&*begin));
    for _ in 0..5 {
        let later = check().await;
        assert_eq!(
            later.message(),
            Some(&*format!("{begin}; an earlier attempt is still blocked"))
        );
    }
    drop(frozen);
    let result = check().timeout(Duration::from_secs(10)).await;
    assert_eq!(result.state(), HealthState::Healthy, "{result:?}");
    let left = fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["lost+found"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn open_files_are_counted_against_the_soft_limit() {
    let before = checks::open_files().await;
    assert_eq!(before.state(), HealthState::Healthy, "{before:?}");
    let count = |result: &servicekit_health::CheckResult| result.details()["open"].as_u64();
    let files: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let during = checks::open_files().degraded_above(0.0).await;
    assert_eq!(during.state(), HealthState::Degraded);
    assert!(count(&during).unwrap() + 50 > count(&before).unwrap() + files.len() as u64);
    assert!(during.message().unwrap().starts_with("more than 0% of "), "{during:?}");
}
