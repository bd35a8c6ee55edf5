use serde_json::json;

use super::*;

fn cleaned(mut text: String) -> String {
    Cleaner::new(Vec::new()).text(&mut text, false);
    text
}

fn details(mut value: Value) -> Value {
    let Value::Object(details) = &mut value else { panic!("details are an object") };
    Cleaner::new(Vec::new()).details(details, false);
    value
}

#[test]
fn a_credential_does_not_survive_by_being_cut() {
    let long = format!("{}postgres://app:{}@db/app", "x".repeat(1000), "s".repeat(4000));
    let clean = cleaned(long);
    assert!(clean.ends_with("postgres://***@db/app"), "{clean}");
}

#[test]
fn a_huge_text_hides_no_credential_at_the_end_of_the_search() {
    let secret = "s3cr3t".repeat(20);
    for length in (MAX_SEARCHED - 400..MAX_SEARCHED + 100).step_by(23) {
        // The mask of the first shortens the text to where the second would be told.
        let first = "p".repeat(length - 40);
        for second in
            ["postgres://app:SECRET x@b", "password='a SECRET", "Bearer SECRET", "pwd=a SECRET;b=c"]
        {
            let second = second.replace("SECRET", &secret);
            let huge = format!("postgres://app:{first}@a {second} end of it");
            let clean = cleaned(huge.clone());
            assert!(!clean.contains("s3cr3t"), "{clean}");
            assert_eq!(clean.ends_with('…'), huge.len() > MAX_SEARCHED, "{clean}");
        }
    }
    let one_word = format!("password={}", "x".repeat(2 * MAX_SEARCHED));
    assert_eq!(cleaned(one_word), "…");
}

#[test]
fn the_start_of_a_huge_text_is_told() {
    let huge = format!("refused by redis://u:p@cache, {}", "and then ".repeat(20_000));
    let clean = cleaned(huge.clone());
    assert!(clean.starts_with("refused by redis://***@cache, and then"), "{clean}");
    assert!(clean.len() <= MAX_TEXT && clean.ends_with('…'));
}

#[test]
fn a_text_is_cut_to_the_limit_on_a_character_boundary() {
    for character in ["x", "ä", "…", "🦀"] {
        let clean = cleaned(character.repeat(2000));
        assert!(clean.len() <= MAX_TEXT && clean.len() > MAX_TEXT - 8);
        assert!(clean.ends_with('…'));
    }
    let exact = "x".repeat(MAX_TEXT);
    assert_eq!(cleaned(exact.clone()), exact);
}

#[test]
fn rules_of_the_user_run_before_those_of_the_crate() {
    let reveal: Rule = Arc::new(|text| text.replace("pw is", "password=").into());
    let hide: Rule = Arc::new(|text| text.replace("db-7", "***").into());
    let mut text = "db-7: pw is hunter".to_owned();
    let cleaner = Cleaner::new(vec![reveal, hide]);
    cleaner.text(&mut text, false);
    assert_eq!(text, "***: password= ***");
    let mut verbatim = "db-7".to_owned();
    cleaner.text(&mut verbatim, true);
    assert_eq!(verbatim, "db-7");
}

#[test]
fn details_are_scrubbed_by_their_keys_at_any_depth() {
    let clean = details(json!({
        "url": "redis://u:p@h",
        "password": "a",
        "api_key": ["a", "b"],
        "credentials": { "user": "a" },
        "pool": { "size": 3, "auth_token": 12345, "hosts": [{ "clientSecret": "a", "name": "b" }] },
        "password_set": true,
        "token": "expired",
        "secret": null,
        "tokens": 12,
        "redis://u:p@h": 1,
    }));
    assert_eq!(
        clean,
        json!({
            "url": "redis://***@h",
            "password": "***",
            "api_key": "***",
            "credentials": "***",
            "pool": { "size": 3, "auth_token": "***", "hosts": [{ "clientSecret": "***", "name": "b" }] },
            "password_set": true,
            "token": "expired",
            "secret": null,
            "tokens": 12,
            "redis://***@h": 1,
        })
    );
}

#[test]
fn details_of_a_user_are_told_unless_they_hold_the_password() {
    let clean = details(json!({ "userinfo": "app:hunter2", "user_info": "alice" }));
    assert_eq!(clean, json!({ "userinfo": "***", "user_info": "alice" }));
    let kept = json!({ "user_info": { "name": "alice", "at": "12:30" } });
    assert_eq!(details(kept.clone()), kept);
}

#[test]
fn verbatim_details_keep_their_texts_and_their_limits() {
    let Value::Object(mut kept) = json!({ "password": "a", "url": "redis://u:p@h" }) else {
        unreachable!()
    };
    let before = kept.clone();
    Cleaner::new(Vec::new()).details(&mut kept, true);
    assert_eq!(kept, before);
    kept.insert("long".to_owned(), json!(vec!["x".repeat(1000); 20]));
    Cleaner::new(Vec::new()).details(&mut kept, true);
    assert_eq!(kept.len(), 3);
    assert_eq!(kept["truncated"], true);
}

#[test]
fn at_most_32_details_are_kept() {
    let many: Map<String, Value> = (0..40).map(|n| (format!("k{n:02}"), n.into())).collect();
    let clean = details(many.into());
    assert_eq!(clean.as_object().unwrap().len(), 33);
    assert_eq!((&clean["k31"], &clean["truncated"]), (&json!(31), &json!(true)));
    let exact: Map<String, Value> = (0..32).map(|n| (format!("k{n:02}"), n.into())).collect();
    assert_eq!(details(exact.clone().into()), Value::from(exact));
}

#[test]
fn details_are_at_most_8_kib_as_json() {
    for text in ["x", "\"", "\u{1}", "ä"] {
        let long: Map<String, Value> =
            (0..30).map(|n| (format!("k{n:02}"), json!({ "a": [text.repeat(900)] }))).collect();
        let clean = details(long.into());
        let length = clean.to_string().len();
        assert!((MAX_DETAIL_BYTES / 4..=MAX_DETAIL_BYTES).contains(&length), "{length}");
        assert_eq!(clean["truncated"], true);
    }
}

#[test]
fn a_detail_that_does_not_fit_leaves_room_for_the_next() {
    let clean = details(json!({ "a": vec![0; 100_000], "b": 1 }));
    assert_eq!(clean, json!({ "b": 1, "truncated": true }));
}

#[test]
fn what_is_nested_too_deep_is_left_out() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(details(json!({ "a": nested(15) })), json!({ "a": nested(15) }));
    let clean = details(json!({ "a": nested(17), "b": [1] }));
    assert_eq!(clean["truncated"], true);
    assert_eq!(clean["b"], json!([1]));
    assert!(!clean.to_string().contains("[1]]"), "{clean}");
}

#[test]
fn a_value_nested_without_end_does_not_overflow_the_stack() {
    let mut deep = json!(1);
    for _ in 0..200_000 {
        deep = Value::Array(vec![deep]);
    }
    let mut kept = Map::new();
    kept.insert("a".to_owned(), deep);
    Cleaner::new(Vec::new()).details(&mut kept, false);
    assert_eq!(kept["truncated"], true);
}
