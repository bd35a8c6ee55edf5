//! How many crates a feature adds to a program: at most as many as its documentation says.

use std::collections::BTreeSet;
use std::process::Command;

/// The page that says so, in a table `| feature | adds | crates |`.
const PAGE: &str = include_str!("../../servicekit-health/src/lib.rs");
const MANIFEST: &str = include_str!("../../servicekit-health/Cargo.toml");

/// The names of all crates that a program gets with these features.
fn crates(features: &str) -> BTreeSet<String> {
    let tree = ["tree", "--offline", "--package", "servicekit-health", "--edges", "normal"];
    let output = Command::new(env!("CARGO"))
        .args(tree)
        .args(["--prefix", "none", "--format", "{p}", "--features", features])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The rows of the table: a feature and its number.
fn documented() -> Vec<(&'static str, usize)> {
    let rows =
        PAGE.lines().skip_while(|line| !line.ends_with("| feature | adds | crates |")).skip(2);
    let rows = rows.map_while(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    rows.map(|row| {
        let feature = row.split('`').nth(1).unwrap();
        (feature, row.rsplit_once(" | ").unwrap().1.parse().unwrap())
    })
    .collect()
}

/// The features of the manifest.
fn features() -> BTreeSet<&'static str> {
    let lines = MANIFEST.lines().skip_while(|line| *line != "[features]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|f| !f.starts_with('#'))
        .collect()
}

#[test]
fn each_feature_adds_at_most_as_many_crates_as_documented() {
    let default = crates("");
    let documented = documented();
    let named: BTreeSet<_> = documented.iter().map(|(feature, _)| *feature).collect();
    assert_eq!(named, features(), "the table of the crate's page, and the manifest");
    for (feature, number) in documented {
        let with = crates(feature);
        let added: Vec<_> = with.difference(&default).collect();
        assert_eq!(added.is_empty(), number == 0, "{feature}, documented {number}: {added:#?}");
        assert!(added.len() <= number, "{feature}, documented {number}: {added:#?}");
    }
}

/// What the checks without a feature are made of is in every program's tree already.
#[test]
fn the_checks_without_a_feature_add_no_crate() {
    let default = crates("");
    for heavy in ["rustix", "rustls", "ureq", "x509-cert", "socket2"] {
        assert!(!default.contains(heavy), "{heavy}");
    }
}
