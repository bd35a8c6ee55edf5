//! Nothing to build: cargo wants a build script beside the `links` key.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
