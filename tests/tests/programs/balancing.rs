//! What every balancer must do with two instances under load.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use hyper::Method;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use crate::common::{Process, eventually, get, installed};
use crate::deploy;
use crate::load::{Client, Load};

/// The default of the service.
pub(crate) const DRAIN_DELAY: Duration = Duration::from_secs(5);

const GET_AND_POST: [Method; 2] = [Method::GET, Method::POST];

/// A port that stays ours while nothing listens on it.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    _held: TcpSocket,
}

impl Place {
    pub(crate) fn free() -> Self {
        let held = TcpSocket::new_v4().unwrap();
        // Whoever listens on it sets the same.
        held.set_reuseaddr(true).unwrap();
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { address: held.local_addr().unwrap(), _held: held }
    }
}

/// An instance of the service, which can be deployed anew in its place.
pub(crate) struct Instance {
    pub(crate) name: String,
    place: Place,
    /// Of the listener for health alone.
    health: Place,
    variables: Vec<(String, String)>,
    process: Process,
}

impl Instance {
    pub(crate) async fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let (place, health) = (Place::free(), Place::free());
        let mut variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for (name, place) in [("PORT", &place), ("HEALTH_PORT", &health)] {
            variables.push((name.to_owned(), place.address.port().to_string()));
        }
        let process = Self::run(name, &variables).await;
        Self { name: name.to_owned(), place, health, variables, process }
    }

    async fn run(name: &str, variables: &[(String, String)]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
        command.env("NAME", name).envs(variables.iter().cloned());
        let mut process = Process::start(&mut command);
        eventually(name, async || {
            assert_eq!(process.status(), None, "{}", process.said());
            process.said().contains("http://").then_some(())
        })
        .await;
        process
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.place.address
    }

    pub(crate) fn health_address(&self) -> SocketAddr {
        self.health.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.place.address)
    }

    /// What its check does from now on.
    pub(crate) async fn mode(&self, mode: &str) {
        assert!(get(&self.url(&format!("/mode/{mode}"))).await.status().is_success());
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.process.status()
    }

    pub(crate) async fn end(&mut self) -> ExitStatus {
        eventually("the end of the process", async || self.process.status()).await
    }

    /// Starts again, with another name, in the same place.
    pub(crate) async fn start_anew(&mut self) {
        self.name += "'";
        self.process = Self::run(&self.name, &self.variables).await;
    }
}

/// A balancer with two instances behind it.
pub(crate) struct Balanced {
    pub(crate) balancer: Process,
    pub(crate) instances: [Instance; 2],
    pub(crate) entrance: Place,
}

impl Balanced {
    /// The balancer is started with its own address and those of the instances.
    pub(crate) async fn start(
        variables: &[(&str, &str)],
        balancer: impl FnOnce(SocketAddr, [SocketAddr; 2]) -> Process,
    ) -> Self {
        let instances =
            [Instance::start("one", variables).await, Instance::start("two", variables).await];
        let entrance = Place::free();
        let addresses = [instances[0].address(), instances[1].address()];
        let balancer = balancer(entrance.address, addresses);
        let mut balanced = Self { balancer, instances, entrance };
        for name in ["one", "two"] {
            balanced.answers(name).await;
        }
        balanced
    }

    async fn answers(&mut self, name: &str) {
        let address = self.entrance.address;
        let look = async || {
            assert_eq!(self.balancer.status(), None, "{}", self.balancer.said());
            let (_, by) = Client::default().ask(address, &Method::GET).await.ok()?;
            (by == name).then_some(())
        };
        eventually(&format!("an answer of {name} through the balancer"), look).await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.entrance.address)
    }

    pub(crate) fn load(&self) -> Load {
        Load::start(self.entrance.address, &GET_AND_POST)
    }

    pub(crate) async fn an_unhealthy_instance_gets_no_request_until_it_recovers(&self) {
        let load = self.load();
        let [one, two] = &self.instances;
        load.reaches("one").await;
        let begin = Instant::now();
        one.mode("error").await;
        load.leaves("one").await;
        assert!(begin.elapsed() < DRAIN_DELAY, "noticed too late: {:?}", begin.elapsed());
        load.reaches(&two.name).await;

        one.mode("well").await;
        load.reaches("one").await;
        load.lost_nothing();
    }

    pub(crate) async fn a_degraded_instance_keeps_its_traffic(&self) {
        let load = self.load();
        let [one, _] = &self.instances;
        one.mode("degraded").await;
        eventually("degraded", async || {
            let answer = get(&one.url("/readyz")).await;
            assert_eq!(answer.status(), 200);
            (answer.headers()["x-health-status"] == "degraded").then_some(())
        })
        .await;
        // Longer than any of the balancers takes to notice what is unhealthy.
        load.keeps_reaching("one", Duration::from_secs(4)).await;
        load.lost_nothing();
    }

    /// SIGTERM to one of them, and a new one in its place when it has ended. The checks notice the
    /// drain in time, before the instance has ended.
    pub(crate) async fn a_deploy_loses_no_request(&mut self) {
        let load = self.load();
        load.reaches("one").await;
        let [one, _] = &mut self.instances;
        one.signal("TERM");
        load.leaves("one").await;
        assert_eq!(one.status(), None, "it has ended before its requests went elsewhere");
        assert!(one.end().await.success());
        one.start_anew().await;
        load.reaches(&one.name).await;
        load.lost_nothing();
    }

    /// The same by `examples/deploy/deploy.sh`, which tells the balancer first, with these commands.
    pub(crate) async fn a_deploy_by_the_script_loses_no_request(&mut self, out: &str, back: &str) {
        if installed("curl").is_none() {
            return;
        }
        let load = self.load();
        load.reaches("one").await;
        let (begun, done) = (self.balancer.path("begun"), self.balancer.path("done"));
        let [one, _] = &mut self.instances;
        let restart = format!(
            "touch '{}'; until [ -e '{}' ]; do sleep 0.1; done",
            begun.display(),
            done.display()
        );
        let mut script = Command::new("sh");
        script.arg(deploy::path("deploy.sh")).args([out, &restart, &one.url("/"), back]);
        let mut script = Process::start(script.env("NO_PROXY", "*"));
        eventually("the restart", async || begun.exists().then_some(())).await;
        one.signal("TERM");
        load.leaves("one").await;
        assert_eq!(one.status(), None, "it has ended before its requests went elsewhere");
        assert!(one.end().await.success());
        one.start_anew().await;
        fs::write(&done, "").unwrap();
        let status = eventually("the end of the script", async || script.status()).await;
        assert!(status.success(), "{}", script.said());
        load.reaches(&one.name).await;
        load.lost_nothing();
    }

    /// The same where nothing notices the drain, and requests go elsewhere as they fail to reach the
    /// instance. A connection that waits to be accepted as the listener closes is reset, and a
    /// POST on it cannot safely be sent again.
    pub(crate) async fn a_deploy_that_no_check_notices_loses_no_get(&mut self) {
        let load = self.load();
        load.reaches("one").await;
        let [one, _] = &mut self.instances;
        one.signal("TERM");
        assert!(one.end().await.success());
        // Longer than a balancer tries again in the same place.
        sleep(Duration::from_secs(4)).await;
        one.start_anew().await;
        load.reaches(&one.name).await;
        load.lost_no_get();
    }
}
