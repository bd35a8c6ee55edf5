//! Real servers that really fail, and what the recipes say about it. Prints a table for each server:
//!
//! ```sh
//! examples/recipes/run
//! ```
#![allow(clippy::print_stdout, reason = "the tables are the point")]

mod cell;
mod memcached;
mod postgres;
mod process;
mod proxy;
mod redis;
mod sqlite;
