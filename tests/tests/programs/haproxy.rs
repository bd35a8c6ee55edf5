//! HAProxy with the files of `examples/deploy/haproxy`, at their real intervals.

use std::fs;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::balancing::Balanced;
use crate::common::{Process, eventually, get, installed};
use crate::deploy;

/// The recommended one.
pub(crate) const RECOMMENDED: [&str; 3] = ["haproxy/haproxy.cfg", ":8080", "app"];
const REDISPATCH: [&str; 3] = ["haproxy/alternatives.cfg", ":8081", "redispatch"];
const SLOW_CHECKS: [&str; 3] = ["haproxy/alternatives.cfg", ":8082", "slow_checks"];
const ONLY_HEALTHY: [&str; 3] = ["haproxy/alternatives.cfg", ":8083", "only_healthy"];
const OPTIONS: [&str; 3] = ["haproxy/alternatives.cfg", ":8084", "options"];

pub(crate) struct Haproxy {
    pub(crate) balanced: Balanced,
    backend: &'static str,
}

impl Haproxy {
    /// With the backend of that file that is behind this port.
    pub(crate) async fn start(
        [file, port, backend]: [&'static str; 3],
        variables: &[(&str, &str)],
    ) -> Option<Self> {
        let program = installed("haproxy")?;
        let balanced = Balanced::start(variables, |entrance, [one, two]| {
            let files = tempfile::tempdir().unwrap();
            let socket = files.path().join("admin.sock");
            let bind = format!("bind {entrance}");
            let [one, two] = [one, two].map(|address| address.to_string());
            let mut text = deploy::placed(
                file,
                &[
                    ("/run/haproxy/admin.sock", socket.to_str().unwrap()),
                    (&format!("bind {port}"), &bind),
                    ("10.0.0.11:8080", &one),
                    ("10.0.0.12:8080", &two),
                ],
            );
            // The sections that this test leaves alone need an address too.
            for other in ["8081", "8082", "8083", "8084"] {
                let socket = files.path().join(other);
                text = text
                    .replace(&format!("bind :{other}"), &format!("bind unix@{}", socket.display()));
            }
            let file = files.path().join("haproxy.cfg");
            fs::write(&file, text).unwrap();
            Process::start_in(files, Command::new(program).arg("-db").arg("-f").arg(file))
        })
        .await;
        let haproxy = Self { balanced, backend };
        // Until its first check has passed, a server goes down with the first that fails.
        for server in ["app1", "app2"] {
            haproxy.sees(server, ["UP", "L7OK", "200"]).await;
        }
        Some(haproxy)
    }

    /// These columns of a row of `show stat`.
    async fn stat<const N: usize>(&self, row: &str, columns: [&str; N]) -> Option<[String; N]> {
        let mut socket =
            UnixStream::connect(self.balanced.balancer.path("admin.sock")).await.ok()?;
        socket.write_all(b"show stat\n").await.unwrap();
        let mut table = String::new();
        socket.read_to_string(&mut table).await.unwrap();
        let mut lines = table.trim_start_matches("# ").lines();
        let names: Vec<_> = lines.next()?.split(',').collect();
        let row = lines.find(|line| line.starts_with(&format!("{},{row},", self.backend)))?;
        let row: Vec<_> = row.split(',').collect();
        Some(columns.map(|column| {
            let index = names.iter().position(|name| *name == column).unwrap();
            row[index].to_owned()
        }))
    }

    /// Waits until a server is in this state for this reason.
    async fn sees(&self, server: &str, state: [&str; 3]) {
        let look = async || {
            let seen = self.stat(server, ["status", "check_status", "check_code"]).await?;
            (seen == state).then_some(())
        };
        eventually(&format!("HAProxy sees {server} {state:?}"), look).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_instance_gets_no_request_until_it_recovers() {
    let Some(haproxy) = Haproxy::start(RECOMMENDED, &[]).await else { return };
    haproxy.balanced.an_unhealthy_instance_gets_no_request_until_it_recovers().await;
    haproxy.sees("app1", ["UP", "L7OK", "200"]).await;
    let [failed] = haproxy.stat("app1", ["chkfail"]).await.unwrap();
    assert_ne!(failed, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_instance_keeps_its_traffic() {
    let Some(haproxy) = Haproxy::start(RECOMMENDED, &[]).await else { return };
    haproxy.balanced.a_degraded_instance_keeps_its_traffic().await;
    assert_eq!(haproxy.stat("app1", ["status", "chkfail"]).await.unwrap(), ["UP", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_loses_no_request() {
    let Some(mut haproxy) = Haproxy::start(RECOMMENDED, &[]).await else { return };
    haproxy.balanced.a_deploy_loses_no_request().await;
    // The checks alone have seen to it.
    assert_eq!(haproxy.stat("BACKEND", ["wretr", "wredis"]).await.unwrap(), ["0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_slow_checks_miss_loses_no_get_with_redispatch() {
    let Some(mut haproxy) = Haproxy::start(REDISPATCH, &[]).await else { return };
    haproxy.balanced.a_deploy_that_no_check_notices_loses_no_get().await;
    let [redispatched] = haproxy.stat("BACKEND", ["wredis"]).await.unwrap();
    assert_ne!(redispatched, "0", "the checks have been quicker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_it_is_told_of_loses_no_request_with_slow_checks() {
    if installed("socat").is_none() {
        return;
    }
    let Some(mut haproxy) = Haproxy::start(REDISPATCH, &[]).await else { return };
    let socket = haproxy.balanced.balancer.path("admin.sock");
    let set = |state| {
        format!("echo set server redispatch/app1 state {state} | socat - {}", socket.display())
    };
    haproxy.balanced.a_deploy_by_the_script_loses_no_request(&set("drain"), &set("ready")).await;
    assert_eq!(haproxy.stat("BACKEND", ["wretr", "wredis"]).await.unwrap(), ["0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_loses_no_request_with_slow_checks_and_a_drain_delay_of_twenty_seconds() {
    let variables = [("DRAIN_DELAY", "20000")];
    let Some(mut haproxy) = Haproxy::start(SLOW_CHECKS, &variables).await else { return };
    haproxy.balanced.a_deploy_loses_no_request().await;
    assert_eq!(haproxy.stat("BACKEND", ["wretr", "wredis"]).await.unwrap(), ["0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_of_the_header_takes_out_what_is_degraded() {
    let Some(haproxy) = Haproxy::start(ONLY_HEALTHY, &[]).await else { return };
    let load = haproxy.balanced.load();
    haproxy.balanced.instances[0].mode("degraded").await;
    load.leaves("one").await;
    haproxy.balanced.instances[0].mode("well").await;
    load.reaches("one").await;
    load.lost_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_short_form_by_options_goes_down_and_up() {
    let Some(haproxy) = Haproxy::start(OPTIONS, &[]).await else { return };
    let [one, _] = &haproxy.balanced.instances;
    one.mode("error").await;
    haproxy.sees("app1", ["DOWN", "L7STS", "503"]).await;
    assert_eq!(get(&one.url("/livez")).await.status(), 200);
    one.mode("well").await;
    haproxy.sees("app1", ["UP", "L7OK", "200"]).await;
}

/// The number after this word in the line that has it.
fn number(text: &str, word: &str) -> u64 {
    let after = text.split_once(&format!(" {word} ")).unwrap().1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_drain_delay_is_longer_than_the_checks_take_and_shorter_than_the_grace_period() {
    let recommended = deploy::read("haproxy/haproxy.cfg");
    let alternatives = deploy::read("haproxy/alternatives.cfg");
    let slow = alternatives.split_once("listen slow_checks").unwrap().1;
    for (section, delay, grace) in [(&*recommended, 5, 30), (slow, 20, 45)] {
        let (_, section) = section.split_once("default-server").unwrap();
        let notice = number(section, "inter") * number(section, "fall") + 1;
        assert!(notice < delay && delay < grace, "{notice} s, {delay} s, {grace} s");
    }
}
