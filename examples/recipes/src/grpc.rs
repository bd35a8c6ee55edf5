//! Another gRPC service, by its own `grpc.health.v1`.
//!
//! ```no_run
//! use recipes::grpc::Grpc;
//! use servicekit_health::{CheckResult, health_check};
//!
//! #[health_check(name = "prices", shared)]
//! async fn prices(prices: &Grpc) -> Result<CheckResult, String> {
//!     prices.check().await
//! }
//! ```
//!
//! * The name asked for decides what the answer means. `""` is the server as a whole. Where the other
//!   service has a name for its readiness, ask for that; never for one that checks its own upstreams,
//!   which makes one failure a failure of all (`checks::http` has the reasons).
//! * An old connection does not see a changed address, certificate or credential, and one whose packets
//!   a firewall drops stalls without an error, unless HTTP/2 keep-alive is set. So the check's own
//!   channel is opened anew every 30 s, and goes after a run without an answer.
//! * A server at its limit of calls is busy, and another replica of ours would not help.

use std::error::Error;
use std::time::Duration;

use servicekit_health::CheckResult;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// A server, asked on a connection of the check's own.
#[derive(Debug)]
pub struct Grpc {
    endpoint: Endpoint,
    service: String,
    kept: Kept<Channel>,
}

impl Grpc {
    /// The server at an endpoint such as `http://127.0.0.1:50051`, with its settings.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, service: String::new(), kept: Kept::new() }
    }

    /// The name to ask for; `""`, the server as a whole, unless set.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = name.into();
        self
    }

    /// How long a connection is used; 30 s unless set.
    #[must_use]
    pub fn reconnect_every(mut self, age: Duration) -> Self {
        self.kept = self.kept.reconnect_every(age);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the service is not ready or cannot be asked.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.status()).await {
            Ok(Ok(ServingStatus::Serving)) => Ok(CheckResult::healthy()),
            Ok(Ok(status)) => {
                Err(format!("gRPC upstream says {} for `{}`", status.as_str_name(), self.service))
            }
            Ok(Err(status)) => self.failed(&status),
            Err(_) => {
                let uri = self.endpoint.uri();
                let tls = uri.scheme_str() == Some("https");
                let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
                Err(no_answer("gRPC upstream", uri.host().unwrap_or_default(), port).await)
            }
        }
    }

    async fn status(&self) -> Result<ServingStatus, Status> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The connection is lost; a new one tells how the server is now.
                Err(status) if status.source().is_some() => {}
                result => return result,
            },
            None => {}
        }
        match self.endpoint.connect().await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(Status::from_error(error.into()))
            }
        }
    }

    async fn ask(&self, opened: Opened<Channel>) -> Result<ServingStatus, Status> {
        let mut client = HealthClient::new(opened.connection.clone());
        let answer = client.check(HealthCheckRequest { service: self.service.clone() }).await;
        // A status without a source is what the server said.
        if answer.as_ref().err().is_none_or(|status| status.source().is_none()) {
            self.kept.put(opened);
        }
        Ok(answer?.into_inner().status())
    }

    fn failed(&self, status: &Status) -> Result<CheckResult, String> {
        if let Some(mut cause) = status.source() {
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            return Err(format!("gRPC upstream cannot be reached: {cause}"));
        }
        let text = status.message();
        Err(match status.code() {
            Code::ResourceExhausted => {
                return Ok(CheckResult::degraded(format!("gRPC upstream is at its limit: {text}")));
            }
            Code::NotFound => format!("gRPC upstream knows no service `{}`", self.service),
            Code::Unimplemented => "gRPC upstream has no `grpc.health.v1`".to_owned(),
            Code::Unauthenticated | Code::PermissionDenied => {
                format!("gRPC upstream refuses the credentials: {text}")
            }
            code => format!("gRPC upstream: {code:?}: {text}"),
        })
    }
}
