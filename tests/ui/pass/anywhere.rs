//! Wherever a function can stand, and whatever attributes it has.
#![deny(warnings)]
#![deny(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
#![forbid(unsafe_code)]

use servicekit_health::{self as health, HealthState, health_check};

mod private {
    mod nested {
        use servicekit_health::health_check;

        #[health_check]
        async fn deep() {}
    }

    #[servicekit_health::health_check]
    pub(super) async fn by_its_path() {}
}

#[expect(dead_code, reason = "nothing calls it: its check is found by the linker all the same")]
fn in_a_function() {
    #[health_check]
    async fn inside() {}

    if true {
        #[health_check(name = "inside-a-block")]
        async fn inside() {}
    }
}

#[cfg(any())]
#[health_check]
async fn switched_off_above() -> Nonsense {}

#[health_check]
#[cfg(any())]
async fn switched_off_below() -> Nonsense {}

#[cfg_attr(not(any()), health_check)]
async fn switched_on() {}

#[cfg_attr(any(), health_check)]
async fn an_ordinary_function() {}

#[deprecated(note = "use another")]
#[health_check]
#[must_use]
async fn outdated() -> HealthState {
    HealthState::Healthy
}

#[health_check]
#[deprecated = "use another"]
async fn outdated_below() {}

#[health_check]
#[allow(deprecated)]
async fn of_an_outdated_type(_old: &Old, _owned: Old) -> Result<(), String> {
    Ok(())
}

/// Old.
#[deprecated]
#[derive(Clone)]
pub struct Old;

#[expect(clippy::unused_async, reason = "as the trait it once was in demanded")]
#[health_check]
async fn expected() {}

#[health_check]
#[allow(clippy::unused_async, non_snake_case)]
#[inline]
async fn Odd_Case() {}

#[allow(unused_variables)]
#[health_check(blocking)]
#[cold]
#[track_caller]
fn many_attributes(_: &u8, unused: &u16) {}

#[health_check]
/// Documented below the attribute.
///
///   - with a list
async fn documented() {}

#[health_check]
#[doc(hidden)]
#[doc = concat!("Built ", "text")]
/** and a block
 * of two lines */
async fn built() {}

/// Above.
#[health_check]
#[doc = include_str!("description.txt")]
/// Below.
async fn of_several_pieces() {}

#[health_check]
/** A block
    without stars. */
async fn block() {}

#[health_check]
#[doc = concat!("A file\n", "\n")]
async fn ends_with_a_line_break() {}

#[health_check]
#[doc = concat!("", "\n")]
async fn an_empty_file() {}

#[health_check]
#[doc(alias = "x")]
async fn undocumented() {}

#[health_check(
    name = r"raw",
    timeout = r#"5s"#,
    failure_threshold = 0x1_0,
)]
async fn raw_strings() {}

fn main() {
    let names: Vec<_> = health::registered().map(|check| check.name).collect();
    let expected = [
        "Odd_Case",
        "an_empty_file",
        "block",
        "built",
        "by_its_path",
        "deep",
        "documented",
        "ends_with_a_line_break",
        "expected",
        "inside",
        "inside-a-block",
        "many_attributes",
        "of_an_outdated_type",
        "of_several_pieces",
        "outdated",
        "outdated_below",
        "raw",
        "switched_on",
        "undocumented",
    ];
    assert_eq!(names, expected);

    let find = |name| health::registered().find(|check| check.name == name).unwrap();
    assert_eq!(
        find("documented").description,
        Some("Documented below the attribute.\n\n  - with a list")
    );
    assert_eq!(find("built").description, Some("Built text\nand a block\nof two lines"));
    assert_eq!(find("block").description, Some("A block\nwithout stars."));
    assert_eq!(find("of_several_pieces").description, Some("Above.\nOf a file.\nBelow."));
    assert_eq!(find("ends_with_a_line_break").description, Some("A file"));
    assert_eq!(find("an_empty_file").description, None);
    assert_eq!(find("undocumented").description, None);
    assert_eq!(find("deep").module, format!("{}::private::nested", module_path!()));
    assert_eq!(find("raw").settings.failure_threshold.get(), 16);
    drop(an_ordinary_function());
    drop(private::by_its_path());
}
