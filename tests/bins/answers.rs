//! A service whose `main` starts as the documentation says.
#![allow(clippy::print_stdout, reason = "the test reads whether `main` continued")]

#[tokio::main]
async fn main() {
    servicekit_health::healthcheck::answer("http://127.0.0.1:1/default");
    println!("the service starts");
}
