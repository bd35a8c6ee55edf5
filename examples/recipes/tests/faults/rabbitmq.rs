use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::rabbitmq::Rabbitmq;
use servicekit_health::HealthState::{Degraded, Unhealthy};
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

const SECOND: Duration = Duration::from_secs(1);

/// Without Debian's wrappers, which insist on a user of their own.
const BIN: &str = "/usr/lib/rabbitmq/bin";

/// A command of the broker's that knows its node.
fn command(program: &str, dir: &Path, epmd: u16) -> Command {
    let mut command = Command::new(format!("{BIN}/{program}"));
    command.env("HOME", dir).env("RABBITMQ_NODENAME", "health@localhost");
    command.env("ERL_EPMD_ADDRESS", "127.0.0.1").env("ERL_EPMD_PORT", epmd.to_string());
    command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
    command
}

fn serve(dir: &Path, port: u16, epmd: u16, distribution: u16) -> Command {
    let config = format!(
        "listeners.tcp.default = 127.0.0.1:{port}\n\
         loopback_users = none\n\
         default_user = app\n\
         default_pass = {PASSWORD}\n\
         default_permissions.configure = .*\n\
         default_permissions.read = .*\n\
         default_permissions.write = .*\n\
         log.file = false\n\
         log.console = true\n"
    );
    fs::write(dir.join("rabbitmq.conf"), config).unwrap();
    fs::write(dir.join("plugins"), "[].").unwrap();
    let mut command = command("rabbitmq-server", dir, epmd);
    // Else the script stays between the test and the server.
    command.env("RUNNING_UNDER_SYSTEMD", "true");
    command.env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"));
    command.env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins"));
    command.env("RABBITMQ_MNESIA_BASE", dir.join("data"));
    command.env("RABBITMQ_LOG_BASE", dir).env("RABBITMQ_LOGS", "-");
    command.env("RABBITMQ_PID_FILE", dir.join("pid"));
    command.env("RABBITMQ_DIST_PORT", distribution.to_string());
    let loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
    command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", loopback);
    command
}

async fn watch(port: u16) -> Watched {
    let uri = format!("amqp://app:{PASSWORD}@127.0.0.1:{port}/%2f");
    let recipe = Arc::new(Rabbitmq::new(&uri).unwrap().reconnect_every(SECOND));
    Watched::new("RabbitMQ", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

#[tokio::test]
async fn rabbitmq_says_what_is_wrong_and_recovers() {
    if !have(&["/usr/lib/rabbitmq/bin/rabbitmq-server", "epmd", "iptables"]) {
        return;
    }
    // Erlang's directory of nodes; else the broker starts one that outlives it.
    let epmd = Server::start(tempfile::tempdir().unwrap(), |_, port| {
        let mut command = Command::new("epmd");
        command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
        command
    })
    .await;
    let nodes = epmd.port;
    let distribution = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let command_line = move |dir: &Path, port| serve(dir, port, nodes, distribution);
    let server = Server::start(tempfile::tempdir().unwrap(), command_line).await;
    let port = server.port;
    let home = server.dir.path().to_owned();
    let control = async |args: &[&str]| {
        let mut command = tokio::process::Command::from(command("rabbitmqctl", &home, nodes));
        let output = command.args(args).output().await.unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let mut watched = watch(port).await;

    let state = Unhealthy;
    let limit = async || control(&["set_vhost_limits", r#"{"max-connections": 1}"#]).await;
    let unlimited = async || control(&["clear_vhost_limits"]).await;
    let none_left = "no connection left";
    watched.cell("out of connections", Degraded, none_left, limit, unlimited).await;

    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, state).await;

    let fill = async || control(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;
    let empty = async || control(&["set_vm_memory_high_watermark", "0.4"]).await;
    watched.cell("low on memory", Degraded, "low on memory", fill, empty).await;
    let fill = async || control(&["set_disk_free_limit", "100000GB"]).await;
    let empty = async || control(&["set_disk_free_limit", "50MB"]).await;
    watched.cell("low on disk", Degraded, "low on disk", fill, empty).await;
    let change = async || control(&["change_password", "app", "changed"]).await;
    let change_back = async || control(&["change_password", "app", PASSWORD]).await;
    watched.cell("another password", state, "refuses the credentials", change, change_back).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(2 * SECOND);
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", state, "does not answer within 500ms", late, quick).await;
    watched.finish();
}
