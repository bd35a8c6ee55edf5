use servicekit_health::health_check;

#[health_check]
struct Database;

#[health_check(name = "kind")]
enum Kind {}

#[health_check]
pub mod checks {}

#[health_check]
static ONE: u8 = 1;

#[health_check]
const TWO: u8 = 2;

#[health_check]
impl Database {}

#[health_check]
trait Ping {}

#[health_check]
use std::time::Duration;

#[health_check(nmae = "x")]
type Alias = u8;

fn main() {
    let _ = (Database, ONE, TWO, Alias::MAX, Duration::ZERO);
}
