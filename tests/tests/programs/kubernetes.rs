//! The manifests of `examples/deploy`: valid, their numbers fit together, and a kubelet that goes by
//! them does right by the service.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::balancing::Instance;
use crate::common::{client, get, python};
use crate::deploy;
use crate::kubelet::{Kind, Kubelet, Probe};
use crate::load::Load;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/manifests.py");

/// The crate's default, within which every probe is answered.
const DEADLINE: Duration = Duration::from_millis(900);

fn manifests(python: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    command.arg("-B").arg(SCRIPT).args(arguments).current_dir(deploy::path(""));
    let output = command.output().unwrap();
    let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(said).unwrap()
}

/// The only document of this file.
fn read(python: &Path, file: &str) -> Value {
    let mut documents: Vec<Value> =
        serde_json::from_str(&manifests(python, &["json", file])).unwrap();
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

fn deployment(python: &Path) -> Value {
    read(python, "kubernetes/deployment.yaml")["spec"].take()
}

fn seconds(value: &Value) -> Duration {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    Duration::from_secs(number.unwrap_or_else(|| panic!("{value} is no number of seconds")))
}

fn drain_delay(container: &Value) -> Duration {
    let variables = container["env"].as_array().unwrap();
    let delay = variables.iter().find(|variable| variable["name"] == "DRAIN_DELAY_SECONDS");
    seconds(&delay.unwrap()["value"])
}

#[test]
fn kustomize_builds_manifests_that_are_valid_for_every_current_version() {
    let Some(python) = python() else { return };
    let valid = manifests(&python, &["validate", "kubernetes", "istio", "linkerd"]);
    for resource in [
        "kubernetes: Deployment",
        "kubernetes: ServiceMonitor",
        "kubernetes: PrometheusRule",
        "istio: DestinationRule",
        "istio: VirtualService",
        "linkerd: Service",
    ] {
        assert!(valid.contains(&format!("{resource} monitoring-api is valid")), "{valid}");
    }
}

#[test]
fn what_one_manifest_names_is_in_another() {
    let Some(python) = python() else { return };
    let deployment = deployment(&python);
    let container = &deployment["template"]["spec"]["containers"][0];
    let ports = &container["ports"];
    assert_eq!(ports[0]["name"], "http");
    assert_eq!(ports[1]["name"], "health");
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "health");
    }
    let labels = &deployment["template"]["metadata"]["labels"];
    assert_eq!(&deployment["selector"]["matchLabels"], labels);

    let service = read(&python, "kubernetes/service.yaml");
    assert_eq!(&service["spec"]["selector"], labels);
    let targets = &service["spec"]["ports"];
    assert_eq!([&targets[0]["targetPort"], &targets[1]["targetPort"]], ["http", "health"]);
    let budget = read(&python, "kubernetes/poddisruptionbudget.yaml");
    assert_eq!(&budget["spec"]["selector"]["matchLabels"], labels);
    assert!(budget["spec"]["maxUnavailable"].as_u64() < deployment["replicas"].as_u64());
    let policy = read(&python, "kubernetes/networkpolicy.yaml");
    assert_eq!(&policy["spec"]["podSelector"]["matchLabels"], labels);
    let allowed = &policy["spec"]["ingress"];
    assert_eq!(
        [&allowed[0]["ports"][0]["port"], &allowed[1]["ports"][0]["port"]],
        ["http", "health"]
    );
    assert_eq!([allowed[0]["from"].is_null(), allowed[1]["from"].is_null()], [true, false]);
    let monitor = read(&python, "kubernetes/servicemonitor.yaml");
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], targets[1]["name"]);

    let rules = read(&python, "kubernetes/prometheusrule.yaml");
    assert_eq!(rules["spec"], read(&python, "prometheus/rules.yml"));
}

