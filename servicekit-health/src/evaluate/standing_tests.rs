//! The roster, a step at a time.

use super::standing::{Place, Role, Roster};

fn watch() -> Vec<Role> {
    vec![Role::Watch]
}

#[test]
fn every_role_is_given_away_once_until_its_place_is_free_again() {
    let roster = Roster::default();
    let wanted = || vec![Role::Background(0), Role::Background(1), Role::Callbacks];
    let mut places = roster.missing(wanted);
    assert_eq!(places.iter().map(Place::role).collect::<Vec<_>>(), wanted());
    assert!(roster.missing(|| unreachable!("nothing has changed")).is_empty());
    roster.reconsider();
    assert!(roster.missing(wanted).is_empty());
    drop(places.remove(1));
    let again = roster.missing(wanted);
    assert_eq!(again.iter().map(Place::role).collect::<Vec<_>>(), [Role::Background(1)]);
}

#[test]
fn a_task_that_is_needed_stays() {
    let roster = Roster::default();
    let mut place = roster.missing(watch).remove(0);
    assert!(!place.leave_unless(|| true));
    roster.reconsider();
    assert!(roster.missing(watch).is_empty());
}

#[test]
fn a_successor_is_not_taken_for_the_one_that_left() {
    let roster = Roster::default();
    let mut place = roster.missing(watch).remove(0);
    assert!(place.leave_unless(|| false));
    // Somebody begins to listen before the old task is quite gone.
    roster.reconsider();
    let successor = roster.missing(watch);
    assert_eq!(successor.len(), 1);
    drop(place);
    roster.reconsider();
    assert!(roster.missing(watch).is_empty(), "the successor is still there");
}
