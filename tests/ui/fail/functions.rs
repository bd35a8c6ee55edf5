use servicekit_health::health_check;

#[health_check]
fn not_async() {}

#[health_check(blocking)]
async fn blocking_and_async() {}

#[health_check]
async unsafe fn not_safe() {}

#[health_check(blocking)]
const fn constant() {}

#[health_check(blocking)]
extern "C" fn foreign() {}

#[health_check]
async fn generic<T>() {}

#[health_check]
async fn generic_number<const N: usize>() {}

#[health_check(name = "one")]
#[health_check(name = "two")]
async fn twice() {}

fn main() {
    not_async();
    constant();
    foreign();
    drop(blocking_and_async());
    drop(generic::<u8>());
    drop(generic_number::<3>());
    drop(twice());
    drop(unsafe { not_safe() });
}
