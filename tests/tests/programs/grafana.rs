//! The live panel for Grafana, in a browser, on a page of another origin than the service.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use crate::common::{Database, Example, installed, node_modules};

const PANEL: &str = include_str!("../../../examples/deploy/grafana/live-panel.html");
const ADDRESS: &str = "https://shop.example/health/$stream?on=change";

#[tokio::test(flavor = "multi_thread")]
async fn the_live_panel_follows_a_service_of_another_origin() {
    let (Some(node), Some(_), Some(modules)) =
        (installed("node"), installed("chromium"), node_modules())
    else {
        return;
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", socket.local_addr().unwrap());
    let mut database = Database::up();
    let variables = [("DATABASE", &*database.address()), ("DASHBOARD", &*origin)];
    let service = Example::start("cors", &variables).await;
    assert!(PANEL.contains(ADDRESS));
    let page = PANEL.replace(ADDRESS, &service.url("/health/$stream?on=change&poll_interval=0.2"));
    let app = Router::new().route("/", get(async move || Html(page)));
    tokio::spawn(async move { axum::serve(socket, app.into_make_service()).await });

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/panel.mjs");
    let mut browser = Command::new(node)
        .args([script, &origin])
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut wishes = browser.stdin.take().unwrap();
    let mut shown = BufReader::new(browser.stdout.take().unwrap()).lines();
    // The script gives up after 20 s, and its output ends with it.
    let mut shows = |text: &str| {
        writeln!(wishes, "{text}").unwrap();
        let line = shown.next().expect("the browser says what is wrong above").unwrap();
        assert_eq!(line, format!("> {text}"));
    };
    shows("healthy");
    database.goes_down();
    shows("unhealthy");
    drop(service);
    shows("no connection");
    drop(wishes);
    assert!(browser.wait().unwrap().success());
}
