//! Other attributes that change the function, above and below.
use servicekit_health::health_check;

#[health_check]
#[test]
async fn a_test_below() {}

#[health_check]
#[tokio::test]
async fn a_tokio_test_below() {}

#[tokio::test]
#[health_check]
async fn a_tokio_test_above() {}

#[health_check]
#[tokio::main(flavor = "current_thread")]
async fn a_tokio_main_below() {}

#[tokio::main(flavor = "current_thread")]
#[health_check]
async fn a_tokio_main_above() {}

fn main() {}
