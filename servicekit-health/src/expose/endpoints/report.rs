//! `GET /health`, one check of it, and the probes.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use super::unknown_check;
use crate::evaluate::group::{Group, HEALTH};
use crate::evaluate::view::{Snapshot, View};
use crate::expose::formats::{Form, json};
use crate::expose::http::HttpState;
use crate::expose::origin::allow_origin;
use crate::expose::problem::Problem;
use crate::expose::queries::Asked;
use crate::expose::request::HealthRequest;
use crate::model::HealthState;

/// The status in a header of its own: a balancer that searches the body for `healthy` also finds
/// it in `unhealthy`.
const X_HEALTH_STATUS: HeaderName = HeaderName::from_static("x-health-status");

/// `GET /health` and the probes.
pub(crate) async fn of_group(
    state: &HttpState,
    group: &'static Group,
    request: &HealthRequest,
) -> Result<Response, Problem> {
    let Asked { view, verbose } = state.asked(group, request)?;
    let mut response = answer(state, &view, request.form(verbose)).await;
    if group.probe.is_none() {
        allow_origin(&state.config, request, &mut response);
    }
    Ok(response)
}

/// `GET /health/{name}`. It says what the check says, also while the program drains.
pub(crate) async fn of_check(
    state: &HttpState,
    name: &str,
    request: &HealthRequest,
) -> Result<Response, Problem> {
    let Some(index) = state.engine.find(name) else {
        // What is wrong with the query comes first.
        request.query()?;
        return Err(unknown_check(state, name, StatusCode::NOT_FOUND, request.details));
    };
    // Selecting can only confirm the one check, or leave nothing of it.
    let Asked { view: selected, verbose } = state.asked(&HEALTH, request)?;
    if !selected.members.iter().any(|member| member.index == index) {
        return Err(Problem::bad_request("no check matches the selection"));
    }
    let view = state.engine.only(index);
    Ok(answer(state, &view, request.form(verbose)).await)
}

async fn answer(state: &HttpState, view: &View, form: Form) -> Response {
    let snapshot = state.engine.snapshot(view).await;
    let encoded = encoded(state, &snapshot, form);
    let body = if form.format == json::INDEX { json::body(&encoded) } else { encoded };
    let status = snapshot.report.status;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = state.config.status_code(status);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.format().content_type.clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(X_HEALTH_STATUS, header_of(status));
    response
}

/// The snapshot in this form, encoded by the first who wants it and shared by all others.
pub(super) fn encoded(state: &HttpState, snapshot: &Snapshot, form: Form) -> Bytes {
    let service = state.config.service.as_ref();
    snapshot.form(form.number(), |report| form.encode(report, service))
}

fn header_of(state: HealthState) -> HeaderValue {
    HeaderValue::from_static(state.as_str())
}
