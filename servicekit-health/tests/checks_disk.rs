//! `checks::disk` on file systems of the test's own.
#![cfg(all(unix, feature = "check-disk"))]

mod mounts;

use std::fs;

use servicekit_health::{HealthState, checks};

#[tokio::test]
async fn the_space_of_a_directory_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let result = checks::disk(directory.path()).await;
    let detail = |key| result.details()[key].as_f64().unwrap();
    assert!(detail("free_bytes") <= detail("total_bytes"), "{result:?}");
    assert!((0.0..=1.0).contains(&detail("free_share")), "{result:?}");
}

#[tokio::test]
async fn a_path_that_is_missing_is_named() {
    let path = tempfile::tempdir().unwrap().path().join("gone");
    let result = checks::disk(&path).on_error(HealthState::Degraded).await;
    assert_eq!(result.state(), HealthState::Degraded);
    let begin = format!("cannot read `{}`: No such file or directory", path.display());
    assert!(result.message().unwrap().starts_with(&begin), "{result:?}");
}

#[tokio::test]
async fn a_share_that_is_none_is_refused() {
    let root = || checks::disk("/").on_error(HealthState::Degraded);
    let wrong = [
        root().degraded_below(10.0),
        root().unhealthy_below(f64::NAN),
        root().inodes_degraded_below(-0.1),
    ];
    for (check, name) in wrong.into_iter().zip(["degraded", "unhealthy", "inodes_degraded"]) {
        let result = check.await;
        assert_eq!(result.state(), HealthState::Unhealthy, "{result:?}");
        let expected = format!("invalid `{name}_below`: expected a share from 0 to 1, such as 0.1");
        assert_eq!(result.message(), Some(&*expected));
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_is_degraded_then_unhealthy() {
    let Some(tmpfs) = mounts::tmpfs("size=1m") else { return };
    let shown = tmpfs.path().display();
    let check = || checks::disk(tmpfs.path());
    assert_eq!(check().await.state(), HealthState::Healthy);

    fs::write(tmpfs.join("ballast"), vec![0; 960 * 1024]).unwrap();
    let result = check().await;
    assert_eq!(result.state(), HealthState::Degraded);
    assert_eq!(result.message(), Some(&*format!("less than 10% of `{shown}` is free")));
    assert_eq!(result.details()["free_bytes"], 64 * 1024);
    assert_eq!(result.details()["free_share"], 0.0625);

    let _ = fs::write(tmpfs.join("more"), vec![0; 128 * 1024]);
    let result = check().await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert_eq!(result.message(), Some(&*format!("`{shown}` is full")));

    fs::remove_file(tmpfs.join("ballast")).unwrap();
    assert_eq!(check().await.state(), HealthState::Healthy);
}

#[tokio::test]
async fn a_disk_without_inodes_is_unhealthy_whatever_space_it_has() {
    let Some(tmpfs) = mounts::tmpfs("nr_inodes=10") else { return };
    (0..9).for_each(|number| fs::write(tmpfs.join(&number.to_string()), "").unwrap());
    let result = checks::disk(tmpfs.path()).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(result.message().unwrap().ends_with("has no free inode"), "{result:?}");
}

#[tokio::test]
async fn a_disk_mounted_read_only_is_unhealthy_unless_that_is_allowed() {
    let Some(tmpfs) = mounts::tmpfs("ro,size=1m") else { return };
    let result = checks::disk(tmpfs.path()).await;
    assert_eq!(result.state(), HealthState::Unhealthy);
    assert!(result.message().unwrap().ends_with("is mounted read-only"), "{result:?}");
    let allowed = checks::disk(tmpfs.path()).allow_read_only().await;
    assert_eq!(allowed.state(), HealthState::Healthy);
}

#[tokio::test]
async fn what_is_kept_for_root_is_not_free() {
    let Some(ext4) = mounts::ext4() else { return };
    let fresh = checks::disk(ext4.path()).await;
    assert_eq!(fresh.state(), HealthState::Healthy, "{fresh:?}");
    let free = fresh.details()["free_bytes"].as_u64().unwrap();
    fs::write(ext4.join("ballast"), vec![1; usize::try_from(free).unwrap()]).unwrap();
    // Root could write on for megabytes.
    fs::write(ext4.join("more"), vec![1; 1 << 20]).unwrap();
    let full = checks::disk(ext4.path()).await;
    assert_eq!(full.state(), HealthState::Unhealthy, "{full:?}");
    assert_eq!(full.details()["free_bytes"], 0);
}
