//! Every way to take a dependency, and every name and type it can have.
#![deny(warnings)]

use std::sync::{Arc, Mutex};

use servicekit_health::{self as health, health_check};

struct Pool;

#[derive(Clone)]
struct Client;

trait Queue: Send + Sync {
    fn length(&self) -> usize;
}

mod inner {
    pub struct Deep<T>(pub T);
}

#[health_check]
async fn borrowed(_pool: &Pool, client: &Client) {
    let _ = client.clone();
}

#[health_check]
async fn owned(_client: Client, port: u16, mut names: Vec<&'static str>) {
    names.push("x");
    let _ = port;
}

#[health_check]
async fn optional(a: Option<&Pool>, _: std::option::Option<&Client>, _: &Option<u8>) {
    let _ = a.is_some();
}

#[health_check]
async fn shared(queue: &Arc<dyn Queue>, counter: Arc<Mutex<u32>>, deep: &inner::Deep<String>) {
    let _ = (queue.length(), counter.lock().is_ok(), &deep.0);
}

#[health_check]
async fn named_lifetimes<'a, 'b>(pool: &'a Pool, client: &'b Client) {
    let _ = (pool, client);
}

#[health_check]
async fn related_lifetimes<'a, 'b: 'a>(pool: &'a Pool, client: &'b Client) {
    let either: [Option<&'a dyn std::any::Any>; 2] = [Some(pool), Some(client)];
    let _ = either;
}

#[health_check]
async fn odd_types(_: &(Pool, u8), _: &[u8; 4], _: &fn(&str) -> usize, _: &&'static Pool) {}

/// A type of the user's own, with the name of one that is unsized.
struct Path(&'static str);

#[health_check]
async fn a_path(path: &Path) {
    let _ = path.0;
}

#[health_check]
async fn conditional(#[cfg(any())] _gone: &Gone, #[cfg(not(any()))] here: &Pool) {
    let _ = here;
}

#[health_check]
async fn all_gone(#[cfg(any())] _gone: &Gone) {}

#[health_check(blocking)]
fn blocking(pool: &Pool, client: Client, none: Option<&String>) {
    let _ = (pool, client, none);
}

fn main() {
    assert_eq!(health::registered().count(), 11);
}
