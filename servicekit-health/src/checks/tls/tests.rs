//! Verdicts at any time, of certificates made by hand.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn day(number: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_000 + DAY * number
}

/// Valid from day 0 until that day.
fn until(end: u32) -> Certificate {
    let names = vec!["shop.example".to_owned()];
    let name = "`shop.example`".to_owned();
    Certificate { not_before: day(0), not_after: day(end), name, names, is_root: false }
}

fn named(name: &str, certificate: Certificate) -> Certificate {
    Certificate { name: name.to_owned(), ..certificate }
}

fn state(chain: &[Certificate], now: SystemTime) -> HealthState {
    verdict(chain, now, None).state()
}

#[test]
fn a_third_of_a_short_lifetime_is_left_when_it_degrades() {
    let short = [until(6)];
    assert_eq!(state(&short, day(4)), HealthState::Healthy);
    assert_eq!(state(&short, day(4) + HOUR), HealthState::Degraded);
    let three_months = [until(90)];
    assert_eq!(
        state(&three_months, day(69)),
        HealthState::Healthy,
        "21 days are less than a third"
    );
    assert_eq!(state(&three_months, day(69) + HOUR), HealthState::Degraded);
}

#[test]
fn of_a_long_lifetime_21_days_are_left() {
    let year = [until(365)];
    assert_eq!(state(&year, day(344)), HealthState::Healthy);
    let result = verdict(&year, day(344) + HOUR, None);
    assert_eq!(result.state(), HealthState::Degraded);
    let expected = "the certificate of `shop.example` expires at 2025-10-04T00:00:00Z";
    assert_eq!(result.message(), Some(expected));
    assert_eq!(result.details()["days_left"], 20);
}

#[test]
fn a_limit_of_ones_own_takes_the_place_of_both() {
    let degraded = |now| verdict(&[until(90)], now, Some(2 * DAY)).state();
    assert_eq!(degraded(day(88)), HealthState::Healthy);
    assert_eq!(degraded(day(88) + HOUR), HealthState::Degraded);
}

#[test]
fn only_what_is_not_valid_is_unhealthy() {
    let chain = [until(90)];
    assert_eq!(state(&chain, day(90)), HealthState::Degraded);
    let result = verdict(&chain, day(90) + HOUR, None);
    assert_eq!(result.state(), HealthState::Unhealthy);
    let expected = "the certificate of `shop.example` expired at 2025-01-02T00:00:00Z";
    assert_eq!(result.message(), Some(expected));
    assert_eq!(result.details()["days_left"], -1);

    let result = verdict(&chain, day(0) - HOUR, None);
    assert_eq!(result.state(), HealthState::Unhealthy);
    let expected = "the certificate of `shop.example` is not valid before 2024-10-04T00:00:00Z";
    assert_eq!(result.message(), Some(expected));
}

#[test]
fn the_earliest_of_a_chain_counts_and_roots_do_not() {
    let intermediate = named("`Intermediate`", until(100));
    let root = Certificate { is_root: true, ..named("`Root`", until(10)) };
    let chain = [until(365), intermediate, root];
    let result = verdict(&chain, day(90), None);
    assert_eq!(result.state(), HealthState::Degraded);
    assert_eq!(result.details()["expires_first"], "`Intermediate`");
    assert_eq!(result.details()["days_left"], 10);
    assert_eq!(result.details()["certificates"], 2);
    assert_eq!(result.details()["names"][0], "shop.example");

    let own_issuer = [Certificate { is_root: true, ..until(10) }];
    assert_eq!(
        state(&own_issuer, day(11)),
        HealthState::Unhealthy,
        "a self-signed server's counts"
    );
}

#[test]
fn the_worst_of_a_chain_is_the_result() {
    let future = Certificate { not_before: day(50), ..named("`Next`", until(365)) };
    let result = verdict(&[until(45), future], day(40), None);
    assert!(result.message().unwrap().starts_with("the certificate of `Next` is not valid before"));
}
