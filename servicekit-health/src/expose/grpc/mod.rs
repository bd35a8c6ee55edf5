//! The health checking protocol of gRPC, `grpc.health.v1.Health`. Feature `grpc`.
//!
//! The statuses come from the engine's reports, like those of every other endpoint; what is special
//! here is only which checks belong to a service's name, and who is told when.

mod config;
mod messages;
mod services;
mod watch;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use futures_util::{FutureExt, Stream, StreamExt, TryFutureExt};
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic_prost::ProstCodec;

pub(crate) use self::config::GrpcConfig;
use self::messages::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
pub(crate) use self::services::Services;

/// A request is the name of a service; no name is nearly as long as this.
const MAX_REQUEST_LEN: usize = 64 * 1024;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Responses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

/// The service `grpc.health.v1.Health` of a [`Health`](crate::Health), for a tonic server or for
/// axum's `route_service`. Made by [`Health::grpc`](crate::Health::grpc).
#[derive(Clone)]
pub struct GrpcHealth {
    services: Arc<Services>,
}

impl GrpcHealth {
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

impl NamedService for GrpcHealth {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl<B> tower_service::Service<Request<B>> for GrpcHealth
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<axum::BoxError> + Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Boxed<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let services = Arc::clone(&self.services);
        async move {
            let (_, method) = request.uri().path().rsplit_once('/').unwrap_or_default();
            Ok(match method {
                "Check" => grpc().unary(Method(services, check), request).await,
                "List" => grpc().unary(Method(services, list), request).await,
                "Watch" => grpc().server_streaming(Method(services, watch), request).await,
                _ => Status::unimplemented("unknown method; use Check, List or Watch").into_http(),
            })
        }
        .boxed()
    }
}

async fn check(
    services: Arc<Services>,
    request: HealthCheckRequest,
) -> Result<HealthCheckResponse, Status> {
    let status = services.check(&request.service).await;
    status.map(Into::into).ok_or_else(|| Status::not_found("unknown service"))
}

async fn list(services: Arc<Services>, _: HealthListRequest) -> Result<HealthListResponse, Status> {
    let statuses = services.list().await.into_iter();
    let statuses = statuses.map(|(name, status)| (name, status.into())).collect();
    Ok(HealthListResponse { statuses })
}

async fn watch(services: Arc<Services>, request: HealthCheckRequest) -> Result<Responses, Status> {
    Ok(watch::open(services, &request.service).boxed())
}

impl fmt::Debug for GrpcHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcHealth").field("services", &self.services.names()).finish()
    }
}

fn grpc<T, U>() -> Grpc<ProstCodec<T, U>>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_REQUEST_LEN)
}

/// A method of the service: what it works on, and a function from the request to the response.
struct Method<F>(Arc<Services>, F);

impl<F, G, Q, R: 'static> UnaryService<Q> for Method<F>
where
    F: Fn(Arc<Services>, Q) -> G,
    G: Future<Output = Result<R, Status>> + Send + 'static,
{
    type Response = R;
    type Future = Boxed<Result<tonic::Response<R>, Status>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        self.1(Arc::clone(&self.0), request.into_inner()).map_ok(tonic::Response::new).boxed()
    }
}

impl<F, G, Q, S, R> ServerStreamingService<Q> for Method<F>
where
    F: Fn(Arc<Services>, Q) -> G,
    G: Future<Output = Result<S, Status>> + Send + 'static,
    S: Stream<Item = Result<R, Status>> + 'static,
{
    type Response = R;
    type ResponseStream = S;
    type Future = Boxed<Result<tonic::Response<S>, Status>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        self.1(Arc::clone(&self.0), request.into_inner()).map_ok(tonic::Response::new).boxed()
    }
}
