//! Watchers by the standard protocol of gRPC.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::http::uri::PathAndQuery;
use tokio::time::timeout;
use tonic::Request;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use super::{HUNG, Visitor};
use crate::soak::{DEADLINE, Server, Tally};

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;
const UNKNOWN_SERVICE: i32 = 3;

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

const SERVICES: [&str; 7] =
    ["", "readiness", "liveness", "soak.Orders", "demand-1", "background-0", "nobody"];

/// Watches a service for a while, then another.
pub(super) async fn watches(mut visitor: Visitor) {
    while visitor.soak.goes_on() {
        let service = SERVICES[visitor.rng.usize(..SERVICES.len())];
        let leaves = Instant::now() + Duration::from_millis(visitor.rng.u64(200..6000));
        let epoch = visitor.target.epoch();
        let what = format!("{} gRPC Watch of {service:?}", visitor.target.role);
        let watched = watch(&visitor, service, epoch, leaves).await;
        match watched {
            Ok(()) => {}
            Err(Failure::Connection(error)) => visitor.failed(epoch, &what, &*error),
            Err(Failure::Wrong(text)) => visitor.soak.finding(format!("{what}: {text}")),
        }
        Tally::count(&visitor.soak.tally.watches);
        visitor.pause(300).await;
    }
}

enum Failure {
    Connection(Box<dyn Error + Send + Sync>),
    Wrong(String),
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Connection(error.into())
    }
}

async fn watch(
    visitor: &Visitor,
    service: &str,
    epoch: u64,
    leaves: Instant,
) -> Result<(), Failure> {
    let channel = Endpoint::from_shared(visitor.target.url(""))?.connect().await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let codec = ProstCodec::<_, HealthCheckResponse>::default();
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    let begin = Instant::now();
    let opened = timeout(HUNG, client.server_streaming(request, path, codec)).await?;
    let mut statuses = opened?.into_inner();
    let mut last = None;
    loop {
        let over = Instant::now() >= leaves || !visitor.soak.goes_on();
        if over && visitor.target.may_leave(epoch) {
            return Ok(());
        }
        if last.is_none()
            && let Some(most) = visitor.soak.is_late(Server::Application, begin.elapsed(), DEADLINE)
        {
            return Err(Failure::Wrong(format!("no status within {most:?}")));
        }
        let status = match timeout(Duration::from_millis(500), statuses.message()).await {
            Err(_) => continue,
            Ok(Ok(Some(answer))) => answer.status,
            Ok(Ok(None)) => return ended(visitor, service, last),
            Ok(Err(status)) => return Err(status.into()),
        };
        let known = if service == "nobody" {
            status == UNKNOWN_SERVICE
        } else {
            status == SERVING || status == NOT_SERVING
        };
        if !known || last == Some(status) {
            return Err(Failure::Wrong(format!("status {status} after {last:?}")));
        }
        last = Some(status);
    }
}

/// The service has ended the stream: it drains, and has told so.
fn ended(visitor: &Visitor, service: &str, last: Option<i32>) -> Result<(), Failure> {
    let told = matches!(service, "liveness" | "nobody") || last == Some(NOT_SERVING);
    if !visitor.target.may_drain || !told {
        return Err(Failure::Wrong(format!("the stream ended after the status {last:?}")));
    }
    Ok(())
}
