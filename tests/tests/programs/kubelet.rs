//! Probes by the kubelet's rules, with the numbers of a manifest.
//!
//! A probe succeeds with a status from 200 to 399 within its timeout; of the body 10 KB are read.
//! The startup probe comes first and alone; its failure and that of liveness restart the container.
//! A result counts once it has come so many times in a row. Of a pod that is being deleted only
//! readiness goes on being probed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, redirect};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::common::eventually;

const BODY: usize = 10 * 1024;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

/// The numbers of one probe.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) path: String,
    pub(crate) initial_delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
}

impl Probe {
    /// Of a container in a manifest; what it does not say has Kubernetes' defaults.
    pub(crate) fn of(container: &Value, kind: Kind) -> Self {
        let probe = match kind {
            Kind::Startup => &container["startupProbe"],
            Kind::Liveness => &container["livenessProbe"],
            Kind::Readiness => &container["readinessProbe"],
        };
        let number = |key: &str, default| probe[key].as_u64().unwrap_or(default);
        let seconds = |key, default| Duration::from_secs(number(key, default));
        let times = |key, default| u32::try_from(number(key, default)).unwrap();
        Self {
            path: probe["httpGet"]["path"].as_str().unwrap().to_owned(),
            initial_delay: seconds("initialDelaySeconds", 0),
            period: seconds("periodSeconds", 10),
            timeout: seconds("timeoutSeconds", 1),
            failure_threshold: times("failureThreshold", 3),
            success_threshold: times("successThreshold", 1),
        }
    }

    /// How long after a failure begins it counts, at most.
    pub(crate) fn notices_within(&self) -> Duration {
        self.period * self.failure_threshold + self.timeout
    }

    async fn succeeds(&self, client: &Client, address: SocketAddr) -> bool {
        let request = client.get(format!("http://{address}{}", self.path)).timeout(self.timeout);
        let Ok(mut response) = request.send().await else { return false };
        let mut read = 0;
        while read < BODY {
            match response.chunk().await {
                Ok(Some(chunk)) => read += chunk.len(),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        (200..400).contains(&response.status().as_u16())
    }
}

#[derive(Clone, Default)]
struct Pod {
    started: bool,
    ready: bool,
    /// The container is to be restarted; it is not probed until it has been.
    restart: Option<Kind>,
    deleted: bool,
    /// What `ready` has been since the pod began, and when.
    history: Vec<(Instant, bool)>,
    /// Counts containers: a new one begins with no results.
    container: u32,
}

/// Watches one pod.
pub(crate) struct Kubelet {
    pod: Arc<Mutex<Pod>>,
    _workers: JoinSet<()>,
}

impl Kubelet {
    pub(crate) fn watch(address: SocketAddr, container: &Value) -> Self {
        let pod = Arc::<Mutex<Pod>>::default();
        let mut workers = JoinSet::new();
        for kind in [Kind::Startup, Kind::Liveness, Kind::Readiness] {
            workers.spawn(work(kind, Probe::of(container, kind), address, Arc::clone(&pod)));
        }
        Self { pod, _workers: workers }
    }

    pub(crate) fn started(&self) -> bool {
        self.pod.lock().unwrap().started
    }

    pub(crate) fn ready(&self) -> bool {
        self.pod.lock().unwrap().ready
    }

    /// The probe that wants the container restarted.
    pub(crate) fn restart(&self) -> Option<Kind> {
        self.pod.lock().unwrap().restart
    }

    /// How often the pod has become ready or ceased to be.
    pub(crate) fn changes(&self) -> usize {
        self.pod.lock().unwrap().history.len()
    }

    /// Waits for this readiness, and tells when it came.
    pub(crate) async fn becomes(&self, ready: bool) -> Instant {
        let look = async || {
            let pod = self.pod.lock().unwrap();
            (pod.ready == ready)
                .then(|| pod.history.last().map_or_else(Instant::now, |seen| seen.0))
        };
        eventually(&format!("ready is {ready}"), look).await
    }

    /// There is a new container.
    pub(crate) fn restarted(&self) {
        let mut pod = self.pod.lock().unwrap();
        pod.set_ready(false);
        pod.started = false;
        pod.restart = None;
        pod.container += 1;
    }

    /// The pod is being deleted.
    pub(crate) fn delete(&self) {
        self.pod.lock().unwrap().deleted = true;
    }
}

impl Pod {
    fn set_ready(&mut self, ready: bool) {
        if self.ready != ready {
            self.ready = ready;
            self.history.push((Instant::now(), ready));
        }
    }

    fn set(&mut self, kind: Kind, succeeds: bool) {
        match (kind, succeeds) {
            (Kind::Readiness, ready) => self.set_ready(ready),
            (Kind::Startup, true) => self.started = true,
            (Kind::Liveness, true) => {}
            (Kind::Startup | Kind::Liveness, false) => self.restart = Some(kind),
        }
    }

    fn probes(&self, kind: Kind) -> bool {
        let due = (kind == Kind::Startup) != self.started;
        due && self.restart.is_none() && (kind == Kind::Readiness || !self.deleted)
    }
}

async fn work(kind: Kind, probe: Probe, address: SocketAddr, pod: Arc<Mutex<Pod>>) {
    // A connection for each probe, as the kubelet has it.
    let client = Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .redirect(redirect::Policy::none())
        .user_agent("kube-probe/1.37")
        .build()
        .unwrap();
    sleep(probe.initial_delay).await;
    let mut ticks = interval(probe.period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut last, mut run, mut container) = (None, 0, 0);
    loop {
        ticks.tick().await;
        let (probes, current) = {
            let pod = pod.lock().unwrap();
            (pod.probes(kind), pod.container)
        };
        if !probes {
            continue;
        }
        let succeeds = probe.succeeds(&client, address).await;
        run = if last == Some(succeeds) && container == current { run + 1 } else { 1 };
        (last, container) = (Some(succeeds), current);
        let threshold = if succeeds { probe.success_threshold } else { probe.failure_threshold };
        let mut pod = pod.lock().unwrap();
        if run >= threshold && pod.container == current {
            pod.set(kind, succeeds);
        }
    }
}
