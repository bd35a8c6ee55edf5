use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use recipes::smtp::Smtp;
use servicekit_health::HealthState::{Degraded, Unhealthy};
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have, have_python};
use crate::proxy::Slow;
use crate::usual::usual_faults;

fn serve(dir: &Path, port: u16) -> Command {
    fs::write(dir.join("password"), PASSWORD).unwrap();
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/servers/mail.py"));
    command.arg(port.to_string()).arg(dir);
    command
}

async fn watch(port: u16) -> Watched {
    let credentials = Credentials::new("app".to_owned(), PASSWORD.to_owned());
    let recipe = Arc::new(Smtp::new("127.0.0.1", port, "app.example").credentials(credentials));
    Watched::new("SMTP", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn smtp_says_what_is_wrong_and_recovers() {
    if !have(&["iptables"]) || !have_python("aiosmtpd") {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let (port, dir) = (server.port, server.dir.path().to_owned());
    let mut watched = watch(port).await;
    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let limit = async || fs::write(dir.join("full"), "").unwrap();
    let make_room = async || fs::remove_file(dir.join("full")).unwrap();
    let full = "takes no connection now: 4.7.0 too many connections";
    watched.cell("out of connections", Degraded, full, limit, make_room).await;
    let change = async || fs::write(dir.join("password"), "changed").unwrap();
    let change_back = async || fs::write(dir.join("password"), PASSWORD).unwrap();
    let credentials = "refuses the credentials";
    watched.cell("another password", Unhealthy, credentials, change, change_back).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();
}
