//! In what a `macro_rules!` macro expands to, with every kind of fragment.
#![deny(warnings)]

use servicekit_health::{self as health, health_check};

struct Pool;

macro_rules! check {
    ($function:ident, $name:literal, $timeout:expr, $ty:ty, $inner:ty) => {
        #[health_check(name = $name, timeout = $timeout, tags = ["made", $name])]
        async fn $function(
            _whole: $ty,
            _borrowed: &$inner,
            _optional: Option<&$inner>,
            _own: $inner,
        ) -> Result<(), String> {
            Ok(())
        }
    };
}

check!(one, "first", "1s", &Pool, u8);
check!(two, "second", "2s", Option<&Pool>, Vec<String>);
check!(three, "third", "3s", u16, (u8, [u8; 4]));

macro_rules! whole {
    ($key:ident = $value:literal; $item:item) => {
        #[health_check($key = $value)]
        $item
    };
    ($threshold:literal; $vis:vis fn $function:ident() $body:block) => {
        #[doc = "Made."]
        #[health_check(failure_threshold = $threshold, blocking)]
        $vis fn $function() $body
    };
}

whole! { name = "fourth"; async fn four() {} }
whole! { 3; pub fn fifth() {} }

macro_rules! nested {
    ($($name:ident: $documentation:literal),*) => {
        $(
            #[doc = $documentation]
            #[health_check]
            async fn $name() {}
        )*
    };
}

nested!(sixth: "Six.", seventh: "Seven.");

mod framework {
    pub use servicekit_health as health;

    /// As a framework exports it: its users need not depend on servicekit-health.
    macro_rules! check {
        ($function:ident) => {
            #[$crate::framework::health::health_check(crate = $crate::framework::health)]
            async fn $function() {}
        };
    }
    pub(crate) use check;

    macro_rules! at {
        ($health:path, $function:ident) => {
            #[servicekit_health::health_check(crate = $health)]
            async fn $function() {}
        };
    }
    pub(crate) use at;
}

framework::check!(of_a_framework);
framework::at!(self::framework::health, of_a_path);

fn main() {
    let names: Vec<_> = health::registered().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "fifth", "first", "fourth", "of_a_framework", "of_a_path", "second", "seventh", "sixth",
            "third"
        ]
    );
    let find = |name| health::registered().find(|check| check.name == name).unwrap();
    assert_eq!(find("first").tags, ["made", "first"]);
    assert_eq!(find("second").settings.timeout.unwrap().as_secs(), 2);
    assert_eq!(find("fifth").settings.failure_threshold.get(), 3);
    assert_eq!(find("sixth").description, Some("Six."));
}
