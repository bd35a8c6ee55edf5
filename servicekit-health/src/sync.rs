//! What the parts that have to stand every interleaving are made of. A test compiles those files a
//! second time, with a model checker's types in this place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
