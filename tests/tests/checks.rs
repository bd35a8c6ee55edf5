//! Ready-made checks where it takes a scene to see them: a resolver that never answers, a control
//! group at its limit. Both take root, and say so where it is missing.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const CHECK: &str = env!("CARGO_BIN_EXE_check");

fn skipped(what: &str) {
    // `eprintln` would keep it to itself unless the test fails.
    io::stderr().write_all(format!("skipped: {what}\n").as_bytes()).unwrap();
}

fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Shell commands where the loopback is the only network, and what is mounted stays unseen outside.
fn in_private(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-ec", script]);
    command
}

#[test]
fn a_resolver_that_hangs_holds_one_thread_and_not_the_end_of_the_process() {
    let files = tempfile::tempdir().unwrap();
    let config = files.path().join("resolv.conf");
    fs::write(&config, "nameserver 127.0.0.1\n").unwrap();
    // Without it, systemd's resolver may be asked, which a network of one's own does not keep away.
    let order = files.path().join("nsswitch.conf");
    fs::write(&order, "hosts: files dns\n").unwrap();
    let scene = format!(
        "ip link set lo up; mount --bind {} /etc/resolv.conf; mount --bind {} /etc/nsswitch.conf",
        config.display(),
        order.display()
    );
    if !in_private(&scene).status().is_ok_and(|status| status.success()) {
        return skipped("a network of its own takes root, and the program `ip`");
    }
    let started = Instant::now();
    let output = text(&in_private(&format!("{scene}; exec {CHECK} dns")).output().unwrap());
    let took = started.elapsed();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "unhealthy: no address of `db.internal` within 100ms {}");
    let joined = "unhealthy: no address of `db.internal` within 100ms; \
                  an earlier attempt is still blocked {}";
    assert_eq!(lines[1..5], [joined; 4]);
    assert_eq!(lines[5], "threads=1", "{output}");
    // The resolver itself gives up after 10 s.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A control group of 64 MiB, removed at the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let roots =
            [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        roots.into_iter().find_map(|(root, limit)| {
            let group = Path::new(root).join(format!("servicekit-health-{}", std::process::id()));
            fs::create_dir(&group).ok()?;
            let group = Self(group);
            let limit = group.0.join(limit);
            // A plain directory, and a group without the controller, have no such file.
            (limit.exists() && fs::write(limit, "67108864").is_ok()).then_some(group)
        })
    }

    fn check(&self, mebibytes: usize) -> String {
        let join = format!("echo $$ > {}/cgroup.procs", self.0.display());
        let script = format!("{join}; exec {CHECK} memory {mebibytes}");
        text(&Command::new("sh").args(["-ec", &script]).output().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_process_near_the_limit_of_its_control_group_is_degraded() {
    let Some(group) = Group::new() else {
        return skipped("a control group with a limit takes root");
    };
    let output = group.check(10);
    assert!(output.starts_with("healthy:  "), "{output}");
    let output = group.check(58);
    assert!(
        output.starts_with("degraded: more than 90% of 64 MiB are used, limited by "),
        "{output}"
    );
}
