//! Have we had this one already?

use crate::world::{call, form, rules, secs, worlds};
use lead::books::Verdict;
use lead::changes::Measure;

#[test]
fn the_same_id_again_is_counted_and_changes_nothing() {
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(form("one", secs(0)).phone("+79161112233")), Verdict::Lead);
        let before = (world.only_lead(), world.events.clone());
        for late in [1, 3_600, 13 * 86_400] {
            let again = form("one", secs(0)).phone("+79161112233").heard(secs(late));
            let said = world.events.len();
            let quiet = world.feed(again);
            assert_eq!(quiet, Verdict::Redelivered);
            assert!(world.events[said..].iter().all(|said| said.kind.starts_with("lead.sla")), "{late}");
        }
        assert_eq!(world.only_lead().touches, before.0.touches);
        assert_eq!(world.books(), [("lead", 1), ("redelivered", 3)]);
        assert_eq!(world.measures.iter().filter(|one| matches!(one, Measure::IdConflict { .. })).count(), 0);
    }
}

#[test]
fn the_same_id_with_another_body_is_counted_as_a_conflict_and_the_first_stands() {
    for mut world in worlds(&rules()) {
        world.feed(form("one", secs(0)).phone("+79161112233"));
        assert_eq!(world.feed(form("one", secs(1)).phone("+79164445566")), Verdict::Redelivered);
        let conflict = Measure::IdConflict { channel: "site".into() };
        assert!(world.measures.contains(&conflict));
        let lead = world.only_lead();
        assert_eq!(world.contact_of(lead.id).identities.len(), 1);
    }
}

#[test]
fn the_same_content_without_an_id_is_one_touch_within_the_window_and_two_outside() {
    for (later, verdict) in
        [(0, Verdict::Redelivered), (599, Verdict::Redelivered), (600, Verdict::Duplicate), (3_600, Verdict::Duplicate)]
    {
        for mut world in worlds(&rules()) {
            world.feed(form("first", secs(0)).phone("+79161112233").content("hello"));
            let second = form("second", secs(later)).phone("+79161112233").content("hello");
            assert_eq!(world.feed(second), verdict, "{later} s later");
        }
    }
}

#[test]
fn the_window_runs_from_the_first_post_not_from_the_last() {
    for mut world in worlds(&rules()) {
        let post = |name: &str, at: i64| form(name, secs(at)).phone("+79161112233").content("hello");
        assert_eq!(world.feed(post("a", 0)), Verdict::Lead);
        assert_eq!(world.feed(post("b", 400)), Verdict::Redelivered);
        assert_eq!(world.feed(post("c", 700)), Verdict::Duplicate);
        assert_eq!(world.feed(post("d", 1_200)), Verdict::Redelivered);
    }
}

#[test]
fn a_post_that_another_gateway_heard_earlier_is_still_the_same_post() {
    for mut world in worlds(&rules()) {
        world.feed(form("a", secs(30)).phone("+79161112233").content("hello"));
        let earlier = form("b", secs(0)).phone("+79161112233").content("hello");
        assert_eq!(world.feed(earlier), Verdict::Redelivered);
    }
}

#[test]
fn fifty_identical_posts_in_one_instant_make_one_lead() {
    for mut world in worlds(&rules()) {
        for index in 0..50 {
            world.feed(form(&format!("post {index}"), secs(0)).phone("+79161112233").content("hello"));
        }
        assert_eq!(world.books(), [("lead", 1), ("redelivered", 49)]);
        assert_eq!(world.only_lead().touches, 1);
        assert_eq!(world.events.len(), 1);
    }
}

#[test]
fn fifty_posts_of_one_person_with_ids_of_their_own_are_one_lead_and_duplicates() {
    for mut world in worlds(&rules()) {
        for index in 0..50 {
            world.feed(form(&format!("post {index}"), secs(0)).phone("+79161112233"));
        }
        assert_eq!(world.books(), [("lead", 1), ("duplicate", 49)]);
        assert_eq!(world.only_lead().touches, 50);
    }
}

#[test]
fn a_phase_of_a_call_that_comes_twice_is_a_redelivery() {
    for mut world in worlds(&rules()) {
        let line = call("c1", Some("+79161112233"));
        assert_eq!(world.feed(line.ringing(secs(0))), Verdict::Lead);
        assert_eq!(world.feed(line.ringing(secs(0))), Verdict::Redelivered);
        assert_eq!(world.feed(line.bridged(secs(5), "101")), Verdict::Update);
        assert_eq!(world.feed(line.bridged(secs(5), "101")), Verdict::Redelivered);
    }
}
