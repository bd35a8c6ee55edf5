//! What servicekit-health costs: `tests/costs/run` counts instructions, and
//! `cargo bench -p servicekit-health-costs --bench serving` compares real servers.
