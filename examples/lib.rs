//! The examples are in `examples/`; this crate only holds their dependencies.
