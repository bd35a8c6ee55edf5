//! Real servers that really fail, and what the recipes say about it. Prints a table for each server:
//!
//! ```sh
//! examples/recipes/run
//! ```
#![allow(clippy::print_stdout, reason = "the tables are the point")]

mod cell;
mod process;
mod proxy;
mod usual;

mod etcd;
mod fred;
mod grpc;
mod kafka;
mod ldap;
mod mariadb;
mod memcached;
mod mongodb;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod s3;
mod smtp;
mod sqlite;
