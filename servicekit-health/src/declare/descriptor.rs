//! One annotated function as plain static data.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::dependencies::{Parameter, Provided};
use super::settings::CheckSettings;
use crate::model::{BoxError, CheckResult};

/// What one run of a check function returned.
pub type Outcome = Result<CheckResult, BoxError>;

/// One run of an async check, with the dependencies that it borrows.
pub type RunFuture<'p> = Pin<Box<dyn Future<Output = Outcome> + Send + 'p>>;

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
    pub settings: CheckSettings,
    /// What the check can be selected by.
    pub tags: &'static [&'static str],
    pub(crate) parameters: &'static [Parameter],
    pub(crate) run: Run,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_data_of_a_check_is_at_most_256_bytes_besides_its_strings() {
        let with_two_dependencies = size_of::<CheckDescriptor>() + 2 * size_of::<Parameter>();
        assert!(with_two_dependencies <= 256, "{with_two_dependencies}");
    }
}
