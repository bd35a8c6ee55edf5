//! The metrics by name. They are part of the crate's interface: alerts and dashboards name them.

/// The name of a metric, as it stands in the exposition, and what it is.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

macro_rules! metrics {
    ($($(#[$attribute:meta])* $ident:ident = $name:literal, $help:literal;)*) => {
        $(
            $(#[$attribute])*
            pub(crate) static $ident: Metric =
                Metric { name: concat!("servicekit_health_", $name), help: $help };
        )*
    };
}

metrics! {
    STATUS = "status", "Whether the checks of the scope are in this state (1) or not (0)";
    CHECK_STATUS = "check_status", "Whether the check is reported in this state (1) or not (0)";
    RUNS = "check_runs_total", "Finished runs of the check by their outcome";
    DURATION = "check_duration_seconds", "How long runs of the check took";
    LAST_RUN = "check_last_run_timestamp_seconds",
        "When the newest result of the check was obtained, in seconds since 1970; 0 before the first";
    LAST_SUCCESS = "check_last_success_timestamp_seconds",
        "When the check was last healthy, in seconds since 1970; 0 if it never was";
    TRANSITIONS = "transitions_total", "Changes of the reported state of the check";
    REQUESTS = "requests_total", "Requests answered by the health endpoints";
    DRAINING = "draining", "Whether the service is draining (1) or not (0)";
    STREAMS = "streams", "Open event streams";
}

/// The upper bounds of the duration's buckets, in seconds: from well below the default timeout of a
/// check to far beyond it.
#[cfg(feature = "prometheus")]
pub(crate) const BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
