//! `GET /health/$openapi`: all endpoints as an OpenAPI 3.1 document. Feature `openapi`.
//!
//! Made for each reader: what it lists depends on how much that reader may see, and its server URL
//! on where the router is nested.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, HttpMethod, Info, KnownFormat, Object,
    ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required, ResponseBuilder,
    Schema, SchemaFormat, Server, Type,
};

use super::accept::Format;
use super::query::{LONGEST_POLL_INTERVAL, POLL_INTERVAL, SELECTION_LIMIT, SHORTEST_POLL_INTERVAL};
use super::settings::Details;
use super::{Endpoint, Surface, endpoints};
use crate::evaluate::engine::Scope;
use crate::evaluate::model::{HealthState, Probe};

pub(super) fn respond(surface: &Surface, request: &Parts) -> Response<Body> {
    let document = document(surface, request).to_json();
    let mut response = Response::new(Body::from(document.expect("texts and maps are always JSON")));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn document(surface: &Surface, request: &Parts) -> OpenApi {
    let service = surface.settings.service.as_ref();
    let details = surface.settings.details_of(request);
    let info = match service.filter(|_| details != Details::Status) {
        Some(service) => Info::new(format!("Health of {}", service.name), service.version.clone()),
        None => Info::new("Health", "1"),
    };
    let names = Names::seen_by(surface, details);
    let mut paths = Paths::new();
    for (path, endpoint) in endpoints(&surface.settings) {
        paths.paths.insert(path.to_owned(), item(surface, endpoint, &names));
    }
    let components = ComponentsBuilder::new()
        .schema("State", state())
        .schema("Report", report())
        .schema("Check", check())
        .schema("HealthJson", health_json())
        .schema("Problem", problem());
    OpenApiBuilder::new()
        .info(info)
        .servers(prefix(request).map(|prefix| [Server::new(prefix)]))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// Where the router is nested, if it is.
fn prefix(request: &Parts) -> Option<String> {
    let OriginalUri(outer) = request.extensions.get()?;
    let prefix = outer.path().strip_suffix(request.uri.path())?;
    (!prefix.is_empty()).then(|| prefix.to_owned())
}

/// What can be selected, where the reader may know it.
struct Names {
    checks: Object,
    tags: Object,
}

impl Names {
    fn seen_by(surface: &Surface, details: Details) -> Self {
        let slots = surface.engine.slots();
        let any = || text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]*$")).max_length(Some(64));
        if details == Details::Status {
            return Self { checks: any().build(), tags: any().build() };
        }
        let mut tags: Vec<_> = slots.iter().flat_map(|slot| slot.tags.clone()).collect();
        tags.sort_unstable();
        tags.dedup();
        let one_of = |names: Vec<String>| {
            // An empty `enum` is no valid schema.
            if names.is_empty() { any() } else { text().enum_values(Some(names)) }
        };
        let checks = slots.iter().map(|slot| slot.name.clone()).collect();
        Self { checks: one_of(checks).build(), tags: one_of(tags).build() }
    }
}

fn item(surface: &Surface, endpoint: Endpoint, names: &Names) -> PathItem {
    let operation = match endpoint {
        Endpoint::Report(scope) => {
            let (id, summary) = match scope {
                Scope::All => ("getHealth", "Every check"),
                Scope::Probe(Probe::Liveness) => ("getLiveness", "The liveness probe"),
                Scope::Probe(Probe::Readiness) => ("getReadiness", "The readiness probe"),
                Scope::Probe(Probe::Startup) => ("getStartup", "The startup probe"),
            };
            let operation = operation(id, summary).parameter(verbose());
            with_reports(surface, with_selection(operation, names))
        }
        Endpoint::Check => {
            let name = ParameterBuilder::new()
                .name("name")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(names.checks.clone()))
                .description(Some("The check's name"));
            let operation = operation("getCheck", "One check").parameter(name).parameter(verbose());
            with_reports(surface, with_selection(operation, names))
                .response("404", refused("There is no such check"))
        }
        Endpoint::Stream => {
            let operation = operation("streamHealth", "Server-sent events, each with a report")
                .parameter(poll_interval())
                .parameter(on())
                .parameter(verbose());
            let events = ContentBuilder::new().schema(Some(text()));
            let response = ResponseBuilder::new()
                .description("`data:` and the JSON of a report, once an interval")
                .content("text/event-stream", events.build());
            with_selection(operation, names)
                .response("200", response)
                .response("503", refused("As many streams as are allowed are open"))
        }
        Endpoint::OpenApi => {
            let document = ContentBuilder::new().schema(Some(ObjectBuilder::new()));
            let response = ResponseBuilder::new()
                .description("This document")
                .content("application/json", document.build());
            operation("getOpenApi", "This document").response("200", response)
        }
    };
    PathItem::new(HttpMethod::Get, operation)
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("health")
        .response("400", refused("The query cannot be met; the detail says what is allowed"))
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
        .minimum(Some(SHORTEST_POLL_INTERVAL.as_secs_f64()))
        .maximum(Some(LONGEST_POLL_INTERVAL.as_secs_f64()))
        .default(Some(POLL_INTERVAL.as_secs_f64().into()));
    query("poll_interval", "Seconds from one event to the next", number)
}

