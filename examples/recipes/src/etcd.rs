//! etcd by the three calls of its gRPC interface that a check needs.
//!
//! ```no_run
//! use recipes::etcd::Etcd;
//! use servicekit_health::{CheckResult, health_check};
//!
//! #[health_check(name = "etcd", shared)]
//! async fn configuration(etcd: &Etcd) -> Result<CheckResult, String> {
//!     etcd.check().await
//! }
//! ```
//!
//! * A member that has lost the others still answers `Status` and serializable reads, from what it
//!   has. Only a linearizable read, the default of a `Range`, needs the quorum; without a leader it
//!   waits for seconds. So `Status` is asked first, and names the reason.
//! * An alarm stays after its cause until somebody disarms it. Under `NOSPACE` each write is refused
//!   while reads go on; etcd's own `/health` is false then, and so is this check.
//! * A login costs the server a bcrypt hash, so the token is kept as long as the connection. A user
//!   who may not read the key has an answer of the quorum too.
//! * The crate `etcd-client` has the same calls (`status`, `get`) and asks for `protoc` at build time.

use std::error::Error;
use std::time::Duration;

use prost::Message;
use servicekit_health::CheckResult;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// The key that is read; it need not be there.
const KEY: &[u8] = b"health";

/// A member, asked on a connection of the check's own.
pub struct Etcd {
    endpoint: Endpoint,
    user: Option<(String, String)>,
    stale_allowed: bool,
    kept: Kept<Connection>,
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

struct Connection {
    channel: Channel,
    token: Option<String>,
}

impl Etcd {
    /// The member at an endpoint such as `http://127.0.0.1:2379`, with its settings.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, user: None, stale_allowed: false, kept: Kept::new() }
    }

    /// Logs in.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// This service only reads, and what the member knows is new enough for it: neither a lost quorum
    /// nor the alarm `NOSPACE` is more than degraded.
    #[must_use]
    pub const fn allow_stale(mut self) -> Self {
        self.stale_allowed = true;
        self
    }

    /// How long a connection and its token are used; 30 s unless set.
    #[must_use]
    pub fn reconnect_every(mut self, age: Duration) -> Self {
        self.kept = self.kept.reconnect_every(age);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the cluster does not serve.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.status()).await {
            Ok(Ok(None)) => Ok(CheckResult::healthy()),
            Ok(Ok(Some(trouble))) if self.stale_allowed => Ok(CheckResult::degraded(trouble)),
            Ok(Ok(Some(trouble))) => Err(trouble),
            Ok(Err(status)) => Err(failed(&status)),
            Err(_) => {
                let uri = self.endpoint.uri();
                let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(2379));
                Err(no_answer("etcd", host, port).await)
            }
        }
    }

    async fn status(&self) -> Result<Option<String>, Status> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The connection is lost or the token not valid any more; a new one tells how the
                // server is now.
                Err(status) if is_lost(&status) || status.code() == Code::Unauthenticated => {}
                result => return result,
            },
            None => {}
        }
        match self.connect().await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(status) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(status)
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Status> {
        let channel = self.endpoint.connect().await;
        let channel = channel.map_err(|error| Status::from_error(error.into()))?;
        let mut connection = Connection { channel, token: None };
        if let Some((name, password)) = self.user.clone() {
            let login = AuthenticateRequest { name, password };
            let answer: AuthenticateResponse =
                connection.call("/etcdserverpb.Auth/Authenticate", login).await?;
            connection.token = Some(answer.token);
        }
        Ok(connection)
    }

    /// What is wrong with the cluster, where the member answers.
    async fn ask(&self, opened: Opened<Connection>) -> Result<Option<String>, Status> {
        let connection = &opened.connection;
        let status: StatusResponse =
            connection.call("/etcdserverpb.Maintenance/Status", StatusRequest {}).await?;
        let trouble = trouble(&status);
        if trouble.is_none() || self.stale_allowed {
            let range = RangeRequest { key: KEY.to_vec(), serializable: self.stale_allowed };
            match connection.call::<_, RangeResponse>("/etcdserverpb.KV/Range", range).await {
                Err(status) if status.code() != Code::PermissionDenied => return Err(status),
                _ => {}
            }
        }
        self.kept.put(opened);
        Ok(trouble)
    }
}

impl Connection {
    async fn call<Q, A>(&self, path: &'static str, question: Q) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let mut request = Request::new(question);
        if let Some(token) = self.token.as_ref().and_then(|token| token.parse().ok()) {
            request.metadata_mut().insert("token", token);
        }
        let path = PathAndQuery::from_static(path);
        Ok(grpc.unary(request, path, ProstCodec::default()).await?.into_inner())
    }
}

fn trouble(status: &StatusResponse) -> Option<String> {
    if status.leader == 0 {
        return Some("etcd has no leader: this member does not see a quorum".to_owned());
    }
    status.errors.first().map(|error| match () {
        () if error.contains("NOSPACE") => {
            "etcd accepts no writes: the database is at its quota (alarm NOSPACE)".to_owned()
        }
        () if error.contains("CORRUPT") => {
            "etcd has a member with other data than the rest (alarm CORRUPT)".to_owned()
        }
        () => format!("etcd: {error}"),
    })
}

/// A status with a source is one of the connection, not of the server.
fn is_lost(status: &Status) -> bool {
    status.source().is_some()
}

fn failed(status: &Status) -> String {
    if let Some(mut cause) = status.source() {
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        return format!("etcd cannot be reached: {cause}");
    }
    let text = status.message();
    match status.code() {
        Code::Unauthenticated => format!("etcd refuses the credentials: {text}"),
        Code::InvalidArgument if text.contains("user name is empty") => {
            "etcd asks for a user and none is configured".to_owned()
        }
        Code::InvalidArgument if text.contains("authentication failed") => {
            "etcd refuses the credentials".to_owned()
        }
        _ => format!("etcd: {text}"),
    }
}

// The fields used here of <https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto>.

#[derive(Clone, PartialEq, Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, Message)]
struct StatusResponse {
    #[prost(uint64, tag = "4")]
    leader: u64,
    #[prost(string, repeated, tag = "8")]
    errors: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bool, tag = "7")]
    serializable: bool,
}

#[derive(Clone, PartialEq, Message)]
struct RangeResponse {}

#[derive(Clone, PartialEq, Message)]
struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    password: String,
}

#[derive(Clone, PartialEq, Message)]
struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    token: String,
}
