//! Our own JSON, and the event of a stream around it.

use axum::http::HeaderValue;
use bytes::Bytes;

use super::{Context, Format};
use crate::model::Report;
use crate::model::json::JsonReport;

pub(crate) static FORMAT: Format = Format {
    media_type: ("application", "json"),
    content_type: HeaderValue::from_static("application/json"),
    encode: event,
    #[cfg(feature = "openapi")]
    schema: || crate::expose::endpoints::openapi::reference("Report"),
};

/// The position among the formats.
pub(crate) const INDEX: usize = 0;

const EVENT_START: &str = "data: ";
const EVENT_END: &str = "\n\n";

/// One event of a stream. The JSON within it is the answer of the other endpoints: both are encoded
/// once, in one piece of memory, for all who read them.
fn event(report: &Report, context: &Context<'_>) -> Bytes {
    let mut bytes = EVENT_START.as_bytes().to_vec();
    serde_json::to_writer(&mut bytes, &JsonReport::new(report, context.verbose))
        .expect("texts, numbers and maps with text keys are always JSON");
    bytes.extend_from_slice(EVENT_END.as_bytes());
    bytes.into()
}

/// The JSON of an event.
pub(crate) fn body(event: &Bytes) -> Bytes {
    event.slice(EVENT_START.len()..event.len() - EVENT_END.len())
}
