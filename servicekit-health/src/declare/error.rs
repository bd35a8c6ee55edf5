//! What is wrong with the checks and the settings: every problem at once.

use std::fmt;
use std::io;

/// The checks, or the builder's settings, contradict each other.
///
/// Names every problem, where it is and what to do about it. `Debug` prints the same text as
/// `Display`, because a `main` that returns the error prints it with `Debug`.
///
/// ```
/// use servicekit_health as health;
///
/// let error = health::builder().require(["database"]).build().unwrap_err();
/// assert!(error.to_string().contains("`database`"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BuildError {
    problems: Vec<String>,
}

impl BuildError {
    /// `Err` with these problems, `Ok` where there are none.
    pub(crate) fn if_any(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// The problems, one text each.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = &self.problems[..] {
            return write!(f, "health checks: {problem}");
        }
        write!(f, "health checks: {} problems", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
