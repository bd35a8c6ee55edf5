//! The annotated functions of the whole program, gathered by the linker.
//!
//! This is the only global of the crate, and it is read-only data. Everything behind it takes its
//! checks as a value, so tests make as many registries as they like.

use super::descriptor::CheckDescriptor;

/// A section is found by this bare name alone, anywhere in the program: hence the length, and the
/// version.
#[linkme::distributed_slice]
pub static SERVICEKIT_HEALTH_CHECKS_V0_1: [CheckDescriptor];

/// Puts one annotated function into the slice. The attribute calls it, so that a crate it cannot
/// find is one error and not one more about `linkme`.
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($descriptor:expr) => {
        // Beside the element: what is inside is parsed and printed again by one more macro.
        const __SERVICEKIT_HEALTH_DESCRIPTOR: $crate::__private::CheckDescriptor = $descriptor;

        #[$crate::__private::linkme::distributed_slice(
            $crate::__private::SERVICEKIT_HEALTH_CHECKS_V0_1
        )]
        #[linkme(crate = $crate::__private::linkme)]
        static __SERVICEKIT_HEALTH_CHECK: $crate::__private::CheckDescriptor =
            __SERVICEKIT_HEALTH_DESCRIPTOR;
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
