//! The attribute on correct and on wrong code.
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::process::Command;

/// The texts in `rustc/` are the compiler's own and change with it, so they are compared only under
/// the one that wrote them. After an update: `TRYBUILD=overwrite`, read the difference, change this.
const WRITTEN_BY: &str = "rustc 1.95.";

// One test, so that the dependencies are compiled once for all of them.
#[test]
fn correct_code_compiles_and_every_mistake_is_reported_at_its_place() {
    let tests = trybuild::TestCases::new();
    tests.pass("pass/*.rs");
    tests.compile_fail("fail/*.rs");

    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if version.starts_with(WRITTEN_BY) {
        tests.compile_fail("rustc/*.rs");
    } else {
        let version = version.trim();
        eprintln!("skipped: `rustc/` was written by {WRITTEN_BY}x, and this is {version}");
    }
}
