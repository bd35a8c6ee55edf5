//! One service for all targets, asked without a network.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use servicekit_health::{self as health, Check, CheckResult, Health};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

struct Service {
    runtime: Runtime,
    router: Router,
}

thread_local! {
    static SERVICE: Service = Service {
        runtime: Builder::new_current_thread().enable_time().build().unwrap(),
        router: health().router(),
    };
}

fn health() -> Health {
    let check = |name| Check::new(name, || async { CheckResult::degraded("slow") });
    health::builder()
        .check(check("redis").cache(Duration::from_secs(3600)).tags(["storage", "cache"]))
        .check(check("database").cache(Duration::from_secs(3600)).tags(["storage"]))
        .build()
        .unwrap()
}

/// An answer; the body of a stream is left unread.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn content_type(&self) -> &str {
        self.headers[header::CONTENT_TYPE].to_str().unwrap()
    }
}

/// The answer of the service; `None` where no server would have let the request through.
pub fn ask(path_and_query: &[u8], accept: Option<&[u8]>) -> Option<Answer> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(path_and_query).ok()?;
    if let Some(accept) = accept {
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_bytes(accept).ok()?);
    }
    SERVICE.with(|service| {
        let answer = async {
            let (parts, body) = service.router.clone().oneshot(request).await.unwrap().into_parts();
            let is_stream =
                parts.headers.get(header::CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
            let body =
                if is_stream { Vec::new() } else { to_bytes(body, 1 << 20).await.unwrap().into() };
            Some(Answer { status: parts.status, headers: parts.headers, body })
        };
        service.runtime.block_on(answer)
    })
}

/// What readers are told of this message.
pub fn told(message: &str) -> String {
    SERVICE.with(|service| {
        let message = message.to_owned();
        let check = Check::new("check", move || {
            let message = message.clone();
            async move { CheckResult::degraded(message) }
        });
        let health = health::builder().check(check).build().unwrap();
        let report = service.runtime.block_on(health.check("check")).unwrap();
        report.message.unwrap_or_default()
    })
}
