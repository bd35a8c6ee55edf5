//! The application's own routes, for callers with the token.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{Incident, Storage};
use subtle::ConstantTimeEq;

use crate::cache::Cache;

#[derive(Clone)]
struct Api {
    storage: Storage,
    cache: Option<Cache>,
}

impl Api {
    async fn changed(&self) {
        if let Some(cache) = &self.cache {
            cache.clear().await;
        }
    }
}

/// The routes. The token guards them and nothing else.
pub(crate) fn router(storage: Storage, cache: Option<Cache>, token: &str) -> Router {
    let expected = format!("Bearer {token}");
    Router::new()
        .route("/api/incidents", get(list).post(report))
        .route("/api/incidents/{id}/resolve", post(resolve))
        .route_layer(from_fn_with_state(expected, authenticate))
        .with_state(Api { storage, cache })
}

async fn authenticate(State(expected): State<String>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    if sent.is_some_and(|sent| sent.as_bytes().ct_eq(expected.as_bytes()).into()) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

#[derive(Deserialize)]
struct NewIncident {
    title: String,
}

async fn list(State(api): State<Api>) -> Result<Response, Failure> {
    if let Some(cache) = &api.cache
        && let Some(list) = cache.get().await
    {
        return Ok(([(header::CONTENT_TYPE, "application/json")], list).into_response());
    }
    let list = json!(api.storage.incidents().await?).to_string();
    if let Some(cache) = &api.cache {
        cache.set(&list).await;
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], list).into_response())
}

async fn report(
    State(api): State<Api>,
    Json(new): Json<NewIncident>,
) -> Result<(StatusCode, Json<Incident>), Failure> {
    let title = new.title.trim();
    if title.is_empty() || title.len() > 200 {
        return Err(Failure::Invalid("title: expected 1 to 200 bytes"));
    }
    let incident = api.storage.report(title).await?;
    api.changed().await;
    Ok((StatusCode::CREATED, Json(incident)))
}

async fn resolve(State(api): State<Api>, Path(id): Path<i64>) -> Result<Json<Incident>, Failure> {
    let resolved = api.storage.resolve(id).await?;
    api.changed().await;
    resolved.map(Json).ok_or(Failure::Unknown)
}

/// Why a request was not answered. The cause of a database's failure is in the log and on `/health`,
/// not in the answer to a caller.
enum Failure {
    Invalid(&'static str),
    Unknown,
    Storage(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Storage(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let answer = |status, text: &str| -> Response {
            let body: Value = json!({ "error": text });
            (status, Json(body)).into_response()
        };
        match self {
            Self::Invalid(text) => answer(StatusCode::UNPROCESSABLE_ENTITY, text),
            Self::Unknown => answer(StatusCode::NOT_FOUND, "unknown incident"),
            Self::Storage(error) => {
                tracing::warn!(%error, "the storage failed");
                answer(StatusCode::SERVICE_UNAVAILABLE, "the storage does not answer; try again")
            }
        }
    }
}
