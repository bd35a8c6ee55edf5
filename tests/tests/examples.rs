//! The example programs, as processes: what they promise holds over HTTP.
#![cfg(unix)]

mod common;

use std::process::{Command, Stdio};

use common::{Database, Events, Example, client, eventually, get, send};
use reqwest::{Method, Response};

const DASHBOARD: &str = "http://dashboard.example";
const STREAMS: [&str; 2] = ["/health/$stream", "/health/%24stream"];

async fn cors(database: &Database) -> Example {
    Example::start("cors", &[("DATABASE", &database.address()), ("DASHBOARD", DASHBOARD)]).await
}

/// As a browser sends it for a page of this origin; with a `method`, before it sends that one.
async fn from_page(origin: &str, url: &str, method: Option<&str>) -> Response {
    let client = client();
    let request = match method {
        None => client.get(url),
        Some(method) => client
            .request(Method::OPTIONS, url)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "x-requested-with"),
    };
    request.header("origin", origin).send().await.unwrap()
}

fn allowed(response: &Response) -> Option<&str> {
    let header = response.headers().get("access-control-allow-origin")?;
    Some(header.to_str().unwrap())
}

#[tokio::test]
async fn cors_lets_a_page_of_the_dashboard_read_the_stream_and_the_report() {
    let database = Database::up();
    let example = cors(&database).await;
    for path in STREAMS {
        let response = from_page(DASHBOARD, &example.url(path), None).await;
        assert_eq!(allowed(&response), Some(DASHBOARD), "{path}");
        let event = Events::of(response).event().await.unwrap();
        assert_eq!(event["status"], "healthy");
    }
    for path in ["/health", "/health/", "/health/$history"] {
        let response = from_page(DASHBOARD, &example.url(path), None).await;
        assert_eq!(allowed(&response), Some(DASHBOARD), "{path}");
    }
}

#[tokio::test]
async fn cors_lets_no_other_page_read_and_none_read_the_probes() {
    let database = Database::up();
    let example = cors(&database).await;
    for path in STREAMS {
        let response = from_page("http://elsewhere.example", &example.url(path), None).await;
        assert_eq!(allowed(&response), None, "{path}");
    }
    for path in ["/health/database", "/readyz", "/livez", "/startupz"] {
        let url = example.url(path);
        for method in [None, Some("GET")] {
            assert_eq!(allowed(&from_page(DASHBOARD, &url, method).await), None, "{path}");
        }
    }
}

#[tokio::test]
async fn cors_does_not_turn_the_options_of_a_balancer_green() {
    let mut database = Database::up();
    let example = cors(&database).await;
    let options = async |path| send(Method::OPTIONS, &example.url(path)).await.status();
    assert_eq!(options("/health").await, 200);
    database.goes_down();
    eventually("503", async || (options("/health").await == 503).then_some(())).await;
    for path in ["/health", "/health/database", "/readyz"] {
        let url = example.url(path);
        assert_eq!(options(path).await, 503, "{path}");
        assert_eq!(from_page(DASHBOARD, &url, Some("GET")).await.status(), 503, "{path}");
        assert_eq!(get(&url).await.status(), 503, "{path}");
    }
}

#[tokio::test]
async fn authentication_refuses_the_application_and_leaves_health_public() {
    let mut database = Database::up();
    let example = Example::start("authentication", &[("DATABASE", &database.address())]).await;
    let refused = get(&example.url("/orders")).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    for path in ["/health", "/health/database", "/readyz", "/livez", "/startupz"] {
        assert_eq!(get(&example.url(path)).await.status(), 200, "{path}");
        assert_eq!(send(Method::HEAD, &example.url(path)).await.status(), 200, "{path}");
    }
    for path in STREAMS {
        let event = Events::of(get(&example.url(path)).await).event().await.unwrap();
        assert_eq!(event, serde_json::json!({"status": "healthy"}));
    }
    database.goes_down();
    let readyz = async || get(&example.url("/readyz")).await.status();
    eventually("503", async || (readyz().await == 503).then_some(())).await;
}

