//! What every endpoint reads of a request.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::accept::negotiate;
use super::formats::{Form, json};
use super::http::HttpState;
use super::problem::Problem;
use super::query::Query;
use crate::model::Details;

/// A request for health: who asks for what, in which format.
pub(crate) struct HealthRequest {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) details: Details,
    uri: Uri,
    /// Where the router is nested, if it is.
    #[cfg(feature = "openapi")]
    pub(crate) prefix: Option<String>,
}

impl FromRequestParts<Arc<HttpState>> for HealthRequest {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HttpState>,
    ) -> Result<Self, Infallible> {
        Ok(Self {
            details: state.config.details_of(parts),
            #[cfg(feature = "openapi")]
            prefix: prefix(parts),
            method: parts.method.clone(),
            headers: std::mem::take(&mut parts.headers),
            uri: std::mem::take(&mut parts.uri),
        })
    }
}

impl HealthRequest {
    /// What stands behind `/health/`. Where it cannot be decoded it is the name of no check, and is
    /// quoted as it came.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        let path = self.uri.path().trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8().unwrap_or(Cow::Borrowed(name))
    }

    /// The query as it was sent.
    pub(crate) fn query_text(&self) -> Option<&str> {
        self.uri.query()
    }

    /// # Errors
    /// Where a key has a value that is not allowed.
    pub(crate) fn query(&self) -> Result<Query<'_>, Problem> {
        self.query_text().map_or_else(|| Ok(Query::default()), Query::parse)
    }

    /// The form of a report that the request asks for.
    pub(crate) fn form(&self, verbose: bool) -> Form {
        Form { format: negotiate(&self.headers), details: self.details, verbose }
    }

    /// The same in JSON, whatever the request prefers.
    pub(crate) fn json_form(&self, verbose: bool) -> Form {
        Form { format: json::INDEX, details: self.details, verbose }
    }
}

/// What stands before the path that was routed.
#[cfg(feature = "openapi")]
fn prefix(parts: &Parts) -> Option<String> {
    let axum::extract::OriginalUri(outer) = parts.extensions.get()?;
    let prefix = outer.path().strip_suffix(parts.uri.path())?;
    (!prefix.is_empty()).then(|| prefix.to_owned())
}
