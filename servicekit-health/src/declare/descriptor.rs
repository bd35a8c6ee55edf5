//! One annotated function as plain static data: what the attribute expands to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::provided::{Parameter, Provided};
use super::result::BoxError;
use super::settings::Settings;
use crate::evaluate::model::CheckResult;

/// What one run of a check function came to.
pub type Outcome = Result<CheckResult, BoxError>;

/// One run of an async check.
pub type RunFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How an annotated function is called.
#[derive(Clone, Copy)]
pub enum Run {
    /// An `async fn`: spawned.
    Async(fn(Provided) -> RunFuture),
    /// A plain `fn` marked `blocking`: run on the blocking pool.
    Blocking(fn(Provided) -> Outcome),
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
