//! Where the router may live: under a prefix, before and after a state, on a port of its own,
//! beside an application's routes, twice in one program.

mod common;

use std::panic::catch_unwind;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get as on_get;
use common::{fixed, get, send, service};
use servicekit_health::{self as health, CheckResult, Health, Probe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// All endpoints are under `prefix`, with what they answer at the root.
async fn assert_at(app: &Router, prefix: &str) {
    let root = service().router();
    let paths =
        ["/health", "/health/", "/health/redis", "/health/nope", "/readyz", "/livez", "/startupz"];
    for path in paths.into_iter().chain(["/health?check=redis", "/health?check=nope"]) {
        let expected = get(&root, path).await;
        for method in ["GET", "HEAD", "OPTIONS"] {
            let expected = send(&root, method, path, None).await;
            let answer = send(app, method, &format!("{prefix}{path}"), None).await;
            assert_eq!(
                (answer.status, answer.body, answer.headers),
                (expected.status, expected.body, expected.headers),
                "{method} {prefix}{path}"
            );
        }
        assert_ne!(expected.body, "");
    }
    for path in ["/health/$stream", "/health/%24stream"] {
        let answer = send(app, "HEAD", &format!("{prefix}{path}"), None).await;
        assert_eq!(answer.header("content-type"), "text/event-stream", "{prefix}{path}");
    }
}

#[tokio::test]
async fn nests_under_any_prefix() {
    for prefix in ["/ops", "/internal/ops", "/v1.0/~team/a-b_c", "/health", "/%C3%BC", "/$"] {
        let app = Router::new().nest(prefix, service().router());
        assert_at(&app, prefix).await;
        let outside = if prefix == "/health" { "/readyz" } else { "/health" };
        assert_eq!(get(&app, outside).await.status, StatusCode::NOT_FOUND, "{prefix}");
        let app = Router::new().nest_service(prefix, service().router::<()>());
        assert_at(&app, prefix).await;
        let app = Router::new().nest("/outer", Router::new().nest(prefix, service().router()));
        assert_at(&app, &format!("/outer{prefix}")).await;
    }
}

#[tokio::test]
async fn nests_under_a_prefix_with_parameters() {
    let app = Router::new().nest("/{tenant}/{name}", service().router());
    assert_at(&app, "/acme/shop").await;
}

#[tokio::test]
async fn merges_before_and_after_the_state_of_the_application() {
    #[derive(Clone)]
    struct App(&'static str);
    let app =
        || Router::new().route("/name", on_get(async |State(app): State<App>| app.0.to_owned()));
    let before = app().merge(service().router()).with_state(App("before"));
    let after = app().with_state(App("after")).merge(service().router());
    for (app, name) in [(before, "before"), (after, "after")] {
        assert_eq!(get(&app, "/name").await.body, name);
        assert_at(&app, "").await;
    }
    let nested = app().nest("/ops", service().router()).with_state(App("nested"));
    assert_at(&nested, "/ops").await;
}

#[tokio::test]
async fn lives_on_a_port_of_its_own() {
    let listen = async |app: Router| {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(socket, app).await });
        address
    };
    let ask = async |address, path: &str| {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let main = listen(Router::new().route("/", on_get(|| async { "the application" }))).await;
    let own = listen(service().router()).await;
    assert!(ask(main, "/").await.ends_with("the application"));
    assert!(ask(main, "/health").await.starts_with("HTTP/1.0 404"));
    assert!(ask(own, "/").await.starts_with("HTTP/1.0 404"));
    let health = ask(own, "/health").await;
    assert!(health.starts_with("HTTP/1.0 200"), "{health}");
    assert!(health.ends_with(&get(&service().router(), "/health").await.body), "{health}");
}

#[cfg(feature = "listener")]
#[tokio::test]
async fn the_listener_tells_the_address_of_the_connection() {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use servicekit_health::Details;

    let by_address = |request: &axum::http::request::Parts| {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().is_loopback());
        if is_local { Details::Full } else { Details::Status }
    };
    let health = service().details_for(by_address).build().unwrap();
    let mut socket = TcpStream::connect(health.listen("127.0.0.1:0").unwrap()).await.unwrap();
    socket.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&get(&service().router(), "/health").await.body), "{answer}");
}