#[tokio::test]
async fn authentication_tells_details_to_operators_only() {
    let mut database = Database::up();
    database.goes_down();
    let variables = [("DATABASE", &*database.address()), ("TOKEN", "a-secret")];
    let example = Example::start("authentication", &variables).await;
    let ask = async |path: &str, token: &str| {
        let url = example.url(path);
        let request = client().get(url).header("authorization", format!("Bearer {token}"));
        request.send().await.unwrap()
    };
    assert_eq!(ask("/orders", "a-secret").await.status(), 200);
    assert_eq!(ask("/orders", "a-secret-not").await.status(), 401);

    let hidden = r#"{"status":"unhealthy"}"#;
    for path in ["/health", "/health?verbose", "/health/database", "/readyz"] {
        for stranger in [ask(path, "wrong").await, get(&example.url(path)).await] {
            assert_eq!(stranger.status(), 503, "{path}");
            assert_eq!(stranger.text().await.unwrap(), hidden, "{path}");
        }
        let operator = ask(path, "a-secret").await;
        assert_eq!(operator.status(), 503, "{path}");
        let body = operator.text().await.unwrap();
        assert!(body.contains("Connection refused"), "{path}: {body}");
    }
    let mut stream = Events::of(ask("/health/$stream", "a-secret").await);
    let event = stream.event().await.unwrap();
    assert!(event["checks"]["database"]["message"].is_string(), "{event}");
}

#[tokio::test]
async fn trace_logs_failures_of_the_service_and_leaves_probes_out() {
    let mut database = Database::up();
    database.goes_down();
    let example = Example::start("trace", &[("DATABASE", &database.address())]).await;
    for path in ["/readyz", "/health", "/health/database"].into_iter().cycle().take(9) {
        assert_eq!(get(&example.url(path)).await.status(), 503, "{path}");
    }
    assert_eq!(get(&example.url("/orders")).await.status(), 200);
    assert_eq!(get(&example.url("/broken")).await.status(), 500);
    let lines = async |text: &str| {
        let said = example.said();
        said.lines().filter(|line| line.contains(text)).map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("the access log", async || (lines(" request ").await.len() >= 2).then_some(()))
        .await;
    let errors = lines("ERROR").await;
    let [change, failure] = &errors[..] else { panic!("{errors:?}") };
    assert!(change.contains("health check starts out failing"), "{change}");
    assert!(failure.contains("path=\"/broken\""), "{failure}");
    let requests = lines(" request ").await;
    let [orders, broken] = &requests[..] else { panic!("{requests:?}") };
    assert!(orders.contains("path=\"/orders\"") && orders.contains("status=200"), "{orders}");
    assert!(broken.contains("path=\"/broken\"") && broken.contains("status=500"), "{broken}");
}

#[tokio::test]
async fn opentelemetry_exports_a_span_a_run_with_what_the_check_does_inside() {
    let mut database = Database::up();
    database.goes_down();
    let example = Example::start("opentelemetry", &[("DATABASE", &database.address())]).await;
    assert_eq!(get(&example.url("/health")).await.status(), 503);
    let said = eventually("the span of the run", async || {
        let said = example.said();
        said.contains("duration_ms").then_some(said)
    })
    .await;
    for attribute in ["check: String(Owned(\"database\"))", "outcome: String(Owned(\"error\"))"] {
        assert!(said.contains(attribute), "{attribute}: {said}");
    }
    // Each span is a block, the inner one first.
    let field = |span: &str, name: &str| {
        let lines = said.split_once(&format!(": {span}\n")).unwrap().1.lines();
        let line = lines.map(str::trim_start).find(|line| line.starts_with(name));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(field("connect", "ParentSpanId"), field("health_check", "SpanId"), "{said}");
}

/// Of every example; each that is added belongs here.
const EXAMPLES: [&str; 7] = [
    "authentication",
    "cors",
    "healthcheck",
    "opentelemetry",
    "quickstart",
    "socket_deadline",
    "trace",
];

#[tokio::test]
async fn an_example_that_cannot_listen_says_in_a_line_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in EXAMPLES {
        for (port, reason) in [
            (&*port, format!("error: cannot listen on port {port}: ")),
            ("99999", "error: invalid PORT `99999`: expected 0 (any free port) to 65535".into()),
        ] {
            let mut command = Command::new(Example::path(name));
            let output = command.env("PORT", port).stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}: {said}");
            assert!(said.lines().last().unwrap().starts_with(&reason), "{name}: {said}");
            assert!(!said.contains("Error"), "{name}: {said}");
        }
    }
}

/// Without the layer, clients with pooled connections lose their last request.
#[test]
fn every_example_is_tested_and_closes_its_connections_as_it_drains() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/examples");
    let files = std::fs::read_dir(sources).unwrap().map(|file| file.unwrap().path());
    let mut names = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        assert!(source.contains(".layer(health.drain_layer())"), "{}", file.display());
        assert!(source.contains(".into_make_service()"), "{}", file.display());
        names.push(file.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, EXAMPLES);
}
