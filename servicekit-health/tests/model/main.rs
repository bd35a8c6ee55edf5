//! The engine against a model of it, written from the contract: thousands of random interleavings
//! of requests, results, delays, hangs, cancellations, listeners and drains in paused time.
//!
//! A case is played first, and everything that can be seen is written down; then it is judged. The
//! model takes only one thing from the engine, the moments at which runs began, and these have
//! rules of their own.
//!
//! Runs that nothing can cancel hold up paused time; the unit tests of the state have those.

#[path = "../common/mod.rs"]
mod common;
mod judge;
mod play;
mod script;

use proptest::prelude::*;
use proptest::test_runner::Config;

/// `PROPTEST_CASES` asks for more. What fails is printed, smallest first, not kept in files.
fn config() -> Config {
    let cases = Config::default().cases.max(2_000);
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_is_what_the_contract_says(script in script::script()) {
        judge::judge(&script, &play::play(&script))?;
    }
}
