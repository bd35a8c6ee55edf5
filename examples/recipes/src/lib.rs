//! Checks of real servers, to copy from: a file for each server, with the reasons in its head.
//!
//! What they have in common:
//!
//! * A connection of their own, kept between runs. A ping through the pool of the requests waits
//!   behind them, so a busy service would look broken. A connection for each ping costs the server
//!   more than the ping.
//! * The connection is opened anew every 30 s: a new connection sees a changed password, a changed
//!   DNS record or a server that is out of connections, which an old one does not.
//! * A limit of time below the engine's default timeout of 800 ms, and then a look at the address,
//!   so that the message has the cause and not only `timed out`.
//! * A run that is cancelled takes its connection with it: an answer that comes too late is never
//!   read as that of the next question.
//! * `Err` is the server that does not work; the annotation's `on_error` says how bad that is.

pub mod cause;
#[cfg(feature = "deadpool-postgres")]
pub mod deadpool_postgres;
#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "fred")]
pub mod fred;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "kafka")]
pub mod kafka;
mod kept;
#[cfg(feature = "ldap")]
pub mod ldap;
#[cfg(feature = "mariadb")]
pub mod mariadb;
#[cfg(feature = "memcached")]
pub mod memcached;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "deadpool-postgres", feature = "postgres"))]
mod postgres_status;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "smtp")]
pub mod smtp;
#[cfg(feature = "sqlite")]
pub mod sqlite;
