//! The attribute in crates of its users: other editions, another name, other ways to link.
//!
//! They share one target directory, and the dependencies that this workspace has downloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const CONSUMERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/consumers");
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/consumers");

fn cargo(directory: &Path, arguments: &[&str]) -> Output {
    // The versions that this workspace was built with are there; newer ones may not be.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let _: Result<u64, _> = std::fs::copy(lock, directory.join("Cargo.lock"));
    Command::new(env!("CARGO"))
        .current_dir(directory)
        .args(arguments)
        .args(["--offline", "--target-dir", TARGET])
        .output()
        .unwrap()
}

#[track_caller]
fn build(arguments: &[&str]) {
    let output = cargo(Path::new(CONSUMERS), arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// All of them, built once for all tests.
static BUILT: LazyLock<()> = LazyLock::new(|| build(&["build", "--workspace"]));

/// The checks that a program has collected, as it prints them.
#[track_caller]
fn collected(profile: &str, program: &str) -> Vec<String> {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let program: PathBuf = [TARGET, profile, &name].iter().collect();
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn both_editions_need_no_other_dependency_and_may_forbid_unsafe_code() {
    LazyLock::force(&BUILT);
    for edition in ["2021", "2024"] {
        let root = format!("edition_{edition}");
        let expected = [
            format!("async {root}::private::nested::async"),
            format!("database {root}::ping"),
            format!("disk {root}::disk"),
        ];
        assert_eq!(collected("debug", &format!("edition-{edition}")), expected);
    }
}

#[test]
fn the_crate_may_have_another_name_or_hide_behind_a_path() {
    LazyLock::force(&BUILT);
    let expected = [
        "by_absolute_name renamed::by_absolute_name",
        "by_name renamed::by_name",
        "by_name_without_quotes renamed::by_name_without_quotes",
        "by_path renamed::by_path",
        "by_relative_path renamed::by_relative_path",
    ];
    assert_eq!(collected("debug", "renamed"), expected);
}

#[test]
fn a_framework_may_bring_the_crate_to_users_who_do_not_depend_on_it() {
    LazyLock::force(&BUILT);
    assert_eq!(collected("debug", "framed"), ["clock framed::clock"]);
}

const LINKED: [&str; 2] = ["hidden checks::private::nested::deep", "own linked::own"];

#[test]
fn a_check_deep_in_a_dependency_is_found_once_the_crate_is_named() {
    LazyLock::force(&BUILT);
    assert_eq!(collected("debug", "linked"), LINKED);
    assert_eq!(collected("debug", "unlinked"), ["own unlinked::own"]);
}

const COLLECTED: [&str; 2] = ["hidden checks::private::nested::deep", "own garbage_collected::own"];

#[test]
fn no_check_is_lost_to_a_linker_that_collects_garbage() {
    LazyLock::force(&BUILT);
    assert_eq!(collected("debug", "garbage-collected"), COLLECTED);
}

#[test]
fn no_check_is_lost_in_a_release_with_fat_lto_one_codegen_unit_and_strip() {
    build(&["build", "--release", "-p", "linked", "-p", "garbage-collected"]);
    assert_eq!(collected("release", "linked"), LINKED);
    assert_eq!(collected("release", "garbage-collected"), COLLECTED);
}

#[test]
fn two_versions_of_the_runtime_in_one_program_are_refused() {
    let directory = Path::new(CONSUMERS).join("two-versions");
    let output = cargo(&directory, &["build"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "cargo took both versions");
    assert!(errors.contains("links to the native library `servicekit-health`"), "{errors}");
}
