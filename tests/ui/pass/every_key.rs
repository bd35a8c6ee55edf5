//! What each key says arrives in what is registered; what is not said stays the default.

use std::time::Duration;

use servicekit_health::{
    self as health, CheckDescriptor, CheckSettings, HealthState, Probe, Probes, health_check,
};

/// Session cache. Losing it slows us down but does not stop us.
#[health_check(
    name = "redis",
    on_error = "degraded",
    timeout = "300ms",
    cache = "0s",
    probe = ["liveness", "startup"],
    shared,
    unhealthy_after = "10m",
    failure_threshold = 3,
    success_threshold = 2,
    tags = ["storage", "cache"],
)]
async fn redis_ping() -> Result<(), std::io::Error> {
    Ok(())
}

#[health_check(interval = "1m", probe = "startup", tags = "storage", blocking)]
fn disk() -> HealthState {
    HealthState::Healthy
}

#[health_check]
async fn clock() {}

#[health_check(probe = "none", interval = "10ms", crate = servicekit_health)]
async fn gates_nothing() {}

#[health_check()]
async fn r#type() {}

fn find(name: &str) -> &'static CheckDescriptor {
    health::registered().find(|check| check.name == name).unwrap()
}

fn main() {
    let names: Vec<_> = health::registered().map(|check| check.name).collect();
    assert_eq!(names, ["clock", "disk", "gates_nothing", "redis", "type"]);

    let redis = find("redis");
    assert_eq!(redis.description, Some("Session cache. Losing it slows us down but does not stop us."));
    assert_eq!(redis.module, module_path!());
    assert_eq!(redis.function, "redis_ping");
    assert!(redis.file.ends_with("every_key.rs"), "{}", redis.file);
    assert_eq!(redis.line, 10);
    assert_eq!(redis.tags, ["storage", "cache"]);
    let settings = &redis.settings;
    assert_eq!(settings.on_error, HealthState::Degraded);
    assert_eq!(settings.timeout, Some(Duration::from_millis(300)));
    assert_eq!(settings.cache, Some(Duration::ZERO));
    assert_eq!(settings.interval, None);
    assert_eq!(settings.probes, [Probe::Liveness, Probe::Startup].into());
    assert!(settings.shared);
    assert_eq!(settings.unhealthy_after, Some(Duration::from_secs(600)));
    assert_eq!(settings.failure_threshold.get(), 3);
    assert_eq!(settings.success_threshold.get(), 2);

    let disk = find("disk");
    assert_eq!(disk.description, None);
    assert_eq!(disk.tags, ["storage"]);
    assert_eq!(disk.settings.interval, Some(Duration::from_secs(60)));
    assert_eq!(disk.settings.probes, Probe::Startup.into());

    let gates_nothing = find("gates_nothing");
    assert_eq!(gates_nothing.settings.probes, Probes::NONE);
    assert_eq!(gates_nothing.settings.interval, Some(Duration::from_millis(10)));

    assert_eq!(find("clock").settings, CheckSettings::DEFAULT);
    assert!(find("clock").tags.is_empty());
    assert_eq!(find("type").function, "type");

    // The functions are still what they were.
    self::disk();
    drop(self::redis_ping());
    drop(clock());
    drop(r#type());
}
