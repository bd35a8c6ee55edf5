use servicekit_health::health_check;

struct Database;

impl Database {
    #[health_check]
    async fn ping() {}
}

fn main() {
    drop(Database::ping());
}
