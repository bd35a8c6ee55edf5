//! A port of its own for health, on a thread and a runtime of its own. Feature `listener`.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use tokio::runtime::Handle;

use super::http::{HttpState, router};

/// Serves the endpoints of `state` until draining is over, or the `Health` is gone.
pub(crate) fn listen(
    state: &Arc<HttpState>,
    address: impl ToSocketAddrs,
) -> io::Result<SocketAddr> {
    let application = Handle::try_current().map_err(io::Error::other)?;
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let engine = &state.engine;
    engine.executor.pin(application);
    engine.wake();

    let over = engine.lifecycle.over();
    let mut gone = state.gone();
    // One that does not keep itself alive.
    let app =
        router::<()>(&Arc::new(state.beside())).into_make_service_with_connect_info::<SocketAddr>();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let end = async move {
            tokio::select! {
                () = over => {}
                _ = gone.changed() => {}
            }
        };
        axum::serve(listener, app).with_graceful_shutdown(end).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("health-listener".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serve) {
            tracing::error!(target: "servicekit_health", %error, "the health listener has failed");
        }
    })?;
    tracing::info!(target: "servicekit_health", %address, "health listener");
    Ok(address)
}
