//! What the attribute expands to: a chain of calls, evaluated at compile time, that ends in a
//! [`CheckDescriptor`].
//!
//! Each setting of the attribute is the method of the key's name.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;

use super::dependencies::Parameter;
use super::descriptor::{CheckDescriptor, Outcome, Run, RunFuture};
use super::settings::CheckSettings;
use crate::model::{HealthState, IntoCheckResult, Probe, Probes};

/// What an async check returns; the run may move between threads.
pub fn future<'p, F: Future + Send + 'p>(
    future: F,
) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'p>> {
    Box::pin(future)
}

/// One run. The expansion calls this so that it needs no `async` of its own, which costs the
/// compiler most; in two steps, so that each mistake is reported at its place.
pub fn run<'p, R: IntoCheckResult + 'p>(
    future: Pin<Box<dyn Future<Output = R> + Send + 'p>>,
) -> RunFuture<'p> {
    Box::pin(async move { future.await.into_check_result() })
}

/// `!`, which has no name outside of a function's return type before Rust stabilizes one.
type Never = <fn() -> ! as Returns>::Output;

/// Names the type that a function returns.
#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// One run of a check that returns `!`. Not an `impl IntoCheckResult for Never`, which the compiler
/// would take for one that overlaps with every implementation in another crate.
pub fn run_forever<'p>(future: Pin<Box<dyn Future<Output = Never> + Send + 'p>>) -> RunFuture<'p> {
    Box::pin(async move { match future.await {} })
}

/// The result of a blocking run.
///
/// # Errors
/// If the check failed.
pub fn outcome<R: IntoCheckResult>(returned: R) -> Outcome {
    returned.into_check_result()
}

/// A check under construction.
#[must_use]
pub struct Declaration(CheckDescriptor);

/// What the keys mean is documented at the fields of [`CheckSettings`] and [`CheckDescriptor`].
#[doc(hidden)]
impl Declaration {
    /// A check with the default settings. The parameters come before the call that takes them, so
    /// that what is wrong with a type is reported before what follows from it.
    pub const fn new(
        name: &'static str,
        (module, function): (&'static str, &'static str),
        (file, line): (&'static str, u32),
        parameters: &'static [Parameter],
        run: Run,
    ) -> Self {
        Self(CheckDescriptor {
            name,
            description: None,
            module,
            function,
            file,
            line,
            settings: CheckSettings::DEFAULT,
            tags: &[],
            parameters,
            run,
        })
    }

    pub const fn on_error(mut self, state: HealthState) -> Self {
        self.0.settings.on_error = state;
        self
    }

    pub const fn timeout(mut self, millis: u64) -> Self {
        self.0.settings.timeout = Some(Duration::from_millis(millis));
        self
    }

    pub const fn cache(mut self, millis: u64) -> Self {
        self.0.settings.cache = Some(Duration::from_millis(millis));
        self
    }

    pub const fn interval(mut self, millis: u64) -> Self {
        self.0.settings.interval = Some(Duration::from_millis(millis));
        self
    }

    pub const fn unhealthy_after(mut self, millis: u64) -> Self {
        self.0.settings.unhealthy_after = Some(Duration::from_millis(millis));
        self
    }

    /// Exactly these probes; none of them for `probe = "none"`.
    pub const fn probe(mut self, probes: &[Probe]) -> Self {
        self.0.settings.probes = Probes::new(probes);
        self
    }

    pub const fn shared(mut self) -> Self {
        self.0.settings.shared = true;
        self
    }

    /// # Panics
    /// If it is 0, which the attribute refuses. In a `const`, that is a compile error.
    pub const fn failure_threshold(mut self, results: u32) -> Self {
        self.0.settings.failure_threshold = threshold(results);
        self
    }

    /// # Panics
    /// If it is 0, which the attribute refuses. In a `const`, that is a compile error.
    pub const fn success_threshold(mut self, results: u32) -> Self {
        self.0.settings.success_threshold = threshold(results);
        self
    }

    /// Without the line break that ends an included file; such a file may also be empty.
    pub const fn description(mut self, text: &'static str) -> Self {
        let text = text.trim_ascii_end();
        self.0.description = if text.is_empty() { None } else { Some(text) };
        self
    }

    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.0.tags = tags;
        self
    }

    /// The finished data.
    pub const fn finish(self) -> CheckDescriptor {
        self.0
    }
}

const fn threshold(results: u32) -> NonZeroU32 {
    NonZeroU32::new(results).expect("a threshold is at least 1")
}
