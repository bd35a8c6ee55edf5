//! The attribute on correct and on wrong code.

#[test]
fn correct_code_compiles_and_registers_what_it_says() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}
