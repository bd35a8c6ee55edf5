//! The faults that every server can have.

use servicekit_health::HealthState;
use tokio::sync::Mutex;

use crate::cell::Watched;
use crate::process::Server;

/// Stopped, killed, frozen, dropped and refused by a firewall; each ends with a server that works.
pub(crate) async fn usual_faults(
    watched: &mut Watched,
    server: &Mutex<Server>,
    state: HealthState,
) {
    usual_faults_with(watched, server, state, "TERM", async || {}).await;
}

/// The same for a server that is stopped by this signal and needs something once it is there again.
pub(crate) async fn usual_faults_with(
    watched: &mut Watched,
    server: &Mutex<Server>,
    state: HealthState,
    stopped_by: &'static str,
    restored: impl AsyncFn(),
) {
    let refused = "Connection refused";
    let restart = || async {
        server.lock().await.restart().await;
        restored().await;
    };
    let stop = async || server.lock().await.end(stopped_by);
    watched.cell("stopped", state, refused, stop, restart).await;
    let kill = async || server.lock().await.kill();
    watched.cell("killed", state, refused, kill, restart).await;
    let silent = "accepts connections but does not answer";
    let freeze = async || server.lock().await.signal("STOP");
    let thaw = async || server.lock().await.signal("CONT");
    watched.cell("frozen", state, silent, freeze, thaw).await;
    let open = || async { server.lock().await.open_firewall() };
    let drop = async || server.lock().await.firewall("DROP");
    let no_reply = "no reply to a TCP connection";
    watched.cell("dropped by a firewall", state, no_reply, drop, open).await;
    let reject = async || server.lock().await.firewall("REJECT");
    watched.cell("refused by a firewall", state, refused, reject, open).await;
}
