//! Plain text, in the style of the Kubernetes API server.

use axum::http::HeaderValue;
use bytes::Bytes;

use super::{Context, Format};
use crate::evaluate::encoding::Encoding;
use crate::model::Report;

pub(crate) static FORMAT: Format = Format {
    media_type: ("text", "plain"),
    content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
    encode: text,
    #[cfg(feature = "openapi")]
    schema: || crate::expose::endpoints::openapi::text().into(),
};

fn text(report: &Report, _: &Context<'_>) -> Encoding {
    Bytes::from(report.to_string()).into()
}
