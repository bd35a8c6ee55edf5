//! Any `Accept`, and any name of a check: neither changes more than it should.
#![no_main]

use libfuzzer_sys::fuzz_target;
use servicekit_health_fuzz::ask;

fuzz_target!(|input: &[u8]| {
    if let Some(answer) = ask(b"/health", Some(input)) {
        assert_eq!(answer.status, 200);
        let formats = ["application/json", "application/health+json", "text/plain; charset=utf-8"];
        assert!(formats.contains(&answer.content_type()));
    }
    if let Some(answer) = ask(&[b"/health/", input].concat(), None) {
        assert!([200, 400, 404].contains(&answer.status.as_u16()), "{}", answer.status);
    }
});
