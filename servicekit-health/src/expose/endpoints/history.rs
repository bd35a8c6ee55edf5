//! `GET /health/$history`: the last transitions, newest first.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::unknown_check;
use crate::expose::http::HttpState;
use crate::expose::problem::Problem;
use crate::expose::request::HealthRequest;
#[cfg(feature = "openapi")]
use crate::model::StateSchema;
use crate::model::time::{millis, rfc3339};
use crate::model::{DRAIN_ENTRY, Details, HealthState, Transition};

/// The history as JSON.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = History))]
pub(crate) struct JsonHistory<'a> {
    transitions: Vec<JsonTransition<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Transition))]
pub(crate) struct JsonTransition<'a> {
    check: &'a str,
    /// Absent for a first result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<StateSchema>))]
    from: Option<HealthState>,
    #[cfg_attr(feature = "openapi", schema(value_type = StateSchema))]
    to: HealthState,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    at: Option<String>,
    /// How long the state before had lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    lasted_ms: Option<f64>,
    failures: u32,
}

pub(crate) fn of(state: &HttpState, request: &HealthRequest) -> Result<Response, Problem> {
    let query = request.query()?;
    let wanted = &query.criteria.checks;
    for name in wanted.iter().filter(|name| *name != DRAIN_ENTRY) {
        if state.engine.find(name).is_none() {
            return Err(unknown_check(state, name, StatusCode::BAD_REQUEST, request.details));
        }
    }
    let history = match request.details {
        Details::Status => Vec::new(),
        _ => state.engine.history(),
    };
    let is_wanted =
        |it: &&Transition| wanted.is_empty() || wanted.iter().any(|name| *name == it.check);
    let has_messages = request.details == Details::Full;
    let json = |it| JsonTransition::new(it, has_messages);
    let transitions = history.iter().filter(is_wanted).map(json).collect();
    let body = serde_json::to_vec(&JsonHistory { transitions });
    let mut response = Response::new(Body::from(body.expect("texts and numbers are always JSON")));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

impl<'a> JsonTransition<'a> {
    fn new(transition: &'a Transition, has_message: bool) -> Self {
        Self {
            check: &transition.check,
            from: transition.from,
            to: transition.to,
            message: transition.message.as_deref().filter(|_| has_message),
            at: rfc3339(transition.at),
            lasted_ms: transition.lasted.map(millis),
            failures: transition.failures,
        }
    }
}