#[tokio::test]
async fn a_route_of_the_application_that_takes_any_path_leaves_health_alone() {
    let named = |name: &'static str| on_get(async move || name);
    let app = Router::new()
        .route("/{page}", named("page"))
        .route("/{page}/{id}", named("page and id"))
        .merge(service().router());
    assert_at(&app, "").await;
    assert_eq!(get(&app, "/about").await.body, "page");
    assert_eq!(get(&app, "/about/us").await.body, "page and id");

    let app = Router::new().route("/{*rest}", named("rest")).merge(service().router());
    assert_at(&app, "").await;
    assert_eq!(get(&app, "/about/us/all").await.body, "rest");

    let app = service().router().fallback(async || "fallback");
    assert_at(&app, "").await;
    for unknown in ["/", "/healthy", "/health/redis/more", "/livez/more"] {
        assert_eq!(get(&app, unknown).await.body, "fallback", "{unknown}");
    }
}

#[tokio::test]
async fn a_route_of_the_application_below_health_is_more_exact_or_refused() {
    let app = Router::new()
        .route("/health/history", on_get(|| async { "history" }))
        .route("/health/{name}/history", on_get(async |Path(name): Path<String>| name))
        .merge(service().router());
    assert_at(&app, "").await;
    assert_eq!(get(&app, "/health/history").await.body, "history");
    assert_eq!(get(&app, "/health/redis/history").await.body, "redis");

    let app =
        || Router::new().route("/health/{id}", on_get(async |Path(id): Path<u32>| id.to_string()));
    let merged = catch_unwind(|| app().merge(service().router::<()>()));
    // At start, and not by one of the two answering for both.
    let panic = *merged.unwrap_err().downcast::<String>().unwrap();
    assert!(panic.contains("conflict with previously registered route: /health/{id}"), "{panic}");
    let app = app().nest("/ops", service().router());
    assert_eq!(get(&app, "/health/7").await.body, "7");
    assert_at(&app, "/ops").await;
}

#[tokio::test]
async fn a_route_of_the_application_on_a_path_of_health_is_refused() {
    for path in ["/health", "/health/{name}", "/health/$stream", "/readyz"] {
        let app = || Router::new().route(path, on_get(|| async { "mine" }));
        let merged = catch_unwind(|| app().merge(service().router::<()>()));
        let panic = *merged.expect_err(path).downcast::<String>().unwrap();
        assert!(panic.contains("Overlapping method route"), "{panic}");
    }
}

#[tokio::test]
async fn two_in_one_program_do_not_disturb_each_other() {
    let down = || fixed("database", CheckResult::unhealthy("gone"));
    let (first, second) = (
        service().build().unwrap(),
        health::builder().check(down()).max_streams(0).build().unwrap(),
    );
    let app: Router = Router::new().nest("/first", first.router()).nest("/second", second.router());
    assert_at(&app, "/first").await;
    let status = async |path| get(&app, path).await.status;
    assert_eq!(status("/second/health").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status("/second/health/redis").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/second/health/$stream").await, StatusCode::SERVICE_UNAVAILABLE);

    second.drain();
    assert_at(&app, "/first").await;
    assert!(get(&app, "/second/readyz").await.body.contains("$drain"));
    first.drain();
    assert!(get(&app, "/first/readyz").await.body.contains("$drain"));
}

#[tokio::test]
async fn one_in_two_places_is_one() {
    let health: Health = service().probe_path(Probe::Readiness, "/ready").build().unwrap();
    let app: Router = Router::new().nest("/public", health.router()).merge(health.router());
    assert_eq!(get(&app, "/public/health").await.body, get(&app, "/health").await.body);
    health.drain();
    for path in ["/ready", "/public/ready"] {
        assert_eq!(get(&app, path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}
