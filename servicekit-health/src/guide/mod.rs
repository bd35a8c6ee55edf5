//! How to use and operate health checks, a page on each topic. Documentation only: it is not part of
//! a compiled program.
//!
//! | first steps | what a failure causes | around the service | reference |
//! |---|---|---|---|
//! | [Quick start](quick_start) | [States and aggregation](states) | [Kubernetes](kubernetes) | [Endpoints](endpoints) |
//! | [Migration](migration) | [Probes](probes) | [Meshes](meshes) | [Metrics](metrics) |
//! | [Testing](testing) | [Shared dependencies](shared_dependencies) | [Load balancers](load_balancers) | [Troubleshooting](troubleshooting) |
//! | [Which check](which_check) | [Best practices](best_practices) | [Clients](clients), [Dashboards](dashboards) | [Errors](errors) |
//! | | | [Authentication](authentication) | |

pub mod authentication {
    #![doc = include_str!("authentication.md")]
}
pub mod best_practices {
    #![doc = include_str!("best_practices.md")]
}
pub mod clients {
    #![doc = include_str!("clients.md")]
}
pub mod dashboards {
    #![doc = include_str!("dashboards.md")]
}
pub mod endpoints {
    #![doc = include_str!("endpoints.md")]
}
pub mod errors {
    #![doc = include_str!("errors.md")]
}
pub mod kubernetes {
    #![doc = include_str!("kubernetes.md")]
}
pub mod load_balancers {
    #![doc = include_str!("load_balancers.md")]
}
pub mod meshes {
    #![doc = include_str!("meshes.md")]
}
pub mod metrics {
    #![doc = include_str!("metrics.md")]
}
pub mod migration {
    #![doc = include_str!("migration.md")]
}
pub mod probes {
    #![doc = include_str!("probes.md")]
}
pub mod quick_start {
    #![doc = include_str!("quick_start.md")]
}
pub mod shared_dependencies {
    #![doc = include_str!("shared_dependencies.md")]
}
pub mod states {
    #![doc = include_str!("states.md")]
}
pub mod testing {
    #![doc = include_str!("testing.md")]
}
pub mod troubleshooting {
    #![doc = include_str!("troubleshooting.md")]
}
pub mod which_check {
    #![doc = include_str!("which_check.md")]
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
