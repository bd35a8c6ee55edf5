use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use servicekit_health::health_check;

struct Pool {
    _connections: Rc<u8>,
}

struct NotClone;

struct View<'a>(&'a u8);

struct Tail {
    _bytes: [u8],
}

#[health_check(blocking)]
fn not_send(_pool: &Pool) {}

#[health_check(blocking)]
fn not_sync(_cell: &RefCell<u8>) {}

#[health_check(blocking)]
fn not_sync_optional(_cell: Option<&RefCell<u8>>) {}

#[health_check(blocking)]
fn not_clone(_it: NotClone) {}

#[health_check(blocking)]
fn without_a_size(_tail: &Tail) {}

#[health_check(blocking)]
fn hidden_lifetime(_view: &View) {}

#[health_check]
async fn not_sync_in_an_async_check(_cell: &RefCell<u8>) {}

trait Svc {}

#[health_check]
async fn a_trait_object_without_bounds(_svc: &Arc<dyn Svc>) {}

#[health_check]
async fn paths(_path: &Path, _name: Option<&OsStr>, _text: &std::ffi::CStr) {}

fn main() {
    let _ = View(&1).0;
}
