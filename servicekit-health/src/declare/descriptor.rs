//! One annotated function as plain static data: what the attribute expands to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::provided::{Parameter, Provided};
use super::result::{BoxError, IntoCheckResult};
use super::settings::Settings;
use crate::evaluate::model::CheckResult;

/// What one run of a check function came to.
pub type Outcome = Result<CheckResult, BoxError>;

/// One run of an async check, with the dependencies that it borrows.
pub type RunFuture<'p> = Pin<Box<dyn Future<Output = Outcome> + Send + 'p>>;

/// What an annotated function returns: it moves between threads.
pub fn future<'p, F: Future + Send + 'p>(
    future: F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'p>> {
    Box::pin(future)
}

/// The run. The expansion comes by here so that it needs no `async` of its own, which costs the
/// compiler most; in two steps, so that each mistake is reported at its place.
pub fn run<'p, R: IntoCheckResult + 'p>(
    future: Pin<Box<dyn Future<Output = R> + Send + 'p>>,
) -> RunFuture<'p> {
    Box::pin(async move { future.await.into_check_result() })
}

/// What a blocking run came to.
///
/// # Errors
/// Where the check failed.
pub fn outcome<R: IntoCheckResult>(returned: R) -> Outcome {
    returned.into_check_result()
}

/// How an annotated function is called.
#[derive(Clone, Copy)]
pub enum Run {
    /// An `async fn`: spawned.
    Async(for<'p> fn(&'p Provided) -> RunFuture<'p>),
    /// A plain `fn` marked `blocking`: run on the blocking pool.
    Blocking(fn(&Provided) -> Outcome),
}

/// An annotated function that is linked into this program. See [`registered`](crate::registered).
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct CheckDescriptor {
    /// The check's name, as on the wire.
    pub name: &'static str,
    /// The function's doc comment.
    pub description: Option<&'static str>,
    /// The module the function is in, as `my_crate::db`.
    pub module: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// What the attribute's keys say.
    pub settings: Settings,
    /// What the check can be selected by.
    pub tags: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    pub(crate) run: Run,
}

/// The constructors that the attribute's expansion chains, evaluated at compile time.
#[doc(hidden)]
impl CheckDescriptor {
    pub const fn new(
        name: &'static str,
        (module, function): (&'static str, &'static str),
        (file, line): (&'static str, u32),
        settings: Settings,
        parameters: &'static [Parameter],
        run: Run,
    ) -> Self {
        Self {
            name,
            description: None,
            module,
            function,
            file,
            line,
            settings,
            tags: &[],
            parameters,
            run,
        }
    }

    #[must_use]
    pub const fn description(mut self, text: &'static str) -> Self {
        self.description = Some(text);
        self
    }

    #[must_use]
    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }
}

impl fmt::Debug for CheckDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckDescriptor")
            .field("name", &self.name)
            .field("function", &format_args!("{}::{}", self.module, self.function))
            .field("location", &format_args!("{}:{}", self.file, self.line))
            .field("settings", &self.settings)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}
