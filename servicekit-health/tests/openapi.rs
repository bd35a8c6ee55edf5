//! The OpenAPI document: what it lists, and to whom.
#![cfg(feature = "openapi")]

mod common;

use axum::Router;
use axum::http::StatusCode;
use serde_json::{Value, json};
use servicekit_health::{Details, HealthState, Probe};

use common::{get, service};

async fn document(router: &Router, path: &str) -> Value {
    let answer = get(router, path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

fn parameter<'a>(document: &'a Value, path: &str, name: &str) -> &'a Value {
    let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
    parameters.iter().find(|parameter| parameter["name"] == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_is_in_the_document_and_answers() {
    let router: Router = service().service("shop", "1.2.3").router();
    let document = document(&router, "/health/$openapi").await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"], json!({"title": "Health of shop", "version": "1.2.3"}));
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    let all = [
        "/health",
        "/health/$history",
        "/health/$openapi",
        "/health/$stream",
        "/health/$ui",
        "/health/{name}",
        "/livez",
        "/readyz",
        "/startupz",
    ];
    assert_eq!(paths, all);
    for path in paths.into_iter().filter(|path| !path.ends_with("$stream")) {
        let path = path.replace("{name}", "redis");
        assert_eq!(get(&router, &path).await.status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_builder_set_is_what_the_document_says() {
    let router: Router = service()
        .status_code(HealthState::Degraded, StatusCode::TOO_MANY_REQUESTS)
        .probe_path(Probe::Liveness, "/healthz")
        .probe_path(Probe::Startup, None)
        .router();
    let document = document(&router, "/health/%24openapi").await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/healthz"));
    assert!(!paths.contains_key("/livez") && !paths.contains_key("/startupz"));
    let responses = &document["paths"]["/health"]["get"]["responses"];
    for (code, states) in [("200", "healthy"), ("429", "degraded"), ("503", "unhealthy")] {
        assert_eq!(responses[code]["description"], format!("The status is {states}"));
    }
    let poll_interval = &parameter(&document, "/health/$stream", "poll_interval")["schema"];
    assert_eq!(
        *poll_interval,
        json!({"type": "number", "minimum": 0.1, "maximum": 3600, "default": 1.0})
    );
    let check = parameter(&document, "/health", "check");
    assert_eq!(check["schema"]["items"]["enum"], json!(["database", "redis"]));
    let tag = parameter(&document, "/health", "tag");
    assert_eq!(tag["schema"]["items"]["enum"], json!(["cache", "storage"]));
}

#[tokio::test(start_paused = true)]
async fn a_nested_router_documents_its_prefix() {
    let router = Router::new().nest("/internal", service().router());
    let document = document(&router, "/internal/health/$openapi").await;
    assert_eq!(document["servers"], json!([{"url": "/internal"}]));
    let plain: Router = service().router();
    let document = self::document(&plain, "/health/$openapi").await;
    assert_eq!(document.get("servers"), None);
}

#[tokio::test(start_paused = true)]
async fn who_may_see_the_status_alone_learns_no_names() {
    let router: Router = service().service("shop", "1").details(Details::Status).router();
    let text = get(&router, "/health/$openapi").await.body;
    for secret in ["database", "redis", "cache", "storage", "shop"] {
        assert!(!text.contains(&format!("\"{secret}")), "{secret} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_verbose_report_is_in_the_schema() {
    let router: Router = service().router();
    let document = document(&router, "/health/$openapi").await;
    let schema = document["components"]["schemas"]["Check"]["properties"].as_object().unwrap();
    let report = get(&router, "/health?verbose").await.json();
    for (field, _) in report["checks"]["redis"].as_object().unwrap() {
        assert!(schema.contains_key(field), "{field}");
    }
}
