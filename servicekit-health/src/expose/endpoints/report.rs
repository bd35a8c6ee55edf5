//! `GET /health`, one check of it, and the probes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::Instant;

use super::{Answer, unknown_check};
use crate::evaluate::group::{Group, HEALTH};
use crate::evaluate::view::{Snapshot, View};
use crate::expose::formats::{Form, json};
use crate::expose::http::HttpState;
use crate::expose::problem::Problem;
use crate::expose::queries::Asked;
use crate::expose::request::HealthRequest;

/// The status in a header of its own: a balancer that searches the body for `healthy` also finds
/// it in `unhealthy`.
const X_HEALTH_STATUS: HeaderName = HeaderName::from_static("x-health-status");

/// `GET /health` and the probes.
pub(crate) fn of_group(
    state: &Arc<HttpState>,
    group: &'static Group,
    request: &HealthRequest,
) -> Result<Answer, Problem> {
    let Asked { view, verbose } = state.asked(group, request)?;
    Ok(Reading { view, form: request.form(verbose) }.answer(state))
}

/// `GET /health/{name}`. It says what the check says, also while the program drains.
pub(crate) fn of_check(state: &Arc<HttpState>, request: &HealthRequest) -> Result<Answer, Problem> {
    let name = request.name();
    let Some(index) = state.engine.find(&name) else {
        // What is wrong with the query comes first.
        request.query()?;
        return Err(unknown_check(state, &name, StatusCode::NOT_FOUND, request.details));
    };
    // Selecting can only confirm the one check, or leave nothing of it.
    let Asked { view: selected, verbose } = state.asked(&HEALTH, request)?;
    if !selected.members.iter().any(|member| member.index == index) {
        return Err(Problem::bad_request("no check matches the selection"));
    }
    let view = state.engine.only(index);
    Ok(Reading { view, form: request.form(verbose) }.answer(state))
}

/// A report as a request wants it.
struct Reading {
    view: Arc<View>,
    form: Form,
}

impl Reading {
    fn answer(self, state: &Arc<HttpState>) -> Answer {
        if let Some(snapshot) = state.engine.current(&self.view, Instant::now()) {
            return Answer::Now(self.response(state, &snapshot));
        }
        let state = Arc::clone(state);
        Answer::Later(Box::pin(async move {
            let snapshot = state.engine.snapshot(&self.view).await;
            self.response(&state, &snapshot)
        }))
    }

    fn response(self, state: &HttpState, snapshot: &Snapshot) -> Response {
        let encoded = encoded(state, snapshot, self.form);
        let body = if self.form.format == json::INDEX { json::body(&encoded) } else { encoded };
        let status = snapshot.report.status;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = state.config.status_code(status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.form.format().content_type.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(X_HEALTH_STATUS, HeaderValue::from_static(status.as_str()));
        response
    }
}

/// The snapshot in this form, encoded by the first who wants it and shared by all others.
pub(super) fn encoded(state: &HttpState, snapshot: &Snapshot, form: Form) -> Bytes {
    let service = state.config.service.as_ref();
    snapshot.form(form.number(), |report| form.encode(report, service))
}
