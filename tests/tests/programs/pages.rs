//! The page of `examples/clients/browser`, in a browser.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::common::{get as ask, installed, node_modules};
use crate::haproxy::{Haproxy, RECOMMENDED};

/// Pages that show a state, in one browser.
struct Browser {
    process: Child,
    wishes: ChildStdin,
    shown: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    fn open(urls: &[&str]) -> Option<Self> {
        let (node, _, modules) = (installed("node")?, installed("chromium")?, node_modules()?);
        let mut process = Command::new(node)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/programs/panel.mjs"))
            .args(urls)
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wishes = process.stdin.take().unwrap();
        let shown = BufReader::new(process.stdout.take().unwrap()).lines();
        Some(Self { process, wishes, shown })
    }

    /// Waits until all pages show this. The script gives up after 20 s, and its output ends with it.
    fn show(&mut self, text: &str) {
        writeln!(self.wishes, "{text}").unwrap();
        let line = self.shown.next().expect("the browser says what is wrong above").unwrap();
        assert_eq!(line, format!("> {text}"));
    }

    fn close(mut self) {
        drop(self.wishes);
        assert!(self.process.wait().unwrap().success());
    }
}

/// An EventSource as most people write it.
const PLAIN: &str = r#"<!doctype html>
<pre role="status"></pre>
<script>
    const status = document.querySelector("[role=status]");
    const source = new EventSource(new URLSearchParams(location.search).get("service"));
    source.onmessage = ({ data }) => status.textContent = JSON.parse(data).status;
    source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) status.textContent = "closed";
    };
</script>
"#;

/// A whole service is restarted behind its balancer, which answers with 503 meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_comes_back_after_a_restart_on_the_same_and_on_another_origin() {
    if node_modules().is_none() {
        return;
    }
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}", socket.local_addr().unwrap());
    let Some(mut haproxy) = Haproxy::start(RECOMMENDED, &[("ALLOW_ORIGIN", &elsewhere)]).await
    else {
        return;
    };
    let service = haproxy.balanced.url("");
    let own = format!("{service}/page/");
    let html = ask(&own).await.text().await.unwrap();
    let script = ask(&format!("{own}health.js")).await.text().await.unwrap();
    let pages = Router::new()
        .route("/", get(async || Html(html)))
        .route("/health.js", get(async || ([("content-type", "text/javascript")], script)))
        .route("/plain", get(async || Html(PLAIN)));
    tokio::spawn(async move { axum::serve(socket, pages.into_make_service()).await });

    let other = format!("{elsewhere}/?service={service}");
    let plain = format!("{elsewhere}/plain?service={service}/health/$stream");
    let Some(mut pages) = Browser::open(&[&own, &other]) else { return };
    let mut plain = Browser::open(&[&plain]).unwrap();
    pages.show("healthy");
    plain.show("healthy");
    for instance in &haproxy.balanced.instances {
        instance.mode("degraded").await;
    }
    pages.show("degraded");

    for instance in &haproxy.balanced.instances {
        instance.signal("TERM");
    }
    pages.show("being deployed");
    pages.show("no connection");
    plain.show("closed");
    for instance in &mut haproxy.balanced.instances {
        assert!(instance.end().await.success());
        instance.start_anew().await;
    }
    pages.show("healthy");
    // It has had longer to come back than the others took.
    sleep(Duration::from_secs(3)).await;
    plain.show("closed");
    pages.close();
    plain.close();
}
