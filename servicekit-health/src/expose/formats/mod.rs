//! The forms of a report, a file each, and the one list that names them.
//!
//! An encoder gets a report that holds what its reader may see, and decides nothing about that.

pub(crate) mod health_json;
pub(crate) mod json;
mod text;

use axum::http::HeaderValue;

use super::config::Service;
use crate::evaluate::encoding::Encoding;
use crate::model::{Details, Report};

/// A form of a report.
pub(crate) struct Format {
    pub(crate) media_type: (&'static str, &'static str),
    pub(crate) content_type: HeaderValue,
    encode: fn(&Report, &Context<'_>) -> Encoding,
    #[cfg(feature = "openapi")]
    pub(crate) schema: super::endpoints::openapi::SchemaOf,
}

/// What an encoder needs beside the report.
pub(crate) struct Context<'a> {
    pub(crate) verbose: bool,
    /// Who answers, where the reader may know it.
    pub(crate) service: Option<&'a Service>,
}

/// Every format, in the order of our own preference.
pub(crate) static FORMATS: [&Format; 3] = [&json::FORMAT, &health_json::FORMAT, &text::FORMAT];

/// What a reader is given: the format, how much detail, and whether it is the verbose form.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// The position in [`FORMATS`].
    pub(crate) format: usize,
    pub(crate) details: Details,
    pub(crate) verbose: bool,
}

impl Form {
    pub(crate) fn format(self) -> &'static Format {
        FORMATS[self.format]
    }

    /// A number of its own for each form: where a snapshot keeps it.
    pub(crate) fn number(self) -> usize {
        (self.format * 2 + usize::from(self.verbose)) * Details::ALL.len() + self.details as usize
    }

    /// The report in this form. The one place where a report is reduced to what a reader may see.
    pub(crate) fn encode(self, report: &Report, service: Option<&Service>) -> Encoding {
        let service = service.filter(|_| self.details != Details::Status);
        let context = Context { verbose: self.verbose, service };
        (self.format().encode)(&report.redacted(self.details), &context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::view::FORMS;

    #[test]
    fn every_form_has_a_place_of_its_own_in_a_snapshot() {
        let mut numbers = Vec::new();
        for format in 0..FORMATS.len() {
            for details in Details::ALL {
                for verbose in [false, true] {
                    numbers.push(Form { format, details: *details, verbose }.number());
                }
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..FORMS).collect::<Vec<_>>());
    }
}
