//! What knows by itself how it is, and only has to be asked: a check reads it and waits for nothing.

pub(crate) mod heartbeat;
pub(crate) mod observed;
pub(crate) mod reported;
pub(crate) mod runtime;
pub(crate) mod task;
mod window;
