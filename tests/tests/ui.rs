//! The attribute on correct and on wrong code.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[test]
fn correct_code_compiles_and_registers_what_it_says() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn every_mistake_is_told_at_its_place() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}

/// These texts are the compiler's own and change with it, so they are compared only under the one
/// that wrote them. After an update: `TRYBUILD=overwrite`, read the difference, change the version.
#[test]
fn mistakes_that_the_compiler_finds_are_told_where_they_can_be_mended() {
    const WRITTEN_BY: &str = "rustc 1.95.";

    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    if version.starts_with(WRITTEN_BY) {
        trybuild::TestCases::new().compile_fail("ui/rustc/*.rs");
    } else {
        let version = version.trim();
        eprintln!("skipped: ui/rustc was written by {WRITTEN_BY}x, and this is {version}");
    }
}
