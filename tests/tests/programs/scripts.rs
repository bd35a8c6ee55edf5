//! The scripts for people: what they say where something is missing.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{Service, installed};
use crate::deploy;

/// The exit status, and what it has written to stderr.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.env_remove("NEWMAN").env("NO_PROXY", "*").output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn root(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(file)
}

/// A directory with nothing in it but these programs.
fn path(programs: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for program in programs {
        let target = installed(program).unwrap();
        std::os::unix::fs::symlink(target, directory.path().join(program)).unwrap();
    }
    directory
}

fn deploy(arguments: &[&str]) -> (Option<i32>, String) {
    run(Command::new("sh").arg(deploy::path("deploy.sh")).args(arguments))
}

#[test]
fn a_deploy_with_wrong_arguments_touches_nothing() {
    let begun = tempfile::tempdir().unwrap();
    let out = format!("touch '{}'", begun.path().join("out").display());
    let (code, said) = deploy(&[&out, "true", "http://127.0.0.1:8000"]);
    assert_eq!(code, Some(2));
    assert!(
        said.starts_with("error: expected four arguments, OUT RESTART URL IN, found 3"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");

    let answer = deploy(&[&out, "true", "127.0.0.1:8000", "true"]);
    let said = "error: invalid URL `127.0.0.1:8000`, expected e.g. http://10.0.0.11:8080\n";
    assert_eq!(answer, (Some(2), said.to_owned()));

    let mut script = Command::new("/bin/sh");
    script.arg(deploy::path("deploy.sh")).args([&out, "true", "http://127.0.0.1:8000", "true"]);
    let said = "error: curl is missing: apt-get install curl, or https://curl.se\n";
    assert_eq!(run(script.env("PATH", "")), (Some(2), said.to_owned()));
    assert!(!begun.path().join("out").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_ends_with_the_step_that_failed() {
    if installed("curl").is_none() {
        return;
    }
    let service = Service::start().await;
    let url = service.url("/");
    assert_eq!(deploy(&["true", "true", &url, "true"]), (Some(0), String::new()));
    for (arguments, said) in [
        (["false", "true", &*url, "true"], "`false` failed; nothing was restarted"),
        (["true", "false", &url, "true"], "`false` failed; the instance stays out"),
        (["true", "true", &url, "false"], "`false` failed; the instance is ready and stays out"),
    ] {
        assert_eq!(deploy(&arguments), (Some(1), format!("error: {said}\n")));
    }
}

#[test]
fn one_command_runs_one_program_by_its_name() {
    let (code, said) = run(Command::new("/bin/bash").arg(root("tests/programs/run")).arg("haprox"));
    let expected =
        "unknown name `haprox`: expected newman, faults or a file of tests/tests/programs\n";
    assert_eq!((code, &*said), (Some(2), expected));
}

/// What they need is looked for before anything is built or started.
#[test]
fn a_script_names_the_program_that_it_misses() {
    let install = "tests/programs/install";
    let (code, said) = run(Command::new("/bin/bash")
        .arg(root(install))
        .env("PATH", path(&["dirname", "id"]).path()));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("missing: ") && said.contains(" curl "), "{said}");
    assert!(said.ends_with("; install them, or run this as root on Debian 12\n"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    for (script, has, said) in [
        (".ci/run", &["dirname"][..], "cargo is missing: install a stable Rust toolchain"),
        (
            "tests/programs/run",
            &["dirname"],
            "cargo is missing: install Rust from https://rustup.rs",
        ),
        (
            "examples/recipes/run",
            &["dirname"],
            "cargo is missing: install Rust from https://rustup.rs",
        ),
        (
            "examples/monitoring_api/test.sh",
            &["dirname"],
            "cargo is missing: install Rust from https://rustup.rs",
        ),
        (
            "examples/monitoring_api/test.sh",
            &["dirname", "cargo"],
            "newman is missing: npm install --global newman, or NEWMAN=path/to/newman",
        ),
    ] {
        let path = path(has);
        let mut command = Command::new("/bin/bash");
        let output =
            command.arg(root(script)).env("PATH", path.path()).env_remove("NEWMAN").output();
        let output = output.unwrap();
        let all = [output.stdout, output.stderr].concat();
        assert_eq!(output.status.code(), Some(1), "{script}");
        assert_eq!(String::from_utf8(all).unwrap(), format!("{said}\n"), "{script}");
    }
}
