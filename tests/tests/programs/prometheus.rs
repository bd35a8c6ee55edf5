//! Prometheus' own tool checks `examples/deploy/prometheus` and the queries of the dashboard in
//! `examples/deploy/grafana`, and Grafana's published schema its form. Grafana itself is in no
//! registry that the tests may use, so the dashboard is not opened.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{installed, node_modules};
use crate::deploy;

/// What the crate exports.
const METRICS: [&str; 12] = [
    "servicekit_health_status",
    "servicekit_health_check_status",
    "servicekit_health_check_runs_total",
    "servicekit_health_check_duration_seconds_bucket",
    "servicekit_health_check_duration_seconds_sum",
    "servicekit_health_check_duration_seconds_count",
    "servicekit_health_check_last_run_timestamp_seconds",
    "servicekit_health_check_last_success_timestamp_seconds",
    "servicekit_health_transitions_total",
    "servicekit_health_requests_total",
    "servicekit_health_draining",
    "servicekit_health_streams",
];

fn promtool(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(deploy::path("prometheus")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn the_configuration_and_its_rules_are_valid() {
    let Some(program) = installed("promtool") else { return };
    let said = promtool(&program, &["check", "config", "prometheus.yml"]);
    assert!(said.contains("1 rule files found"), "{said}");
    let said = promtool(&program, &["check", "rules", "--lint-fatal", "rules.yml"]);
    assert!(said.contains("6 rules found"), "{said}");
}

#[test]
fn every_alert_fires_when_it_should_and_a_deploy_is_silent() {
    let Some(program) = installed("promtool") else { return };
    promtool(&program, &["test", "rules", "rules_test.yml"]);
    let (rules, tests) =
        (deploy::read("prometheus/rules.yml"), deploy::read("prometheus/rules_test.yml"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("- alertname: {alert}\n")), "{alert} is not tested");
    }
}

/// Every value of this key, at any depth.
fn collect(value: &Value, key: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == key => into.push(text.clone()),
                    _ => collect(member, key, into),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, key, into)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&deploy::read("grafana/dashboard.json")).unwrap()
}

#[test]
fn the_dashboard_fits_the_schema_of_grafana() {
    let (Some(node), Some(modules)) = (installed("node"), node_modules()) else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/grafana.mjs");
    let check = |dashboard: &Path| {
        let mut command = Command::new(&node);
        let output =
            command.arg(script).arg(dashboard).env("NODE_PATH", &modules).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (fits, said) = check(&deploy::path("grafana/dashboard.json"));
    assert!(fits, "{said}");
    // What it would say of a mistake.
    let files = tempfile::tempdir().unwrap();
    let wrong = files.path().join("dashboard.json");
    let right = deploy::read("grafana/dashboard.json");
    fs::write(&wrong, right.replacen("\"colorMode\": \"value\"", "\"colorMode\": \"rainbow\"", 1))
        .unwrap();
    let (fits, said) = check(&wrong);
    assert!(!fits && said.contains("\"rainbow\""), "{said}");
}

#[test]
fn the_queries_of_the_dashboard_are_valid() {
    let Some(program) = installed("promtool") else { return };
    let mut queries = Vec::new();
    collect(&dashboard(), "expr", &mut queries);
    assert!(queries.len() > 10);
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (n, query) in queries.iter().enumerate() {
        // As Grafana fills them in.
        let query = query.replace("$__rate_interval", "1m").replace("$job", "monitoring-api");
        let query = query.replace("$instance", ".*");
        assert!(!query.contains('$'), "{query}");
        let query = serde_json::to_string(&query).unwrap();
        writeln!(rules, "      - record: query:{n}\n        expr: {query}").unwrap();
    }
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("dashboard.yml");
    fs::write(&file, rules).unwrap();
    promtool(&program, &["check", "rules", file.to_str().unwrap()]);
}

#[test]
fn the_alerts_and_the_dashboard_ask_for_metrics_that_the_crate_has() {
    let mut dashboard_queries = Vec::new();
    collect(&dashboard(), "expr", &mut dashboard_queries);
    let mut asked = BTreeSet::new();
    for text in [deploy::read("prometheus/rules.yml"), dashboard_queries.join(" ")] {
        for (at, _) in text.match_indices("servicekit_health_") {
            let name: String = text[at..]
                .chars()
                .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
                .collect();
            assert!(METRICS.contains(&&*name), "{name}");
            asked.insert(name);
        }
    }
    // All of them are shown, the histogram by its buckets.
    assert_eq!(asked.len(), METRICS.len() - 2, "{asked:?}");
}

#[test]
fn the_panels_of_the_dashboard_have_numbers_of_their_own_and_do_not_overlap() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut cells = BTreeSet::new();
    for panel in panels {
        let place = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        let [x, y, w, h] = place;
        assert!(x + w <= 24, "{place:?}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{} overlaps", panel["title"]);
        }
    }
}