#[test]
fn the_numbers_fit_together() {
    let Some(python) = python() else { return };
    let deployment = deployment(&python);
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    let [startup, liveness, readiness] =
        [Kind::Startup, Kind::Liveness, Kind::Readiness].map(|kind| Probe::of(container, kind));
    assert_eq!(
        [&*startup.path, &*liveness.path, &*readiness.path],
        ["/startupz", "/livez", "/readyz"]
    );
    for probe in [&startup, &liveness, &readiness] {
        assert!(DEADLINE < probe.timeout, "{probe:?}");
        assert!(probe.timeout <= probe.period, "{probe:?}");
    }
    // Traffic goes elsewhere long before the container would be restarted.
    assert!(readiness.notices_within() * 2 < liveness.notices_within());
    assert!(
        seconds(&deployment["minReadySeconds"]) >= readiness.period * readiness.failure_threshold
    );
    let startup = startup.notices_within() + seconds(&deployment["minReadySeconds"]);
    assert!(seconds(&deployment["progressDeadlineSeconds"]) > startup);

    let (delay, grace) = (drain_delay(container), seconds(&pod["terminationGracePeriodSeconds"]));
    // The longest request that the proxies let through, and some time to spare.
    let route = read(&python, "istio/virtualservice.yaml")["spec"]["http"][1]["timeout"].take();
    let request = route.as_str().unwrap().trim_end_matches('s').parse().unwrap();
    assert!(delay + Duration::from_secs(request) < grace);
}

#[test]
fn istio_and_envoy_have_the_same_numbers() {
    let Some(python) = python() else { return };
    let rule = read(&python, "istio/destinationrule.yaml");
    let rule = &rule["spec"]["trafficPolicy"]["outlierDetection"];
    let envoy = read(&python, "envoy/envoy.yaml");
    let envoy = &envoy["static_resources"]["clusters"][0]["outlier_detection"];
    for (istio, envoy) in [
        (&rule["consecutiveGatewayErrors"], &envoy["consecutive_gateway_failure"]),
        (&rule["consecutive5xxErrors"], &envoy["enforcing_consecutive_5xx"]),
        (&rule["interval"], &envoy["interval"]),
        (&rule["baseEjectionTime"], &envoy["base_ejection_time"]),
        (&rule["maxEjectionPercent"], &envoy["max_ejection_percent"]),
    ] {
        assert!(!istio.is_null());
        assert_eq!(istio, envoy);
    }
    let stream = &read(&python, "istio/virtualservice.yaml")["spec"]["http"][0];
    assert_eq!(stream["timeout"], "0s");
    assert_eq!(stream["match"][0]["uri"], json!({"exact": "/health/$stream"}));
}

