//! A request to a router, and what came back.
#![allow(dead_code, reason = "every test file uses a part of it")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use servicekit_health::{Check, CheckResult, HealthBuilder, HealthState};
use tower::ServiceExt;

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn send(
    router: &Router,
    method: &str,
    path: &str,
    accept: Option<&str>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    send(router, "GET", path, None).await
}

/// A check that always comes to this.
pub(crate) fn fixed(name: &str, result: CheckResult) -> Check {
    Check::new(name, move || {
        let result = result.clone();
        async move { result }
    })
}

/// A healthy database and a degraded redis.
pub(crate) fn service() -> HealthBuilder {
    let redis = fixed("redis", CheckResult::degraded("Redis unavailable: Connection refused"));
    servicekit_health::builder()
        .check(redis.tags(["storage", "cache"]))
        .check(fixed("database", HealthState::Healthy.into()).tags(["storage"]))
}
