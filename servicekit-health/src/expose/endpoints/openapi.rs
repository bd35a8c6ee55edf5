//! `GET /health/$openapi`: all endpoints as an OpenAPI 3.1 document. Feature `openapi`.
//!
//! Made for each reader: what it lists depends on how much that reader may see, and its server URL
//! on where the router is nested.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, HttpMethod, Info, Object, ObjectBuilder, OpenApi,
    OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder, Schema, Server, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::history::JsonHistory;
use super::{Endpoint, endpoints};
use crate::expose::formats::FORMATS;
use crate::expose::formats::health_json::HealthJson;
use crate::expose::http::HttpState;
use crate::expose::problem::JsonProblem;
use crate::expose::query::{MAX_POLL_INTERVAL, MIN_POLL_INTERVAL, POLL_INTERVAL, SELECTION_LIMIT};
use crate::expose::request::HealthRequest;
use crate::model::json::JsonCheck;
use crate::model::{Details, HealthState, Probe};

/// A schema that is made when it is wanted.
pub(crate) type SchemaOf = fn() -> RefOr<Schema>;

pub(crate) fn respond(state: &HttpState, request: &HealthRequest) -> Response {
    let document = document(state, request).to_json();
    let mut response = Response::new(Body::from(document.expect("texts and maps are always JSON")));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn document(state: &HttpState, request: &HealthRequest) -> OpenApi {
    let service = state.config.service.as_ref();
    let details = request.details;
    let info = match service.filter(|_| details != Details::Status) {
        Some(service) => Info::new(format!("Health of {}", service.name), service.version.clone()),
        None => Info::new("Health", "1"),
    };
    let names = Names::seen_by(state, details);
    let mut paths = Paths::new();
    for (path, endpoint) in endpoints(&state.config) {
        paths.paths.insert(path.to_owned(), item(state, endpoint, &names));
    }
    let mut schemas = Vec::new();
    JsonCheck::schemas(&mut schemas);
    HealthJson::schemas(&mut schemas);
    JsonHistory::schemas(&mut schemas);
    JsonProblem::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .schema("Report", report())
        .schema(JsonCheck::name(), JsonCheck::schema())
        .schema(HealthJson::name(), HealthJson::schema())
        .schema(JsonHistory::name(), JsonHistory::schema())
        .schema(JsonProblem::name(), JsonProblem::schema());
    OpenApiBuilder::new()
        .info(info)
        .servers(request.prefix().map(|prefix| [Server::new(prefix)]))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// What can be selected, where the reader may know it.
struct Names {
    checks: Object,
    tags: Object,
}

impl Names {
    fn seen_by(state: &HttpState, details: Details) -> Self {
        let runners = state.engine.runners();
        let any = || text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]*$")).max_length(Some(64));
        if details == Details::Status {
            return Self { checks: any().build(), tags: any().build() };
        }
        let mut tags: Vec<_> = runners.iter().flat_map(|runner| runner.info.tags.clone()).collect();
        tags.sort_unstable();
        tags.dedup();
        let one_of = |names: Vec<String>| {
            // An empty `enum` is no valid schema.
            if names.is_empty() { any() } else { text().enum_values(Some(names)) }
        };
        let checks = runners.iter().map(|runner| runner.info.name.clone()).collect();
        Self { checks: one_of(checks).build(), tags: one_of(tags).build() }
    }
}

fn item(state: &HttpState, endpoint: Endpoint, names: &Names) -> PathItem {
    let operation = match endpoint {
        Endpoint::Group(group) => {
            let (id, summary) = match group.probe {
                None => ("getHealth", "Every check"),
                Some(Probe::Liveness) => ("getLiveness", "The liveness probe"),
                Some(Probe::Readiness) => ("getReadiness", "The readiness probe"),
                Some(Probe::Startup) => ("getStartup", "The startup probe"),
            };
            let operation = operation(id, summary).parameter(verbose());
            with_reports(state, with_selection(operation, names))
        }
        Endpoint::Check => {
            let name = ParameterBuilder::new()
                .name("name")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(names.checks.clone()))
                .description(Some("The check's name"));
            let operation = operation("getCheck", "One check").parameter(name).parameter(verbose());
            with_reports(state, with_selection(operation, names))
                .response("404", refused("Unknown check"))
        }
        Endpoint::Stream => {
            let operation = operation("streamHealth", "Server-sent events, each with a report")
                .parameter(poll_interval())
                .parameter(on())
                .parameter(limit())
                .parameter(verbose());
            let events = ContentBuilder::new().schema(Some(text()));
            let response = ResponseBuilder::new()
                .description("`data:` and the JSON of a report, once an interval")
                .content("text/event-stream", events.build());
            with_selection(operation, names)
                .response("200", response)
                .response("503", refused("Too many open streams"))
        }
        Endpoint::History => {
            let history = ContentBuilder::new().schema(Some(reference("History")));
            let response = ResponseBuilder::new()
                .description("The last transitions, newest first")
                .content("application/json", history.build());
            let only = ArrayBuilder::new().items(names.checks.clone());
            operation("getHistory", "The last transitions")
                .parameter(query("check", "Only those of these checks", only))
                .response("200", response)
        }
        #[cfg(feature = "dashboard")]
        Endpoint::Ui => {
            let page = ContentBuilder::new().schema(Some(text()));
            let response = ResponseBuilder::new()
                .description("A page that shows the stream and the history")
                .content("text/html", page.build());
            operation("getDashboard", "The dashboard").response("200", response)
        }
        Endpoint::OpenApi => {
            let document = ContentBuilder::new().schema(Some(ObjectBuilder::new()));
            let response = ResponseBuilder::new()
                .description("This document")
                .content("application/json", document.build());
            operation("getOpenApi", "This document").response("200", response)
        }
        #[cfg(feature = "prometheus")]
        Endpoint::Metrics => {
            let response = ResponseBuilder::new()
                .description("The metrics as OpenMetrics text")
                .content(
                    "application/openmetrics-text",
                    ContentBuilder::new().schema(Some(text())).build(),
                )
                .content("text/plain", ContentBuilder::new().schema(Some(text())).build());
            OperationBuilder::new()
                .operation_id(Some("getMetrics"))
                .summary(Some("Metrics for Prometheus"))
                .tag("health")
                .response("200", response)
        }
    };
    PathItem::new(HttpMethod::Get, operation)
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("health")
        .response("400", refused("Invalid query; the detail says what is allowed"))
}

