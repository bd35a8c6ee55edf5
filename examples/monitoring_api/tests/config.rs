//! What the service says where it cannot start: one line, with what to write.

use std::net::TcpListener;
use std::process::{Command, Stdio};

fn start(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring_api"));
    for name in ["API_TOKEN", "DATABASE_URL", "REDIS_URL", "UPSTREAM_URL", "HOST", "HEALTH_PORT"] {
        command.env_remove(name);
    }
    let files = tempfile::tempdir().unwrap();
    command.current_dir(files.path()).env("PORT", "0").env("RUST_LOG", "off");
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn one_line_says_what_is_missing_or_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let (code, said) = start(&[]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("error: API_TOKEN is not set: choose a secret, e.g. "), "{said}");

    for (name, value, expected) in [
        (
            "PORT",
            "70000",
            "invalid PORT `70000`: expected a number from 0 (any free port) to 65535",
        ),
        ("PORT", &*taken, "; choose another port with PORT="),
        ("HEALTH_PORT", "x", "invalid HEALTH_PORT `x`: expected a number from 0"),
        ("HEALTH_PORT", &*taken, "; choose another port with HEALTH_PORT="),
        ("HOST", "localhost", "invalid HOST `localhost`: expected an IP address such as 127.0.0.1"),
        (
            "DATABASE_URL",
            "mysql://app:geheim@db/shop",
            "invalid DATABASE_URL: expected postgres://",
        ),
        ("REDIS_URL", "cache:geheim", "invalid REDIS_URL: expected redis://:password@host:6379/0"),
        ("UPSTREAM_URL", "pager", "invalid UPSTREAM_URL: expected e.g. http://pager:8000"),
    ] {
        let (code, said) = start(&[("API_TOKEN", "swordfish"), (name, value)]);
        assert_eq!(code, Some(2), "{name}: {said}");
        assert!(said.starts_with("error: ") && said.contains(expected), "{name}: {said}");
        assert!(!said.contains("geheim"), "a password is repeated: {said}");
        assert_eq!(said.lines().count(), 1, "{name}: {said}");
    }
}
