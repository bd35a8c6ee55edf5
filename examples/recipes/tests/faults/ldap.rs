use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use recipes::ldap::Ldap;
use servicekit_health::HealthState::Unhealthy;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::cell::{PASSWORD, Watched};
use crate::process::{Server, have};
use crate::proxy::Slow;
use crate::usual::usual_faults;

const SECOND: Duration = Duration::from_secs(1);
const BASE: &str = "dc=example,dc=org";
const USER: &str = "cn=app,dc=example,dc=org";

/// With few open files, so that they can all be taken.
fn serve(dir: &Path, port: u16) -> Command {
    let config = dir.join("slapd.conf");
    if !config.exists() {
        prepare(dir);
    }
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 60; exec slapd \"$@\"", "slapd", "-d", "0"]);
    command.arg("-h").arg(format!("ldap://127.0.0.1:{port}")).arg("-f").arg(config);
    command
}

fn prepare(dir: &Path) {
    let data = dir.join("data");
    fs::create_dir(&data).unwrap();
    let config = format!(
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         pidfile {dir}/slapd.pid\ndatabase mdb\nsuffix {BASE}\nrootdn cn=root,{BASE}\nrootpw root\n\
         directory {dir}/data\n",
        dir = dir.display()
    );
    fs::write(dir.join("slapd.conf"), config).unwrap();
    let entries = format!(
        "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: {USER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: app\n\
         userPassword: {PASSWORD}\n"
    );
    fs::write(dir.join("entries.ldif"), entries).unwrap();
    let mut load = Command::new("slapadd");
    let load = load.arg("-f").arg(dir.join("slapd.conf")).arg("-l").arg(dir.join("entries.ldif"));
    let output = load.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn recipe(port: u16) -> Ldap {
    Ldap::new("127.0.0.1", port, BASE).bind(USER, PASSWORD).reconnect_every(SECOND)
}

async fn watch(port: u16) -> Watched {
    let recipe = Arc::new(recipe(port));
    Watched::new("LDAP", Some(port), move || {
        let recipe = Arc::clone(&recipe);
        async move { recipe.check().await }
    })
    .await
}

async fn set_password(port: u16, password: &str) {
    let (connection, mut ldap) =
        ldap3::LdapConnAsync::new(&format!("ldap://127.0.0.1:{port}")).await.unwrap();
    tokio::spawn(connection.drive());
    let root = format!("cn=root,{BASE}");
    ldap.simple_bind(&root, "root").await.unwrap().success().unwrap();
    let password = ldap3::Mod::Replace("userPassword", [password].into());
    ldap.modify(USER, vec![password]).await.unwrap().success().unwrap();
}

#[tokio::test]
async fn ldap_says_what_is_wrong_and_recovers() {
    if !have(&["slapd", "slapadd", "iptables"]) {
        return;
    }
    let server = Server::start(tempfile::tempdir().unwrap(), serve).await;
    let port = server.port;
    let mut watched = watch(port).await;
    let server = &Mutex::new(server);
    usual_faults(&mut watched, server, Unhealthy).await;

    let held = Mutex::new(Vec::new());
    let take_all = async || {
        for _ in 0..300 {
            held.lock().await.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
    };
    let give_back = async || held.lock().await.clear();
    let silent = "accepts connections but does not answer";
    watched.cell("out of connections", Unhealthy, silent, take_all, give_back).await;
    let change = async || set_password(port, "changed").await;
    let change_back = async || set_password(port, PASSWORD).await;
    let credentials = "refuses the credentials";
    watched.cell("another password", Unhealthy, credentials, change, change_back).await;
    watched.finish();

    let slow = Slow::start(port).await;
    let mut watched = watch(slow.port).await;
    let late = async || slow.delay(Duration::from_secs(2));
    let quick = async || slow.delay(Duration::ZERO);
    watched.cell("slow, 2 s", Unhealthy, "does not answer within 500ms", late, quick).await;
    watched.finish();

    let elsewhere = Ldap::new("127.0.0.1", port, "dc=other").bind(USER, PASSWORD);
    let expected = "LDAP server has no entry `dc=other`, or does not show it";
    assert_eq!(elsewhere.check().await.unwrap_err(), expected);
}
