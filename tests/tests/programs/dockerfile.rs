//! The flagship service's Dockerfile, as hadolint sees it: no image is built here.

use std::process::Command;

use crate::common::python;

#[test]
fn hadolint_has_nothing_to_say() {
    let Some(python) = python() else { return };
    let hadolint = python.with_file_name("hadolint");
    assert!(hadolint.is_file(), "hadolint is missing: run tests/programs/install");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/monitoring_api/Dockerfile");
    let output = Command::new(hadolint).args(["--no-color", file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
