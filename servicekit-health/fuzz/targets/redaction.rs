//! Any message around a credential: the credential is never told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use servicekit_health_fuzz::told;

const SECRET: &str = "Zq7Xw9Kp3Vt5Rn1M";

fuzz_target!(|input: (&str, &str, u8)| {
    let (before, after, form) = input;
    // The fuzzer reads the constant out of the comparisons, and then says it openly.
    if before.contains(SECRET) || after.contains(SECRET) {
        return;
    }
    // A quote left open before the credential would end at the credential's own.
    if before.contains(['"', '\'', '{', '\\']) {
        return;
    }
    let credential = match form % 5 {
        0 => format!("postgres://app:{SECRET}@db/app"),
        1 => format!("password={SECRET}"),
        2 => format!("{{\"api_key\": \"{SECRET}\"}}"),
        3 => format!("Authorization: Bearer {SECRET}"),
        _ => format!("client_secret='{SECRET}'"),
    };
    let clean = told(&format!("{before} {credential} {after}"));
    assert!(!clean.contains(SECRET), "{clean}");
    assert!(clean.len() <= 1024);
});
