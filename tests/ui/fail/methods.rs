use servicekit_health::health_check;

struct Database;

impl Database {
    #[health_check]
    async fn by_reference(&self) {}

    #[health_check]
    async fn by_value(self) {}

    #[health_check]
    async fn typed(self: Box<Self>, _other: &Self) {}

    #[health_check]
    async fn named(_database: &Self) {}

    #[health_check]
    async fn made() -> Result<Self, String> {
        Ok(Self)
    }
}

trait Ping {
    #[health_check]
    async fn ping(&self);

    #[health_check]
    async fn associated();
}

fn main() {}
