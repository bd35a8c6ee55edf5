//! Trees of files as the kernel shows them, in a directory of the test's own.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const MIB: u64 = 1024 * 1024;

const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const V1_MOUNT: &str = "\
25 24 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n\
30 25 0:27 /docker/1f /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";

/// A root with `proc` and `sys`; removed at the end.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(groups: &str, mounts: &str) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("proc/self/cgroup", groups);
        machine.write("proc/self/mountinfo", mounts);
        machine.write("proc/meminfo", "MemTotal:  8192 kB\nMemFree: 1 kB\nMemAvailable: 4096 kB\n");
        machine
    }

    fn write(&self, path: &str, content: impl Into<String>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content.into()).unwrap();
    }

    /// A group of version 2 with these numbers in MiB.
    fn group(&self, path: &str, current: u64, inactive: u64, max: Option<u64>) {
        let path = Path::new("sys/fs/cgroup").join(path);
        let file = |name| path.join(name).to_str().unwrap().to_owned();
        self.write(&file("memory.current"), format!("{}\n", current * MIB));
        let stat = format!("anon 1\ninactive_anon 5\ninactive_file {}\n", inactive * MIB);
        self.write(&file("memory.stat"), stat);
        let max = max.map_or("max\n".to_owned(), |max| format!("{}\n", max * MIB));
        self.write(&file("memory.max"), max);
    }

    async fn check(&self) -> CheckResult {
        self.with(|memory| memory).await
    }

    async fn with(&self, settings: impl FnOnce(Memory) -> Memory) -> CheckResult {
        settings(Memory { root: self.0.path().to_owned(), ..memory() }).await
    }
}

fn used(result: &CheckResult) -> (u64, u64, &str) {
    let detail = |key| result.details()[key].as_u64().unwrap();
    let by = result.details()["limited_by"].as_str().unwrap();
    (detail("used_bytes") / MIB, detail("limit_bytes") / MIB, by)
}

#[tokio::test]
async fn page_cache_that_can_be_taken_back_is_not_used_memory() {
    let machine = Machine::new("0::/app\n", V2_MOUNT);
    machine.group("app", 1000, 200, Some(1000));
    let result = machine.check().await;
    assert_eq!(result.message(), None);
    assert_eq!(used(&result), (800, 1000, "cgroup /app"));
    assert_eq!(result.details()["used_share"], 0.8);

    machine.group("app", 1000, 50, Some(1000));
    let result = machine.check().await;
    let message = "more than 90% of 1000 MiB are used, limited by cgroup /app";
    assert_eq!(
        result,
        CheckResult { details: result.details.clone(), ..CheckResult::degraded(message) }
    );
}

#[tokio::test]
async fn a_limit_further_up_the_tree_counts_with_all_that_is_below_it() {
    let machine = Machine::new("0::/pod/app\n", V2_MOUNT);
    machine.group("pod/app", 300, 0, Some(1000));
    machine.group("pod", 990, 10, Some(1000));
    assert_eq!(used(&machine.check().await), (980, 1000, "cgroup /pod"));
    machine.group("pod", 990, 10, None);
    assert_eq!(used(&machine.check().await), (300, 1000, "cgroup /pod/app"));
    machine.group("pod", 310, 10, Some(320));
    assert_eq!(used(&machine.check().await), (300, 320, "cgroup /pod"));
    // One that tells its limit only uses at least what is below it.
    fs::remove_file(machine.0.path().join("sys/fs/cgroup/pod/memory.current")).unwrap();
    assert_eq!(used(&machine.check().await), (300, 320, "cgroup /pod"));
}