/// The selection keys.
fn with_selection(operation: OperationBuilder, names: &Names) -> OperationBuilder {
    let key = |name: &str, what: &str, item: &Object| {
        let values = ArrayBuilder::new().items(item.clone()).max_items(Some(SELECTION_LIMIT));
        query(name, what, values)
    };
    operation
        .parameter(key("check", "Only these checks", &names.checks))
        .parameter(key("exclude", "All but these checks", &names.checks))
        .parameter(key("tag", "Only checks with one of these tags", &names.tags))
}

fn verbose() -> ParameterBuilder {
    let flag = text().enum_values(Some(["", "true", "1", "false", "0"]));
    query("verbose", "Add to each check how the result came about", flag)
}

fn poll_interval() -> ParameterBuilder {
    let number = ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(MIN_POLL_INTERVAL.as_secs_f64()))
        .maximum(Some(MAX_POLL_INTERVAL.as_secs_f64()))
        .default(Some(POLL_INTERVAL.as_secs_f64().into()));
    query("poll_interval", "Seconds from one event to the next", number)
}

fn on() -> ParameterBuilder {
    let change = text().enum_values(Some(["change"]));
    query("on", "`change`: only an event when a state or message differs", change)
}

fn limit() -> ParameterBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    query("limit", "End the stream after this many events", number)
}

fn query(name: &str, what: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(schema))
}

/// A response for every status code that a state is answered with.
fn with_reports(state: &HttpState, operation: OperationBuilder) -> OperationBuilder {
    let mut states_by_code: BTreeMap<u16, Vec<HealthState>> = BTreeMap::new();
    let config = &state.config;
    for state in HealthState::ALL {
        let code = config.status_code(state).as_u16();
        states_by_code.entry(code).or_default().push(state);
    }
    let header = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(HealthState::ALL.map(HealthState::as_str)));
    let header = Header::new(header);
    states_by_code.into_iter().fold(operation, |operation, (code, states)| {
        let states: Vec<_> = states.into_iter().map(HealthState::as_str).collect();
        let response = FORMATS.iter().fold(
            ResponseBuilder::new()
                .description(format!("The status is {}", states.join(" or ")))
                .header("x-health-status", header.clone()),
            |response, format| {
                let content = ContentBuilder::new().schema(Some((format.schema)())).build();
                let content_type = format.content_type.to_str().unwrap_or_default();
                response.content(content_type, content)
            },
        );
        operation.response(code.to_string(), response)
    })
}

fn refused(why: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(reference("Problem"))).build();
    ResponseBuilder::new().description(why).content("application/problem+json", content)
}

pub(crate) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(crate) fn reference(schema: &str) -> RefOr<Schema> {
    Ref::from_schema_name(schema).into()
}

fn map_of(schema: RefOr<Schema>) -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(schema)))
}

/// Written by hand: its checks are serialized from a map that is not one of serde's.
fn report() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("status", reference("State"))
        .required("status")
        .property("checks", map_of(reference("Check")).description(Some("By name")))
}
