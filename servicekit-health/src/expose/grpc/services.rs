//! The names that clients ask for, and what is known of each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::GrpcConfig;
use super::messages::ServingStatus;
use super::watch::Feed;
use crate::evaluate::engine::Engine;
use crate::evaluate::group::{Group, HEALTH, LIVENESS, READINESS};
use crate::evaluate::selection::Criteria;
use crate::evaluate::view::View;
use crate::model::{HealthState, Probe};

/// Every service of one `Health`.
pub(crate) struct Services {
    pub(super) engine: Arc<Engine>,
    by_name: BTreeMap<String, Arc<Service>>,
}

/// What a name stands for.
pub(super) struct Service {
    scope: Scope,
    pub(super) feed: Feed,
}

enum Scope {
    Group(&'static Group),
    Checks(Arc<View>),
    /// An application's service that needs no check.
    Nothing,
}

impl Services {
    /// The probes, the checks and the application's services. Where two have one name, the probe
    /// wins; `build` refuses the others.
    pub(crate) fn new(engine: &Arc<Engine>, config: GrpcConfig) -> Self {
        let mut by_name = BTreeMap::new();
        let mut insert = |name: String, scope| {
            by_name.insert(name, Arc::new(Service { scope, feed: Feed::default() }));
        };
        for (index, runner) in engine.runners().iter().enumerate() {
            insert(runner.info.name.clone(), Scope::Checks(engine.only(index)));
        }
        for (name, checks) in config.services {
            let checks = checks.into_iter().map(Cow::Owned).collect();
            let criteria = Criteria { checks, ..Criteria::default() };
            let scope = match engine.select(&HEALTH, &criteria) {
                Ok(view) if !criteria.is_empty() => Scope::Checks(view),
                // `build` has refused unknown checks.
                _ => Scope::Nothing,
            };
            insert(name, scope);
        }
        for probe in Probe::ALL {
            insert(probe.to_string(), Scope::Group(Group::of(*probe)));
        }
        insert(String::new(), Scope::Group(&READINESS));
        Self { engine: Arc::clone(engine), by_name }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.by_name.keys().map(String::as_str).collect()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Service>> {
        self.by_name.get(name)
    }

    /// The status of this service, from results that are new enough; `None` if it is unknown.
    pub(super) async fn check(&self, name: &str) -> Option<ServingStatus> {
        Some(self.ask(self.find(name)?).await)
    }

    /// The status of `service`, from results that are new enough.
    pub(super) async fn ask(&self, service: &Service) -> ServingStatus {
        let state = match service.view(&self.engine) {
            Some(view) if !self.drains(service) => self.engine.snapshot(&view).await.report.status,
            _ => HealthState::Healthy,
        };
        self.status(service, state)
    }

    /// The status of `service` as it is known now, for a watcher, which sees every change.
    pub(super) fn watched(&self, service: &Service) -> ServingStatus {
        let state = service.view(&self.engine).and_then(|view| {
            let states = self.engine.watched(&view).map(|(_, state)| state);
            states.max()
        });
        self.status(service, state.unwrap_or_default())
    }

    /// The status of every service, all from one report.
    pub(super) async fn list(&self) -> BTreeMap<String, ServingStatus> {
        let all = self.engine.group(&HEALTH);
        let snapshot = self.engine.snapshot(&all).await;
        let state = |service: &Service| {
            let view = service.view(&self.engine)?;
            let states = view.members.iter().filter_map(|member| {
                let name = &self.engine.runners()[member.index].info.name;
                Some(snapshot.report.checks.get(name)?.state.min(member.worst))
            });
            states.max()
        };
        let status = |(name, service): (&String, &Arc<Service>)| {
            let state = state(service).unwrap_or_default();
            (name.clone(), self.status(service, state))
        };
        self.by_name.iter().map(status).collect()
    }

    fn status(&self, service: &Service, state: HealthState) -> ServingStatus {
        if state == HealthState::Unhealthy || self.drains(service) {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        }
    }

    /// Whether `service` is not serving because the program drains: a program that drains is alive.
    fn drains(&self, service: &Service) -> bool {
        let is_liveness = matches!(service.scope, Scope::Group(group) if std::ptr::eq(group, &raw const LIVENESS));
        !is_liveness && self.engine.lifecycle.is_draining()
    }
}

impl Service {
    /// The checks that it stands for now.
    pub(super) fn view(&self, engine: &Engine) -> Option<Arc<View>> {
        match &self.scope {
            Scope::Group(group) => Some(engine.group(group)),
            Scope::Checks(view) => Some(Arc::clone(view)),
            Scope::Nothing => None,
        }
    }
}
