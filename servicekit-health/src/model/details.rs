//! How much a reader is told.

use std::fmt;
use std::str::FromStr;

/// How much detail a response includes. It never changes which checks count, nor the status code.
///
/// ```
/// use servicekit_health::Details;
///
/// assert_eq!(Details::States.to_string(), "states");
/// assert_eq!("status".parse(), Ok(Details::Status));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Details {
    /// Everything.
    #[default]
    Full,
    /// The checks and their states, without messages and details.
    States,
    /// The overall status alone; errors of a request list no names either.
    Status,
}

impl Details {
    /// Every level, from the most detail to the least.
    pub const ALL: &'static [Self] = &[Self::Full, Self::States, Self::Status];

    /// `full`, `states` or `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::States => "states",
            Self::Status => "status",
        }
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Details {
    type Err = ParseDetailsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let details = Self::ALL.iter().find(|details| details.as_str() == text);
        details.copied().ok_or(ParseDetailsError(()))
    }
}

/// The text is none of `full`, `states` and `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDetailsError(());

impl fmt::Display for ParseDetailsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `full`, `states` or `status`")
    }
}

impl std::error::Error for ParseDetailsError {}
