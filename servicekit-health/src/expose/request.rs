//! What every endpoint reads of a request.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::accept::negotiate;
use super::config::HttpConfig;
use super::formats::{Form, json};
use super::problem::Problem;
use super::query::Query;
use crate::model::Details;

/// A request for health: who asks for what, in which format.
pub(crate) struct HealthRequest {
    pub(crate) details: Details,
    parts: Parts,
}

impl HealthRequest {
    /// Of this request. Nothing is read of its body.
    pub(crate) fn new(request: Request, config: &HttpConfig) -> Self {
        let (parts, _) = request.into_parts();
        Self { details: config.details_of(&parts), parts }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.parts.method
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Its extensions without what was in them: the response's can have their memory.
    pub(crate) fn into_empty_extensions(self) -> Extensions {
        let mut extensions = self.parts.extensions;
        extensions.clear();
        extensions
    }

    /// What stands behind `/health/`. Where it cannot be decoded it is the name of no check, and is
    /// quoted as it came.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        let path = self.parts.uri.path().trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8().unwrap_or(Cow::Borrowed(name))
    }

    /// The query as it was sent.
    pub(crate) fn query_text(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    /// # Errors
    /// Where a key has a value that is not allowed.
    pub(crate) fn query(&self) -> Result<Query<'_>, Problem> {
        self.query_text().map_or_else(|| Ok(Query::default()), Query::parse)
    }

    /// The form of a report that the request asks for.
    pub(crate) fn form(&self, verbose: bool) -> Form {
        Form { format: negotiate(self.headers()), details: self.details, verbose }
    }

    /// The same in JSON, whatever the request prefers.
    pub(crate) fn json_form(&self, verbose: bool) -> Form {
        Form { format: json::INDEX, details: self.details, verbose }
    }

    /// What stands before the path that was routed, where the router is nested.
    #[cfg(feature = "openapi")]
    pub(crate) fn prefix(&self) -> Option<&str> {
        let axum::extract::OriginalUri(outer) = self.parts.extensions.get()?;
        let prefix = outer.path().strip_suffix(self.parts.uri.path())?;
        (!prefix.is_empty()).then_some(prefix)
    }
}
