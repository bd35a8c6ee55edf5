//! What the examples share: their dependencies, and where they listen.

use std::env;
use std::process;

use tokio::net::TcpListener;

/// Listens on this address, at the port of the variable `PORT`, which is 8000 unless it is set.
///
/// Where that is not possible, the process ends with status 2 and a line that says what to do.
#[allow(clippy::print_stderr, reason = "the line is for a person at a terminal")]
pub async fn listen(address: &str) -> TcpListener {
    let port = env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    let Ok(number) = port.parse::<u16>() else {
        eprintln!("error: invalid PORT `{port}`: expected 0 (any free port) to 65535");
        process::exit(2);
    };
    TcpListener::bind((address, number)).await.unwrap_or_else(|error| {
        eprintln!("error: cannot listen on port {port}: {error}; choose another with PORT=8001");
        process::exit(2);
    })
}
