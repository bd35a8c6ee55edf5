//! `examples/deploy/systemd`: systemd's own tool checks the unit; no unit is started, as that takes a
//! machine that systemd has booted.

use std::fs;
use std::process::Command;

use crate::balancing::DRAIN_DELAY;
use crate::common::installed;
use crate::deploy;

const UNIT: &str = "systemd/monitoring-api.service";

fn seconds(unit: &str, key: &str) -> u64 {
    let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    line.unwrap_or_else(|| panic!("no {key}")).trim_end_matches('s').parse().unwrap()
}

#[test]
fn the_unit_is_valid() {
    let Some(program) = installed("systemd-analyze") else { return };
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("monitoring-api.service");
    let unit = deploy::placed(UNIT, &[("/usr/local/bin/monitoring-api", "/bin/true")]);
    fs::write(&file, unit).unwrap();
    let output = Command::new(program).arg("verify").arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_service_has_its_drain_delay_and_twenty_seconds_for_requests_before_it_is_killed() {
    let unit = deploy::read(UNIT);
    assert_eq!(seconds(&unit, "Environment=DRAIN_DELAY_SECONDS"), DRAIN_DELAY.as_secs());
    assert!(seconds(&unit, "TimeoutStopSec") > DRAIN_DELAY.as_secs() + 20);
    assert!(unit.contains("\nType=notify\n") && seconds(&unit, "WatchdogSec") > 0);
}
