//! Mistakes in what a macro was given are reported where they were written.
use servicekit_health::health_check;

macro_rules! check {
    ($function:ident, $name:literal, $timeout:expr, $ty:ty) => {
        #[health_check(name = $name, timeout = $timeout)]
        async fn $function(_dependency: $ty) {}
    };
}

check!(one, "a b", "5 s", &str);
check!(two, "two", 5, Option<&mut u8>);

fn main() {}
