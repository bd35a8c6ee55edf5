//! Tells the linker to drop every section that nothing refers to by name.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg=-Wl,-z,start-stop-gc");
    }
}
