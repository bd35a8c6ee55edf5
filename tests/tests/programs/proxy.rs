//! NGINX in front of the stream.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use servicekit_health::HealthState::Degraded;

use crate::common::{Running, Service, ask, eventually, folder, free_port, program};

/// As most people write it, with the short timeout of many guides.
fn configuration(service: u16, port: u16) -> String {
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{service};
            proxy_read_timeout 5s;
        }}
    }}
}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_through_nginx_at_once_and_survives_silence() {
    let Some(nginx) = program("nginx") else { return };
    let service = Service::start(|app| app).await;
    let port = free_port();
    let folder = folder("nginx");
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration(service.address.port(), port)).unwrap();
    let _nginx = Running::start(
        Command::new(nginx).arg("-p").arg(&folder).arg("-e").arg("error.log").arg("-c").arg(file),
    );
    eventually("nginx answers", move || {
        ask(port, "GET /health HTTP/1.1").starts_with("HTTP/1.1 200").then_some(())
    })
    .await;

    let stream = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
            .write_all(b"GET /health/$stream?on=change HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let asked = Instant::now();
        let mut seen = String::new();
        read_until(&mut socket, &mut seen, r#"{"status":"healthy""#);
        let first = asked.elapsed();
        // Twice the time after which NGINX gives up on a silent service.
        let comments = |seen: &str| seen.matches(":\n\n").count();
        while comments(&seen) < 3 {
            read_more(&mut socket, &mut seen);
        }
        (socket, seen, first, asked.elapsed())
    });
    let (mut socket, mut seen, first, silent) = stream.await.unwrap();
    assert!(first < Duration::from_secs(1), "the first event took {first:?}");
    assert!(silent > Duration::from_secs(10), "{silent:?}");
    service.set(Degraded);
    let changed = tokio::task::spawn_blocking(move || {
        read_until(&mut socket, &mut seen, r#"{"status":"degraded""#);
    });
    changed.await.unwrap();
}

fn read_until(socket: &mut TcpStream, seen: &mut String, text: &str) {
    while !seen.contains(text) {
        read_more(socket, seen);
    }
}

fn read_more(socket: &mut TcpStream, seen: &mut String) {
    let mut bytes = [0; 4096];
    let read = socket.read(&mut bytes).unwrap();
    assert_ne!(read, 0, "the stream ended after {seen}");
    seen.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
}
