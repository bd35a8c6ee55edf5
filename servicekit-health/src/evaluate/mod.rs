//! The third floor: what is known of the checks.
//!
//! A state is what is known of one check, a runner is one check at work, a view is a set of checks
//! that readers ask for, and the engine is all of them. Nothing here knows HTTP.

mod answer;
mod background;
#[cfg(test)]
mod background_tests;
pub(crate) mod callbacks;
pub(crate) mod clean;
pub(crate) mod encoding;
pub(crate) mod engine;
pub(crate) mod events;
mod executor;
pub(crate) mod group;
pub(crate) mod lifecycle;
mod log;
mod reported;
mod revision;
mod run;
pub(crate) mod runner;
mod schedule;
pub(crate) mod selection;
pub(crate) mod settings;
mod signals;
pub(crate) mod state;
mod termination;
mod thread;
pub(crate) mod transitions;
pub(crate) mod view;
