//! Any message around a credential: the credential is never told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use servicekit_health_fuzz::told;

const SECRET: &str = "Zq7Xw9Kp3Vt5Rn1M";

/// Shapes of all kinds; `SECRET` stands where the secret will.
const FORMS: &[&str] = &[
    "postgres://app:SECRET@db/app",
    "password=SECRET",
    "{\"api_key\": \"SECRET\"}",
    "Authorization: Bearer SECRET",
    "client_secret='SECRET'",
    "Config { password: Some(\"SECRET\") }",
    "app:SECRET@tcp(db:3306)/app",
    "https://host/x?sig=SECRET",
    "mysqladmin --password SECRET",
    "CREATE USER app IDENTIFIED BY 'SECRET'",
    "<password>SECRET</password>",
    "ghp_SECRETSECRET",
];

fuzz_target!(|input: (&str, &str, u8)| {
    let (before, after, form) = input;
    // The fuzzer reads the constant out of the comparisons, and then says it openly.
    if before.contains(SECRET) || after.contains(SECRET) {
        return;
    }
    // What is left open before the credential would end at the credential's own end.
    if before.contains(['"', '\'', '`', '{', '(', '[', '<', '\\']) {
        return;
    }
    let credential = FORMS[usize::from(form) % FORMS.len()].replace("SECRET", SECRET);
    let clean = told(&format!("{before} {credential} {after}"));
    assert!(!clean.contains(SECRET), "{clean}");
    assert!(clean.len() <= 1024);
    // A text that was cut may end within what had been told to be no secret.
    if !clean.ends_with('…') {
        assert_eq!(told(&clean), clean);
    }
});
