//! What the builder decides about the answers.

use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::evaluate::model::{HealthState, Probe};

/// How much an answer tells. It never changes which checks count, nor the status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Details {
    /// Everything.
    #[default]
    Full,
    /// The checks and their states, without messages and details.
    States,
    /// The overall status alone; errors of a request list no names either.
    Status,
}

impl Details {
    pub(crate) const ALL: [Self; 3] = [Self::Full, Self::States, Self::Status];
}

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) version: String,
}

type DetailsFor = Box<dyn Fn(&Parts) -> Details + Send + Sync>;

pub(crate) struct Settings {
    /// By the state's severity.
    pub(crate) status_codes: [StatusCode; HealthState::ALL.len()],
    pub(crate) details: Details,
    pub(crate) details_for: Option<DetailsFor>,
    pub(crate) service: Option<Service>,
    pub(crate) max_streams: usize,
    /// By probe.
    pub(crate) probe_paths: [Option<String>; Probe::ALL.len()],
    /// Some of the results are made up.
    pub(crate) is_drill: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            status_codes: [StatusCode::OK, StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE],
            details: Details::Full,
            details_for: None,
            service: None,
            max_streams: 256,
            probe_paths: ["/livez", "/readyz", "/startupz"].map(|path| Some(path.to_owned())),
            is_drill: false,
        }
    }
}

impl Settings {
    pub(crate) fn status_code(&self, state: HealthState) -> StatusCode {
        self.status_codes[state as usize]
    }

    pub(crate) fn details_of(&self, request: &Parts) -> Details {
        match &self.details_for {
            Some(details_for) => details_for(request),
            None => self.details,
        }
    }

    /// Adds what `build` must refuse, before axum would panic over it.
    pub(crate) fn validate(&self, problems: &mut Vec<String>) {
        for (state, code) in HealthState::ALL.into_iter().zip(self.status_codes) {
            if !(200..600).contains(&code.as_u16()) {
                let code = code.as_u16();
                problems.push(format!(
                    "the status code of {state} is {code}, which ends no response; use one from 200 to 599"
                ));
            }
        }
        let paths = || Probe::ALL.into_iter().zip(&self.probe_paths);
        for (probe, path) in paths().filter_map(|(probe, path)| Some((probe, path.as_ref()?))) {
            let plain = path.starts_with('/')
                && path.len() > 1
                && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}?#*%".contains(&byte));
            let taken = path == "/health" || path.starts_with("/health/");
            let same = paths().any(|(other, it)| other < probe && it.as_ref() == Some(path));
            let problem = if !plain {
                "is no plain path; write one like `/healthz`"
            } else if taken {
                "belongs to the checks; choose one outside `/health`"
            } else if same {
                "is another probe's; give each its own"
            } else {
                continue;
            };
            problems.push(format!("the path of the {probe} probe, `{path}`, {problem}"));
        }
        if self.max_streams > tokio::sync::Semaphore::MAX_PERMITS {
            problems.push(format!("max_streams is {}, more than can be counted", self.max_streams));
        }
    }
}
