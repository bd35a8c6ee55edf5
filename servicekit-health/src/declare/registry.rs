//! The annotated functions of the whole program, gathered by the linker.
//!
//! This is the only global of the crate, and it is read-only data. Everything behind it takes its
//! checks as a value, so tests make as many registries as they like.

use super::descriptor::CheckDescriptor;

/// A section is found by this bare name alone, anywhere in the program: hence the length, and the
/// version.
#[linkme::distributed_slice]
pub static SERVICEKIT_HEALTH_CHECKS_V0_1: [CheckDescriptor];

/// Puts one annotated function into the slice. `$health` is the expansion's name for the private
/// module of this crate. Done by a macro of this crate, so that a wrong path to it is one error and
/// not one more about `linkme`; and because the compiler writes these tokens many times faster than
/// the attribute, which is built without optimizations where the user's program is.
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    (
        $health:ident, $name:tt, $function:tt,
        [$($(#[$($condition:tt)*])* $parameter:ident($($type:tt)*)),*],
        $variant:ident($($run:tt)*)
        $(, $setting:ident($($value:tt)*))*
    ) => {
        // Beside the element: what is inside is parsed and printed again by one more macro.
        const __SERVICEKIT_HEALTH_DESCRIPTOR: $health::CheckDescriptor = $health::Declaration::new(
            $name,
            ($health::module_path!(), $function),
            ($health::file!(), $health::line!()),
            &[$($(#[$($condition)*])* $health::Parameter::$parameter::<$($type)*>()),*],
            $health::Run::$variant($($run)*),
        )
        $(.$setting($($value)*))*
        .finish();

        #[$health::linkme::distributed_slice($health::SERVICEKIT_HEALTH_CHECKS_V0_1)]
        #[linkme(crate = $health::linkme)]
        static __SERVICEKIT_HEALTH_CHECK: $health::CheckDescriptor = __SERVICEKIT_HEALTH_DESCRIPTOR;
    };
}

/// The annotated functions that are linked into this program, in no particular order.
pub(crate) fn linked() -> &'static [CheckDescriptor] {
    // Miri cannot read what a linker would gather.
    if cfg!(miri) {
        return &[];
    }
    &SERVICEKIT_HEALTH_CHECKS_V0_1
}

/// Every annotated function that is linked into this program, by name.
///
/// A crate of which nothing is used is not linked, and neither are its checks:
/// `use my_checks as _;` brings them in.
///
/// ```standalone_crate
/// use servicekit_health as health;
///
/// #[health::health_check]
/// async fn clock() {}
///
/// let names: Vec<_> = health::registered().map(|check| check.name).collect();
/// assert_eq!(names, ["clock"]);
/// ```
pub fn registered() -> impl Iterator<Item = &'static CheckDescriptor> {
    let mut checks: Vec<_> = linked().iter().collect();
    checks.sort_by_key(|check| (check.name, check.module, check.function));
    checks.into_iter()
}
