//! What the builder says about gRPC.

use std::collections::{BTreeMap, BTreeSet};

use crate::declare::suggest;
use crate::model::Probe;

/// The application's services, and the checks that each of them needs.
#[derive(Debug, Default)]
pub(crate) struct GrpcConfig {
    pub(crate) services: Vec<(String, Vec<String>)>,
}

impl GrpcConfig {
    /// Adds what `build` must refuse: services that cannot be told apart from others, and checks that
    /// are not there.
    pub(crate) fn validate(&self, checks: &[&str], problems: &mut Vec<String>) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for (service, needs) in &self.services {
            let service = service.as_str();
            let times = times.entry(service).or_default();
            *times += 1;
            if *times == 2 {
                problems.push(format!(
                    "duplicate gRPC service `{service}`; name all of its checks in one call of `grpc_service`"
                ));
            }
            let taken = if service.is_empty() {
                Some("the empty name is readiness")
            } else if Probe::ALL.iter().any(|probe| probe.to_string() == service) {
                Some("this name is that of a probe")
            } else if checks.contains(&service) {
                Some("this name is that of a check, which is a service already")
            } else {
                None
            };
            if let (Some(reason), 1) = (taken, *times) {
                problems.push(format!(
                    "invalid gRPC service name `{service}`: {reason}; use the full name of a gRPC \
                     service such as `shop.v1.Orders`"
                ));
            }
            let unknown: BTreeSet<_> =
                needs.iter().filter(|check| !checks.contains(&check.as_str())).collect();
            for check in unknown {
                let hint = suggest::known(check, checks);
                problems.push(format!(
                    "gRPC service `{service}` refers to unknown check `{check}`; {hint}"
                ));
            }
        }
    }
}
