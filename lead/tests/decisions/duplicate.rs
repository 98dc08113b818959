//! Does a touch belong to a lead that is there, and is its person known?

use crate::world::{Knock, feedback, form, rules, secs, worlds};
use lead::books::Verdict;
use lead::entry::{CloseAs, Outcome};
use lead::ids::LeadId;
use lead::rules::Rules;
use lead::state::Lead;
use lead::time::At;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn close(name: &str, at: At, lead: LeadId) -> Knock {
    feedback(name, at, lead, Outcome::Closed { outcome: CloseAs::Rejected, reason: None, value: None })
}

#[test]
fn a_touch_of_an_open_lead_attaches_and_says_across_which_channels() {
    for (channel, word) in [("site", "same_channel"), ("landing", "cross_channel")] {
        for mut world in worlds(&rules()) {
            let first = form("first", secs(0)).phone("+79161112233");
            world.feed(first.clone());
            let second = form("second", secs(60)).on(channel).phone("8 916 111-22-33");
            assert_eq!(world.feed(second), Verdict::Duplicate);
            let lead = world.only_lead();
            assert_eq!((lead.id, lead.touches, lead.priority), (first.lead(), 2, 1));
            let change = &world.last_event("lead.touched").json["data"]["change"];
            assert_eq!(change["duplicate"], word);
            assert_eq!(change["after_close"], false);
            assert_eq!(world.book(channel, Verdict::Duplicate), 1);
        }
    }
}

#[test]
fn a_duplicate_never_restarts_the_clock() {
    for mut world in worlds(&rules()) {
        world.feed(form("first", secs(0)).phone("+79161112233"));
        let due = world.only_lead().sla.unwrap().due_at;
        world.feed(form("second", secs(600)).phone("+79161112233"));
        assert_eq!(world.only_lead().sla.unwrap().due_at, due);
        world.wait_until(secs(16 * 60));
        assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)));
        world.feed(form("third", secs(1_000)).phone("+79161112233"));
        assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)));
    }
}

#[test]
fn a_touch_soon_after_the_close_is_a_duplicate_and_a_later_one_a_repeat() {
    for (later, verdict) in
        [(1, Verdict::Duplicate), (DAY - 1, Verdict::Duplicate), (DAY, Verdict::Lead), (14 * DAY, Verdict::Lead)]
    {
        for mut world in worlds(&rules()) {
            let first = form("first", secs(0)).phone("+79161112233");
            world.feed(first.clone());
            world.feed(close("close", secs(HOUR), first.lead()));
            let again = form("second", secs(HOUR + later)).phone("+79161112233");
            assert_eq!(world.feed(again.clone()), verdict, "{later} s after the close");
            assert!(!world.lead(first.lead()).is_open());
            if verdict == Verdict::Duplicate {
                assert_eq!(world.last_event("lead.touched").json["data"]["change"]["after_close"], true);
                assert_eq!(world.only_lead().touches, 2);
            } else {
                let repeat = world.lead(again.lead()).repeat.unwrap();
                let days = u32::try_from(later / DAY).unwrap();
                assert_eq!((repeat.of, repeat.prior_leads, repeat.days_since_last), (first.lead(), 1, days));
            }
        }
    }
}

#[test]
fn a_third_lead_counts_both_before_it_and_names_the_last() {
    for mut world in worlds(&rules()) {
        let knocks = [0, 10, 20].map(|day| form(&format!("day {day}"), secs(day * DAY)).phone("+79161112233"));
        for (index, knock) in knocks.iter().enumerate() {
            world.feed(knock.clone());
            let at = secs(index as i64 * 10 * DAY + HOUR);
            world.feed(close(&format!("close {index}"), at, knock.lead()));
        }
        let repeat = world.lead(knocks[2].lead()).repeat.unwrap();
        assert_eq!((repeat.of, repeat.prior_leads, repeat.days_since_last), (knocks[1].lead(), 2, 9));
    }
}

#[test]
fn repeats_can_be_switched_off() {
    for mut world in worlds(&Rules { repeats: false, ..rules() }) {
        let first = form("first", secs(0)).phone("+79161112233");
        world.feed(first.clone());
        world.feed(close("close", secs(HOUR), first.lead()));
        let second = form("second", secs(3 * DAY)).phone("+79161112233");
        assert_eq!(world.feed(second.clone()), Verdict::Lead);
        assert_eq!(world.lead(second.lead()).repeat, None);
    }
}

#[test]
fn nobody_without_an_identity_is_anybodys_duplicate() {
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(form("one", secs(0)).phone("8 (9I2) 3O5")), Verdict::Lead);
        assert_eq!(world.feed(form("two", secs(1)).phone("8 (9I2) 3O5")), Verdict::Lead);
        for lead in world.leads() {
            assert!(lead.flags.contains("no_contact") && lead.flags.contains("invalid_phone"));
            assert_eq!(lead.attributes["phone_text"], "8 (9I2) 3O5");
        }
    }
}

#[test]
fn a_lead_without_activity_expires_and_a_duplicate_is_activity() {
    for mut world in worlds(&rules()) {
        world.feed(form("first", secs(0)).phone("+79161112233"));
        world.feed(form("second", secs(20 * DAY)).phone("+79161112233"));
        world.wait_until(secs(50 * DAY - 1));
        assert!(world.only_lead().is_open());
        world.wait_until(secs(50 * DAY));
        let lead = world.only_lead();
        assert_eq!((lead.outcome, lead.closed_at), (Some(CloseAs::Expired), Some(secs(50 * DAY))));
        assert_eq!(world.said_of(lead.id).last(), Some(&"closed"));
        assert!(world.timers.is_empty());
    }
}

#[test]
fn what_paid_for_a_lead_has_a_bound_however_often_it_is_said_otherwise() {
    for mut world in worlds(&rules()) {
        for n in 0..40 {
            let name = |i: usize| format!("utm_x{n}_{i}");
            let said = (0..20).map(|i| (name(i), "v".repeat(1_000)));
            let touch = form(&format!("post {n}"), secs(n)).phone("+79161112233");
            world.feed(touch.touch(|touch| touch.campaign = said.collect()));
        }
        let campaign = world.only_lead().campaign;
        let size: usize = campaign.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!((1..=Lead::MOST_CAMPAIGN).contains(&size), "{size}");
    }
}
