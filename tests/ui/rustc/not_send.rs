use std::rc::Rc;

use servicekit_health::health_check;

#[health_check]
async fn keeps_an_rc() {
    let rc = Rc::new(1);
    std::future::ready(()).await;
    drop(rc);
}

#[health_check]
async fn with_a_dependency(number: &u8) -> Result<(), String> {
    let rc = Rc::new(*number);
    std::future::ready(()).await;
    drop(rc);
    Ok(())
}

fn main() {}
