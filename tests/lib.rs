//! The tests are in `tests/`; this crate only holds their dependencies.
