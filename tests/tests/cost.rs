//! What a check costs a program that never asks for it. What it costs the compiler is measured by
//! the benchmark `expansion_cost`.

use servicekit_health::__private::Parameter;
use servicekit_health::CheckDescriptor;

#[test]
fn the_static_data_of_a_check_is_at_most_256_bytes_besides_its_strings() {
    let with_two_dependencies = size_of::<CheckDescriptor>() + 2 * size_of::<Parameter>();
    assert!(with_two_dependencies <= 256, "{with_two_dependencies}");
}
