//! A crate of which nothing can be named: all it has is a check in a private module.
#![forbid(unsafe_code)]
#![deny(warnings)]

mod private {
    mod nested {
        use servicekit_health::health_check;

        #[health_check(name = "hidden")]
        async fn deep() {}
    }
}