fn on() -> ParameterBuilder {
    let change = text().enum_values(Some(["change"]));
    query("on", "`change`: only an event when a state or message differs", change)
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
fn with_reports(surface: &Surface, operation: OperationBuilder) -> OperationBuilder {
    let mut states_by_code: BTreeMap<u16, Vec<HealthState>> = BTreeMap::new();
    for state in HealthState::ALL {
        let code = surface.settings.status_code(state).as_u16();
        states_by_code.entry(code).or_default().push(state);
    }
    let header = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(HealthState::ALL.map(HealthState::as_str)));
    let header = Header::new(header);
    states_by_code.into_iter().fold(operation, |operation, (code, states)| {
        let states: Vec<_> = states.into_iter().map(HealthState::as_str).collect();
        let response = Format::ALL.into_iter().fold(
            ResponseBuilder::new()
                .description(format!("The status is {}", states.join(" or ")))
                .header("x-health-status", header.clone()),
            |response, format| {
                let schema = match format {
                    Format::Json => reference("Report"),
                    Format::HealthJson => reference("HealthJson"),
                    Format::Text => text().into(),
                };
                let content = ContentBuilder::new().schema(Some(schema)).build();
                response.content(format.content_type(), content)
            },
        );
        operation.response(code.to_string(), response)
    })
}

fn refused(why: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(reference("Problem"))).build();
    ResponseBuilder::new().description(why).content("application/problem+json", content)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number)
}

fn time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

fn reference(schema: &str) -> RefOr<Schema> {
    Ref::from_schema_name(schema).into()
}

fn map_of(schema: RefOr<Schema>) -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(schema)))
}

fn state() -> ObjectBuilder {
    text()
        .enum_values(Some(HealthState::ALL.map(HealthState::as_str)))
        .description(Some("From best to worst"))
}

fn report() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("status", reference("State"))
        .required("status")
        .property("checks", map_of(reference("Check")).description(Some("By name")))
}

fn check() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("state", reference("State"))
        .required("state")
        .property("message", text())
        .property("raw_state", reference("State"))
        .property("raw_message", text())
        .property("duration_ms", number())
        .property("checked_at", time())
        .property("age_ms", number())
        .property("since", time())
        .property("consecutive_failures", ObjectBuilder::new().schema_type(Type::Integer))
        .property("last_success", time())
        .property("stale", ObjectBuilder::new().schema_type(Type::Boolean))
        .property("description", text())
        .property("tags", ArrayBuilder::new().items(text()))
        .property("details", ObjectBuilder::new())
        .description(Some("All but `state` and `message` only with `verbose`"))
}

fn health_json() -> ObjectBuilder {
    let status = || text().enum_values(Some(["pass", "warn", "fail"]));
    let measurement = ObjectBuilder::new()
        .property("status", status())
        .required("status")
        .property("observedValue", number())
        .property("observedUnit", text())
        .property("time", time())
        .property("output", text());
    let measurements = ArrayBuilder::new().items(measurement);
    ObjectBuilder::new()
        .property("status", status())
        .required("status")
        .property("version", text())
        .property("releaseId", text())
        .property("serviceId", text())
        .property("checks", map_of(measurements.into()))
        .description(Some("draft-inadarei-api-health-check-06"))
}

fn problem() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("type", text())
        .property("title", text())
        .property("status", ObjectBuilder::new().schema_type(Type::Integer))
        .property("detail", text())
        .required("title")
        .required("status")
        .required("detail")
        .description(Some("RFC 9457"))
}