/// A pod of the manifest. The service has the timeouts that the crate has by default.
async fn pod(python: &Path, variables: &[(&str, &str)]) -> (Instance, Kubelet, Value) {
    let container = deployment(python)["template"]["spec"]["containers"][0].take();
    let delay = drain_delay(&container).as_millis().to_string();
    let defaults = [("DRAIN_DELAY", &*delay), ("TIMEOUT", "800"), ("DEADLINE", "900")];
    let instance = Instance::start("pod", &[&defaults, variables].concat()).await;
    // The port of the listener, as the manifest has it.
    let kubelet = Kubelet::watch(instance.health_address(), &container);
    (instance, kubelet, container)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_warms_up_degrades_hangs_and_recovers_without_a_restart() {
    let Some(python) = python() else { return };
    let start = Instant::now();
    // Reports of 100 KB: more than the kubelet reads.
    let (pod, kubelet, container) = pod(&python, &[("WARM_UP", "3000"), ("LONG", "1")]).await;
    let probe = |kind| Probe::of(&container, kind);
    let (startup, readiness) = (probe(Kind::Startup), probe(Kind::Readiness));
    let slack = Duration::from_secs(1);

    let warm = Duration::from_secs(3);
    while start.elapsed() + slack < warm {
        assert!(!kubelet.started() && !kubelet.ready(), "before it is warm");
        sleep(Duration::from_millis(50)).await;
    }
    let ready = kubelet.becomes(true).await - start;
    assert!(kubelet.started());
    assert!(ready < warm + startup.period + readiness.period + slack, "{ready:?}");

    pod.mode("degraded").await;
    sleep(readiness.notices_within()).await;
    let answer = get(&pod.url("/readyz")).await;
    assert_eq!(answer.headers()["x-health-status"], "degraded");
    assert_eq!((kubelet.ready(), kubelet.changes()), (true, 1), "degraded is ready");

    let hangs = Instant::now();
    pod.mode("hang").await;
    let noticed = kubelet.becomes(false).await - hangs;
    // The last good result is given for as long as the run may take.
    let run = Duration::from_millis(800);
    assert!(noticed < readiness.notices_within() + run + slack, "{noticed:?}");

    let recovers = Instant::now();
    pod.mode("well").await;
    let back = kubelet.becomes(true).await - recovers;
    assert!(back < readiness.period * readiness.success_threshold + run + slack, "{back:?}");
    assert_eq!(kubelet.restart(), None);
    assert_eq!(kubelet.changes(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_stuck_is_restarted_and_ready_again() {
    let Some(python) = python() else { return };
    let (mut pod, kubelet, container) = pod(&python, &[]).await;
    let liveness = Probe::of(&container, Kind::Liveness);
    kubelet.becomes(true).await;

    let stuck = Instant::now();
    pod.signal("STOP");
    kubelet.becomes(false).await;
    assert_eq!(kubelet.restart(), None, "it only gets no traffic at first");
    let restart = crate::common::eventually("a restart", async || kubelet.restart()).await;
    assert_eq!(restart, Kind::Liveness);
    let noticed = stuck.elapsed();
    assert!(noticed >= liveness.period * (liveness.failure_threshold - 1), "{noticed:?}");
    assert!(noticed < liveness.notices_within() + Duration::from_secs(1), "{noticed:?}");

    pod.signal("KILL");
    assert!(!pod.end().await.success());
    pod.start_anew().await;
    kubelet.restarted();
    kubelet.becomes(true).await;
}

/// Answered, not passed: a liveness check that runs on the application's runtime times out there.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_whose_workers_are_all_busy_answers_its_probes_in_time() {
    let Some(python) = python() else { return };
    let (pod, kubelet, container) = pod(&python, &[]).await;
    let liveness = Probe::of(&container, Kind::Liveness);
    kubelet.becomes(true).await;

    get(&pod.url("/block/6000")).await;
    let request = client().get(pod.url("/work")).timeout(liveness.timeout);
    assert!(request.send().await.unwrap_err().is_timeout(), "the application answers nothing");
    let mut late = Vec::new();
    for path in ["/livez", "/readyz", "/livez", "/readyz"] {
        let url = format!("http://{}{path}", pod.health_address());
        let answer = client().get(url).timeout(liveness.timeout).send().await;
        match answer {
            Ok(answer) => assert!(answer.headers().contains_key("x-health-status"), "{answer:?}"),
            Err(error) => late.push(format!("{path}: {error}")),
        }
    }
    // One may be late on a machine that is busy itself; no probe goes by a single failure.
    assert!(late.len() <= 1, "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_deleted_serves_through_its_drain_delay_and_ends_in_its_grace_period() {
    let Some(python) = python() else { return };
    let grace = &deployment(&python)["template"]["spec"]["terminationGracePeriodSeconds"];
    let (mut pod, kubelet, container) = pod(&python, &[]).await;
    let (delay, readiness) = (drain_delay(&container), Probe::of(&container, Kind::Readiness));
    kubelet.becomes(true).await;

    let deleted = Instant::now();
    kubelet.delete();
    pod.signal("TERM");
    while deleted.elapsed() + Duration::from_millis(500) < delay {
        assert_eq!(get(&pod.url("/work")).await.status(), 200, "{:?}", deleted.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(get(&pod.url("/livez")).await.status(), 200);
    assert!(pod.end().await.success());
    let ended = deleted.elapsed();
    assert!(ended >= delay && ended < seconds(grace), "{ended:?}");
    let noticed = kubelet.becomes(false).await - deleted;
    assert!(noticed < readiness.notices_within() + Duration::from_secs(1), "{noticed:?}");
    assert_eq!(kubelet.restart(), None, "what is being deleted is not restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn pooled_connections_move_on_to_another_pod_during_the_drain_delay() {
    let Some(python) = python() else { return };
    let (mut leaves, ..) = pod(&python, &[]).await;
    let other = Instance::start("other", &[]).await;
    let load = Load::start(leaves.address(), &[Method::GET, Method::POST]);
    load.reaches("pod").await;

    leaves.signal("TERM");
    // What a Service does: it balances connections, not requests.
    load.moves_to(other.address());
    load.leaves("pod").await;
    assert_eq!(leaves.status(), None, "its connections have been closed, not given up");
    load.reaches("other").await;
    assert!(leaves.end().await.success());
    load.lost_nothing();
}
