//! A later version.
