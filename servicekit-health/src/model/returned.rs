//! What a check function may return, and how that becomes a result.

use std::error::Error;

use super::{CheckResult, HealthState};

/// Any error that a check can return.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A return type of a check function.
///
/// | type | result |
/// |---|---|
/// | `()` | healthy |
/// | [`HealthState`] | that state |
/// | `(HealthState, Option<String>)` | that state, with a message |
/// | [`CheckResult`] | itself |
/// | `Result<R, E>` | that of `R`, which is any of these types, or the error |
/// | `!`, of an annotated function | none: every run ends with a panic or the timeout |
///
/// The error `E` is every [`CheckError`]: any type that converts into `Box<dyn Error + Send + Sync>`.
/// Its state is the check's `on_error`, its message the whole chain of causes.
///
/// Implement this trait to return a type of your own:
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
    message = "a health check cannot return `{Self}`",
    label = "not a check result",
    note = "expected `()`, `HealthState`, `CheckResult`, `(HealthState, Option<String>)`, or a `Result` of one of these",
    note = "the error of a `Result` is any type that converts into `Box<dyn Error + Send + Sync>`: a std error, `anyhow::Error`, `String`",
    note = "for a type of your own, implement `IntoCheckResult`"
)]
pub trait IntoCheckResult {
    /// The result, or the error, whose state is the check's `on_error`.
    ///
    /// # Errors
    /// If the check failed without a state of its own.
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

/// The error type of a check that returns a [`Result`].
///
/// It is implemented for every type that converts into `Box<dyn Error + Send + Sync>`, and only for
/// those: every [`std::error::Error`] that is `Send + Sync + 'static`, `anyhow::Error`,
/// `eyre::Report`, `String`, `&str` and such a box itself. Do not implement it: implement
/// [`Error`](std::error::Error), by hand or with `thiserror`.
///
/// ```
/// use servicekit_health::CheckError;
///
/// let error = std::io::Error::other("connection refused").into_box();
/// assert_eq!(error.to_string(), "connection refused");
/// let error = "queue is full".into_box();
/// assert_eq!(error.to_string(), "queue is full");
/// ```
// A trait of its own because of its one error: of the conversion itself, the compiler would report
// every bound that is not met.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a health check",
    label = "does not convert into `Box<dyn Error + Send + Sync>`",
    note = "use a std error, `anyhow::Error`, `String`, `&'static str` or `Box<dyn Error + Send + Sync>`",
    note = "for a type of your own, implement `std::error::Error`, by hand or with `thiserror`"
)]
pub trait CheckError {
    /// The error as a trait object. A string becomes an error with that text.
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
