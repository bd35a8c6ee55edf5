//! What a result may carry out of the process.

use crate::model::CheckResult;
use crate::text::cleaner::Cleaner;

/// The result with its message and details scrubbed and cut. Once, within the run.
pub(crate) fn clean(cleaner: &Cleaner, mut result: CheckResult) -> CheckResult {
    let verbatim = result.verbatim;
    if let Some(message) = &mut result.message {
        cleaner.text(message, verbatim);
    }
    cleaner.details(&mut result.details, verbatim);
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn message_and_details_are_scrubbed_unless_they_are_verbatim() {
        let cleaner = Cleaner::new(Vec::new());
        let result = CheckResult::degraded("password=a")
            .with_detail("url", "redis://u:p@h")
            .with_detail("api_key", "a");
        let clean_result = clean(&cleaner, result.clone());
        assert_eq!(clean_result.message(), Some("password=***"));
        assert_eq!(clean_result.details()["url"], "redis://***@h");
        assert_eq!(clean_result.details()["api_key"], "***");
        assert_eq!(clean(&cleaner, result.clone().verbatim()), result.verbatim());
    }

    #[test]
    fn rules_of_the_user_hold_for_message_and_details() {
        let cleaner = Cleaner::new(vec![Arc::new(|text| text.replace("internal", "***").into())]);
        let result = CheckResult::degraded("db.internal").with_detail("host", "a.internal");
        let clean_result = clean(&cleaner, result);
        assert_eq!(clean_result.message(), Some("db.***"));
        assert_eq!(clean_result.details()["host"], "a.***");
    }
}
