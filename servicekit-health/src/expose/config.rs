//! What the builder decides about the answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};

use crate::evaluate::group::Group;
use crate::model::{Details, HealthState, Probe};
use crate::text::panic::panic_text;

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) version: String,
}

type DetailsFor = Box<dyn Fn(&Parts) -> Details + Send + Sync>;

pub(crate) struct HttpConfig {
    /// By the state's severity.
    pub(crate) status_codes: [StatusCode; HealthState::ALL.len()],
    pub(crate) details: Details,
    pub(crate) details_for: Option<DetailsFor>,
    pub(crate) service: Option<Service>,
    pub(crate) max_streams: usize,
    pub(crate) max_stream_age: Option<Duration>,
    /// By probe.
    pub(crate) probe_paths: [Option<String>; Probe::ALL.len()],
    #[cfg(feature = "prometheus")]
    pub(crate) metrics_path: Option<String>,
    /// What counts the requests.
    #[cfg(any(feature = "prometheus", feature = "metrics"))]
    pub(crate) metrics: std::sync::Arc<super::metrics::Metrics>,
    /// Whose pages may read.
    pub(crate) origins: Vec<HeaderValue>,
    /// The application's services.
    #[cfg(feature = "grpc")]
    pub(crate) grpc: super::grpc::GrpcConfig,
    /// Some of the results are simulated.
    pub(crate) is_drill: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let path = |probe: &Probe| Some(Group::of(*probe).path.to_owned());
        Self {
            status_codes: [StatusCode::OK, StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE],
            details: Details::Full,
            details_for: None,
            service: None,
            max_streams: 256,
            max_stream_age: None,
            probe_paths: std::array::from_fn(|index| path(&Probe::ALL[index])),
            #[cfg(feature = "prometheus")]
            metrics_path: None,
            #[cfg(any(feature = "prometheus", feature = "metrics"))]
            metrics: std::sync::Arc::default(),
            origins: Vec::new(),
            #[cfg(feature = "grpc")]
            grpc: super::grpc::GrpcConfig::default(),
            is_drill: false,
        }
    }
}

impl HttpConfig {
    pub(crate) fn status_code(&self, state: HealthState) -> StatusCode {
        self.status_codes[state as usize]
    }

    pub(crate) fn details_of(&self, request: &Parts) -> Details {
        match &self.details_for {
            Some(details_for) => {
                let decided = catch_unwind(AssertUnwindSafe(|| details_for(request)));
                decided.unwrap_or_else(|panic| {
                    let panic = panic_text(&*panic);
                    tracing::error!(
                        target: "servicekit_health",
                        panic,
                        "`details_for` panicked: the response has the least detail"
                    );
                    Details::Status
                })
            }
            None => self.details,
        }
    }

    /// The paths that the builder sets, and whose they are.
    fn paths(&self) -> Vec<(String, &str)> {
        let probes = Probe::ALL.iter().zip(&self.probe_paths);
        let probes = probes
            .filter_map(|(probe, path)| Some((format!("the {probe} probe"), path.as_deref()?)));
        #[cfg(feature = "prometheus")]
        let probes =
            probes.chain(self.metrics_path.as_deref().map(|it| ("the metrics".to_owned(), it)));
        probes.collect()
    }

    /// Adds what `build` must refuse, before axum would panic over it.
    pub(crate) fn validate(&self, problems: &mut Vec<String>) {
        for (state, code) in HealthState::ALL.into_iter().zip(self.status_codes) {
            if !(200..600).contains(&code.as_u16()) {
                let code = code.as_u16();
                problems.push(format!(
                    "the status code of {state}, {code}, is not a final status code; use one from 200 to 599"
                ));
            }
        }
        let mut earlier: Vec<&str> = Vec::new();
        for (whose, path) in self.paths() {
            let plain = path.starts_with('/')
                && path.len() > 1
                && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}?#*%".contains(&byte));
            let plain = plain && !path.ends_with('/');
            let taken = path == "/health" || path.starts_with("/health/");
            let same = earlier.contains(&path);
            earlier.push(path);
            let problem = if !plain {
                "is not a plain path; write one like `/healthz`"
            } else if taken {
                "is reserved for the checks; choose one outside `/health`"
            } else if same {
                "is the path of another endpoint too; give each its own"
            } else {
                continue;
            };
            problems.push(format!("the path of {whose}, `{path}`, {problem}"));
        }
        if self.max_streams > tokio::sync::Semaphore::MAX_PERMITS {
            let (given, most) = (self.max_streams, tokio::sync::Semaphore::MAX_PERMITS);
            problems.push(format!("`max_streams` is {given}, which exceeds the limit of {most}"));
        }
    }
}
