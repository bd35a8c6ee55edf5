//! `GET /health`, one check of it, and the probes.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::Surface;
use super::accept::Format;
use super::encode::{Style, encode};
use super::problem::Problem;
use super::query::Query;
use super::select::{select, unknown_check};
use super::settings::Details;
use crate::evaluate::engine::Scope;
use crate::evaluate::model::{HealthState, Probe, Report};

/// The status in a header of its own: a balancer that searches the body for `healthy` also finds
/// it in `unhealthy`.
const X_HEALTH_STATUS: HeaderName = HeaderName::from_static("x-health-status");

/// `GET /health` and the probes.
pub(crate) async fn of_scope(
    surface: &Arc<Surface>,
    scope: Scope,
    request: &Parts,
) -> Result<Response<Body>, Problem> {
    let details = surface.settings.details_of(request);
    let format = Format::negotiate(&request.headers);
    let query = Query::parse(request.uri.query().unwrap_or_default())?;
    let engine = &surface.engine;

    if query.criteria.is_empty() && !query.verbose && format == Format::Json {
        let shared = engine.shared(scope).await;
        let frame = surface.frame(scope, &shared, details);
        return Ok(respond(surface, shared.report.status, format, frame.json()));
    }
    let report = if query.criteria.is_empty() {
        engine.report(scope).await
    } else {
        let selected = select(engine, engine.members(scope), &query.criteria, details)?;
        if scope == Scope::Probe(Probe::Startup) && engine.has_started_up() {
            Report::default()
        } else {
            engine.report_of(&selected, scope.shows_drain()).await
        }
    };
    Ok(encoded(surface, &report, format, details, query.verbose))
}

/// `GET /health/{name}`
pub(crate) async fn of_check(
    surface: &Arc<Surface>,
    mut request: Parts,
) -> Result<Response<Body>, Problem> {
    let request = &mut request;
    let parameters = RawPathParams::from_request_parts(request, &()).await;
    let details = surface.settings.details_of(request);
    let format = Format::negotiate(&request.headers);
    let query = Query::parse(request.uri.query().unwrap_or_default())?;
    let engine = &surface.engine;
    // The last one: a router that is nested may have parameters of its own before it. A name that
    // cannot be decoded is the name of no check.
    let name = parameters.iter().flatten().last().map_or("", |(_, name)| name);
    let Some(index) = engine.find(name) else {
        return Err(unknown_check(engine, name, StatusCode::NOT_FOUND, details));
    };
    let selected = select(engine, vec![index], &query.criteria, details)?;
    let report = engine.report_of(&selected, false).await;
    Ok(encoded(surface, &report, format, details, query.verbose))
}

fn encoded(
    surface: &Surface,
    report: &Report,
    format: Format,
    details: Details,
    verbose: bool,
) -> Response<Body> {
    let style = Style { format, details, verbose, service: surface.settings.service.as_ref() };
    respond(surface, report.status, format, encode(report, style))
}

fn respond(surface: &Surface, state: HealthState, format: Format, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = surface.settings.status_code(state);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(X_HEALTH_STATUS, HeaderValue::from_static(state.as_str()));
    response
}
