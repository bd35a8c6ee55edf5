//! Any query, on a report, a check and the stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use servicekit_health_fuzz::ask;

fuzz_target!(|query: &[u8]| {
    for path in ["/health", "/health/redis", "/readyz", "/health/$stream"] {
        let request = [path.as_bytes(), b"?", query].concat();
        let Some(answer) = ask(&request, None) else { return };
        match answer.status.as_u16() {
            200 => {}
            400 => {
                assert_eq!(answer.content_type(), "application/problem+json");
                let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(problem["status"], 400);
                assert!(answer.body.len() < 1024, "an error echoes no more than it has to");
            }
            other => panic!("{path} answered {other}"),
        }
    }
});