#[tokio::test]
async fn a_container_sees_its_group_as_the_root() {
    let machine = Machine::new("0::/\n", V2_MOUNT);
    machine.group("", 95, 0, Some(100));
    assert_eq!(used(&machine.check().await), (95, 100, "cgroup /"));
    // The name from outside, and a mount that shows that group only.
    let machine = Machine::new("0::/kube/pod/app\n", &V2_MOUNT.replace(" / /", " /kube/pod /"));
    machine.group("app", 95, 0, Some(100));
    assert_eq!(used(&machine.check().await), (95, 100, "cgroup /app"));
    let machine = Machine::new("0::/../../outside\n", V2_MOUNT);
    machine.group("", 95, 0, Some(100));
    assert_eq!(used(&machine.check().await), (95, 100, "cgroup /"));
}

#[tokio::test]
async fn a_group_that_is_left_to_its_parents_account_has_the_parents_limit() {
    // `worker` has no files of its own: `pod` does not turn the controller on for what is below.
    let machine = Machine::new("0::/pod/app/worker\n", V2_MOUNT);
    machine.group("pod", 95, 0, Some(100));
    assert_eq!(used(&machine.check().await), (95, 100, "cgroup /pod"));
    machine.group("pod/app", 90, 0, Some(92));
    assert_eq!(used(&machine.check().await), (90, 92, "cgroup /pod/app"));
}

#[tokio::test]
async fn version_1_is_read_too() {
    let groups = "9:name=systemd:/docker/1f\n4:cpuset,memory:/docker/1f\n0::/\n";
    let machine = Machine::new(groups, V1_MOUNT);
    let file = |name: &str| format!("sys/fs/cgroup/memory/{name}");
    machine.write(&file("memory.usage_in_bytes"), (100 * MIB).to_string());
    let stat = format!("inactive_file 1\ntotal_inactive_file {}\n", 4 * MIB);
    machine.write(&file("memory.stat"), &stat);
    machine.write(&file("memory.limit_in_bytes"), (100 * MIB).to_string());
    let result = machine.check().await;
    assert_eq!(used(&result), (96, 100, "cgroup /"));
    assert!(result.message().is_some());

    machine.write(&file("memory.limit_in_bytes"), "9223372036854771712");
    assert_eq!(used(&machine.check().await), (4, 8, "machine"), "no limit");

    let above = format!("hierarchical_memory_limit {}\n{stat}", 200 * MIB);
    machine.write(&file("memory.stat"), above);
    assert_eq!(used(&machine.check().await), (96, 200, "cgroup /"), "the limit of a group above");
}

#[tokio::test]
async fn tasks_that_wait_for_memory_degrade_it() {
    let machine = Machine::new("0::/app\n", V2_MOUNT);
    machine.group("app", 10, 0, Some(100));
    let pressure = |full: &str| {
        let some = "some avg10=90.00 avg60=90.00 avg300=90.00 total=9";
        let full = format!("full avg10=0.00 avg60={full} avg300=0.00 total=1");
        machine.write("sys/fs/cgroup/app/memory.pressure", format!("{some}\n{full}\n"));
    };
    pressure("20.00");
    let result = machine.check().await;
    assert_eq!(result.message(), None);
    assert_eq!(result.details()["stalled_share"], 0.2);
    pressure("20.01");
    let result = machine.check().await;
    assert_eq!(result.message(), Some("all tasks waited for memory for more than 20% of a minute"));
    let result = machine.with(|memory| memory.stalled_above(0.5).degraded_above(0.05)).await;
    let message = "more than 5% of 100 MiB are used, limited by cgroup /app";
    assert_eq!(result.message(), Some(message));
}

#[tokio::test]
async fn without_a_limit_the_machine_is_the_limit() {
    let machine = Machine::new("0::/\n", V2_MOUNT);
    assert_eq!(used(&machine.check().await), (4, 8, "machine"));
}

#[tokio::test]
async fn where_nothing_can_be_read_it_is_healthy_and_says_so() {
    let result = Memory { root: PathBuf::from("/not/there"), ..memory() }.await;
    assert_eq!(result.message(), None);
    assert!(result.details()["unsupported"].as_str().unwrap().starts_with("/proc/meminfo: "));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn this_machine_is_read() {
    let result = memory().await;
    assert!(result.details()["used_bytes"].as_u64().unwrap() > 0, "{result:?}");
}
