//! What a check function may return, and how that becomes a result.

use std::error::Error;

use crate::evaluate::model::{CheckResult, HealthState};

/// Any error a check can fail with.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A return type of a check function.
///
/// `()` is healthy; `HealthState`, `(HealthState, Option<String>)` and [`CheckResult`] say it
/// themselves. A `Result` of any of these takes every error that converts into
/// `Box<dyn Error + Send + Sync>`: the standard library's, `anyhow`'s, `eyre`'s, a `String`. An
/// `Err` takes the state of the check's `on_error` and the whole chain of causes as its message.
///
/// Implement it for a type of your own to return that:
///
/// ```
/// use std::error::Error;
/// use servicekit_health::{CheckResult, IntoCheckResult};
///
/// struct Lag(u64);
///
/// impl IntoCheckResult for Lag {
///     fn into_check_result(self) -> Result<CheckResult, Box<dyn Error + Send + Sync>> {
///         Ok(match self.0 {
///             0..1000 => CheckResult::healthy(),
///             lag => CheckResult::degraded(format!("{lag} messages behind")),
///         }
///         .with_detail("lag", self.0))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something a health check can return",
    label = "not a check result",
    note = "a check returns `()`, `HealthState`, `CheckResult`, `(HealthState, Option<String>)`, or a `Result` of one of these",
    note = "the error of a `Result` is anything that converts into `Box<dyn Error + Send + Sync>`: a std error, `anyhow::Error`, `String`"
)]
pub trait IntoCheckResult {
    /// The result, or the error that `on_error` gives a state to.
    ///
    /// # Errors
    /// Where the check failed without saying which state that is.
    fn into_check_result(self) -> Result<CheckResult, BoxError>;
}

impl IntoCheckResult for () {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Ok(CheckResult::healthy())
    }
}

impl IntoCheckResult for HealthState {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Ok(CheckResult::new(self))
    }
}

impl IntoCheckResult for CheckResult {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Ok(self)
    }
}

impl IntoCheckResult for (HealthState, Option<String>) {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        let (state, message) = self;
        Ok(CheckResult::new(state).with_message(message.unwrap_or_default()))
    }
}

impl<R, E> IntoCheckResult for Result<R, E>
where
    R: IntoCheckResult,
    E: CheckError,
{
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        self.map_err(CheckError::into_box)?.into_check_result()
    }
}

/// What converts into `Box<dyn Error + Send + Sync>`. By a trait of its own, for the one error that
/// says so: of the conversion itself, the compiler would report each bound that is not met.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a health check",
    label = "its error does not convert into `Box<dyn Error + Send + Sync>`",
    note = "a std error does, and so do `anyhow::Error`, `String`, `&'static str` and `Box<dyn Error + Send + Sync>`",
    note = "for a type of your own, implement `std::error::Error`, by hand or with `thiserror`"
)]
pub trait CheckError {
    fn into_box(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> CheckError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}

/// `outer: inner: innermost`. An error that already ends with its cause's text does not repeat it.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    /// Longer than any real chain; a `source` that leads back to itself ends here.
    const DEPTH: usize = 32;

    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.take(DEPTH) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[derive(Debug)]
    struct Ouroboros;

    impl fmt::Display for Ouroboros {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl Error for Ouroboros {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (first, rest) = texts.split_first().unwrap();
        let cause = (!rest.is_empty()).then(|| Box::new(layers(rest)));
        Layer(first, cause)
    }

    #[test]
    fn the_whole_chain_of_causes_is_the_message() {
        let error = layers(&["no pool", "no connection", "refused"]);
        assert_eq!(error_chain(&error), "no pool: no connection: refused");
    }

    #[test]
    fn a_cause_that_its_error_already_names_is_not_repeated() {
        let error = layers(&["no pool: refused", "refused"]);
        assert_eq!(error_chain(&error), "no pool: refused");
    }

    #[test]
    fn a_chain_without_end_ends() {
        assert_eq!(error_chain(&Ouroboros), "again");
    }

    #[test]
    fn an_error_anywhere_in_a_nested_result_is_the_error() {
        let nested: Result<Result<HealthState, String>, fmt::Error> = Ok(Err("inner".into()));
        assert_eq!(nested.into_check_result().unwrap_err().to_string(), "inner");
        let fine: Result<Result<HealthState, String>, fmt::Error> = Ok(Ok(HealthState::Degraded));
        let state = fine.into_check_result().unwrap().state();
        assert_eq!(state, HealthState::Degraded);
    }

    #[test]
    fn a_pair_carries_its_message() {
        let result = (HealthState::Degraded, Some("slow".to_owned())).into_check_result();
        assert_eq!(result.unwrap(), CheckResult::degraded("slow"));
        let result = (HealthState::Healthy, None).into_check_result();
        assert_eq!(result.unwrap(), CheckResult::healthy());
    }
}
