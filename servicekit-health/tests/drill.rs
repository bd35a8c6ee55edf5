//! Drills: made-up results that say so everywhere.

mod common;

use axum::Router;
use servicekit_health::{CheckResult, Details, HealthState};

use common::{get, send, service};

fn drill(details: Details) -> Router {
    let result = CheckResult::unhealthy("no connection");
    service().drill("database", result).details(details).router()
}

#[tokio::test(start_paused = true)]
async fn a_drill_decides_the_state_and_says_that_it_is_one() {
    let answer = get(&drill(Details::Full), "/health").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json()["checks"]["database"],
        serde_json::json!({"state": "unhealthy", "message": "drill: no connection"})
    );
    let silent = service().drill("redis", HealthState::Healthy).build().unwrap().report().await;
    assert_eq!(silent.checks["redis"].message.as_deref(), Some("drill"));
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_a_drill_carries_its_header() {
    let paths = ["/health", "/health/redis", "/health/nothing", "/livez", "/readyz", "/startupz"];
    for details in [Details::Full, Details::States, Details::Status] {
        let router = drill(details);
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            for path in paths {
                let answer = send(&router, method, path, None).await;
                assert_eq!(answer.header("x-health-drill"), "true", "{method} {path}");
            }
        }
        let stream = send(&router, "HEAD", "/health/$stream", None).await;
        assert_eq!(stream.header("x-health-drill"), "true");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_drill_nothing_speaks_of_one() {
    let answer = get(&service().router(), "/health?verbose").await;
    assert!(!answer.headers.contains_key("x-health-drill"));
    assert!(!answer.body.contains("drill"));
}
