//! A service whose `main` begins as the documentation says.
#![allow(clippy::print_stdout, reason = "the test reads whether main went on")]

#[tokio::main]
async fn main() {
    servicekit_health::probe::answer("http://127.0.0.1:1/default");
    println!("the service begins");
}
