//! Our own JSON, and the event of a stream around it.

use std::io::{self, Write};

use axum::http::HeaderValue;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};

use super::{Context, Format};
use crate::evaluate::encoding::Encoding;
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

/// What stands in place of an age: JSON holds no such character.
const AGE: u8 = b'\0';

/// One event of a stream. The JSON within it is the answer of the other endpoints: both are encoded
/// once, in one piece of memory, for all who read them.
fn event(report: &Report, context: &Context<'_>) -> Encoding {
    let mut bytes = EVENT_START.as_bytes().to_vec();
    let mut serializer = Serializer::with_formatter(&mut bytes, WithoutAges::default());
    JsonReport::new(report, context.verbose)
        .serialize(&mut serializer)
        .expect("texts, numbers and maps with text keys are always JSON");
    bytes.extend_from_slice(EVENT_END.as_bytes());
    if context.verbose {
        let texts = bytes.split(|byte| *byte == AGE);
        Encoding::with_ages(texts, report.checks.values().filter_map(|check| check.age))
    } else {
        Bytes::from(bytes).into()
    }
}

/// Writes the JSON of a report with [`AGE`] in place of each check's age.
#[derive(Default)]
struct WithoutAges {
    /// How many objects are open: the report, its checks, one of them, its details.
    depth: usize,
    in_key: bool,
    /// Whether the value that comes next is an age.
    is_age: bool,
}

impl Formatter for WithoutAges {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.in_key = true;
        CompactFormatter.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.in_key = false;
        CompactFormatter.end_object_key(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        text: &str,
    ) -> io::Result<()> {
        if self.in_key {
            self.is_age = self.depth == 3 && text == "age_ms";
        }
        CompactFormatter.write_string_fragment(writer, text)
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if self.is_age {
            writer.write_all(&[AGE])
        } else {
            CompactFormatter.write_f64(writer, value)
        }
    }
}

/// The JSON of an event.
pub(crate) fn body(event: &Bytes) -> Bytes {
    event.slice(EVENT_START.len()..event.len() - EVENT_END.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::model::{CheckReport, HealthState};

    #[test]
    fn an_event_is_what_serde_writes_of_the_report_whenever_it_is_read() {
        // What looks like an age and is none stays as it is.
        let details =
            serde_json::json!({"age_ms": 1.5, "x": {"age_ms": 2.5}, "y": [{"age_ms": 3.5}]});
        let check = |age| CheckReport {
            age,
            duration: Some(Duration::from_micros(7)),
            details: details.as_object().cloned().unwrap_or_default(),
            ..CheckReport::new(HealthState::Degraded, "\"age_ms\":1.0 \0 \\")
        };
        let age = Duration::from_micros(1234);
        let report = |later: Duration| {
            let checks = [("age_ms", Some(age)), ("none", None), ("old", Some(age * 1_000_000))];
            let aged =
                |(name, age): (&str, Option<_>)| (name.to_owned(), check(age.map(|it| it + later)));
            Report::new(BTreeMap::from(checks.map(aged))).draining(Some(2))
        };
        for verbose in [false, true] {
            let encoding = event(&report(Duration::ZERO), &Context { verbose, service: None });
            for later in [Duration::ZERO, Duration::from_micros(1001), Duration::from_secs(86_400)]
            {
                let json =
                    serde_json::to_string(&JsonReport::new(&report(later), verbose)).unwrap();
                let event = encoding.after(|| later);
                assert_eq!(event, format!("data: {json}\n\n"));
                assert_eq!(body(&event), json);
            }
        }
    }
}
