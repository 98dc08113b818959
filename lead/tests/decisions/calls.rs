//! What does one event of a call change, in whatever order the events come?

use crate::world::{Knock, Mode, Phone, World, call, form, rules, secs, somebody, worlds};
use lead::books::Verdict;
use lead::entry::{AnsweredBy, Stage};
use lead::state::Lead;

const PHONE: &str = "+79161112233";

fn line() -> Phone {
    call("c1", Some(PHONE))
}

#[test]
fn a_voice_menu_or_a_machine_never_stops_the_clock() {
    for by in [AnsweredBy::Machine, AnsweredBy::Unknown] {
        for mut world in worlds(&rules()) {
            world.feed(line().ringing(secs(0)));
            world.feed(line().answered(secs(1), by));
            world.feed(line().ended(secs(120), Some(119)));
            let lead = world.only_lead();
            assert_eq!((lead.contacted_at, lead.stage), (None, Stage::New), "{by:?}");
            let seen = lead.call.unwrap();
            assert_eq!((seen.answered_by, seen.talk_s), (Some(by), 0), "{by:?}");
            world.wait_until(secs(900));
            assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)), "{by:?}");
        }
    }
}

#[test]
fn a_call_bridged_to_a_person_stops_the_clock_at_that_instant_and_is_his() {
    for mut world in worlds(&rules()) {
        world.feed(line().ringing(secs(0)));
        world.feed(line().answered(secs(1), AnsweredBy::Machine));
        world.feed(line().bridged(secs(8), "102"));
        assert_eq!(world.only_lead().contacted_at, None, "not yet long enough");
        world.feed(line().ended(secs(68), Some(60)));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.contacted_by.as_deref()), (Some(secs(8)), Some("anna")));
        assert_eq!((lead.owner, lead.stage), (somebody("anna"), Stage::Contacted));
        let change = &world.last_event("lead.contacted").json["data"]["change"];
        assert_eq!((change["via"].as_str(), change["by"].as_str()), (Some("inbound_call"), Some("anna")));
        world.wait_until(secs(3_600));
        assert!(world.events_of("lead.sla_breached").is_empty());
    }
}

#[test]
fn the_talk_is_long_enough_from_ten_seconds_on() {
    for (talk_s, end, contact) in
        [(Some(9), 100, false), (Some(10), 100, true), (Some(0), 100, false), (None, 17, false), (None, 18, true)]
    {
        for mut world in worlds(&rules()) {
            world.feed(line().ringing(secs(0)));
            world.feed(line().bridged(secs(8), "101").heard(secs(9)));
            world.feed(line().ended(secs(end), talk_s).heard(secs(end.max(9))));
            let lead = world.only_lead();
            assert_eq!(lead.contacted_at, contact.then(|| secs(8)), "{talk_s:?} ended at {end}");
            assert_eq!(lead.owner, somebody("ivan"), "who spoke has it, however short");
        }
    }
}

#[test]
fn a_talk_that_still_goes_on_is_proven_by_time() {
    for mut world in worlds(&rules()) {
        world.feed(line().ringing(secs(0)));
        world.feed(line().bridged(secs(8), "101"));
        world.wait_until(secs(17));
        assert_eq!(world.only_lead().contacted_at, None);
        world.wait_until(secs(18));
        assert_eq!(world.only_lead().contacted_at, Some(secs(8)));
        assert_eq!(world.last_event("lead.contacted").json["time"], secs(18).to_string());
        world.feed(line().ended(secs(60), Some(52)));
        assert_eq!(world.events_of("lead.contacted").len(), 1);
    }
}

#[test]
fn a_talk_heard_to_have_been_too_short_after_all_is_taken_back_and_the_clock_runs_on() {
    for mut world in worlds(&rules()) {
        world.feed(line().ringing(secs(0)));
        world.feed(line().bridged(secs(8), "101"));
        world.wait_until(secs(18));
        world.feed(line().ended(secs(11), None).heard(secs(40)));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.contacted_by, lead.stage), (None, None, Stage::New));
        let change = &world.last_event("lead.corrected").json["data"]["change"]["contacted_at"];
        assert_eq!((change["was"].as_str(), change["is"].as_str()), (Some(secs(8).to_string().as_str()), None));
        world.wait_until(secs(900));
        assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)));
    }
}

#[test]
fn a_missed_call_opens_the_clock_and_the_client_getting_through_later_closes_it() {
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(line().ringing(secs(0))), Verdict::Lead);
        world.feed(line().ended(secs(30), None));
        assert_eq!(world.only_lead().contacted_at, None);
        let second = call("c2", Some(PHONE));
        assert_eq!(world.feed(second.ringing(secs(300))), Verdict::Duplicate);
        world.feed(second.bridged(secs(305), "102"));
        world.feed(second.ended(secs(400), Some(95)));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.contacted_by.as_deref()), (Some(secs(305)), Some("client")));
        assert_eq!((lead.owner, lead.touches), (somebody("anna"), 2));
    }
}

#[test]
fn an_outbound_call_is_an_attempt_and_once_answered_a_contact() {
    for (answered, contact) in [(true, true), (false, false)] {
        for mut world in worlds(&rules()) {
            let knock = form("knock", secs(0)).phone(PHONE);
            world.feed(knock.clone());
            let out = line().outbound();
            assert_eq!(world.feed(out.ringing(secs(60))), Verdict::Update);
            assert_eq!(world.only_lead().stage, Stage::Attempting);
            if answered {
                world.feed(out.bridged(secs(75), "101"));
            }
            world.feed(out.ended(secs(100), answered.then_some(25)));
            let lead = world.only_lead();
            assert_eq!(lead.attempted_at, Some(secs(60)));
            assert_eq!(lead.contacted_at, contact.then(|| secs(75)));
            assert_eq!(lead.contacted_by, contact.then(|| "ivan".to_owned()));
            assert_eq!(lead.touches, 1, "our own call is no touch");
        }
    }
}

/// What of a lead may not depend on the order in which the events came.
fn essence(lead: &Lead) -> impl PartialEq + std::fmt::Debug + use<> {
    let sla = lead.sla.as_ref().map(|sla| (sla.due_at, sla.breached_at));
    let contact = (lead.attempted_at, lead.contacted_at, lead.contacted_by.clone());
    (lead.call.clone(), lead.owner.clone(), lead.stage, lead.start(), sla, contact, lead.proof, lead.flags.clone())
}

fn permutations(events: &[Knock]) -> Vec<Vec<Knock>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for index in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(index);
        all.extend(permutations(&rest).into_iter().map(|tail| [vec![first.clone()], tail].concat()));
    }
    all
}

#[test]
fn every_order_of_the_events_of_a_call_ends_in_the_same_lead() {
    let line = line();
    let (ringing, menu, recorded) =
        (line.ringing(secs(0)), line.answered(secs(1), AnsweredBy::Machine), line.recorded(secs(70)));
    for (name, events) in [
        (
            "answered",
            vec![
                ringing.clone(),
                menu.clone(),
                line.bridged(secs(8), "102"),
                line.ended(secs(68), Some(60)),
                recorded.clone(),
            ],
        ),
        (
            "short",
            vec![
                ringing.clone(),
                menu.clone(),
                line.bridged(secs(8), "102"),
                line.ended(secs(12), None),
                recorded.clone(),
            ],
        ),
        (
            "short by the provider's word",
            vec![ringing.clone(), line.bridged(secs(8), "102"), line.ended(secs(68), Some(3))],
        ),
        ("missed", vec![ringing.clone(), menu, line.ended(secs(60), Some(0)), recorded]),
        ("no talk time", vec![ringing.clone(), line.bridged(secs(8), "somebody"), line.ended(secs(68), None)]),
        ("odd", vec![ringing, line.bridged(secs(8), "102"), line.ended(secs(8), Some(0))]),
    ] {
        for apart in [0, 1, 30] {
            let ends = permutations(&events).into_iter().map(|order| {
                let mut world = World::new(rules(), Mode::Batch(1_000));
                for (index, event) in order.into_iter().enumerate() {
                    world.feed(event.heard(secs(100 + apart * index as i64)));
                }
                world.wait_until(secs(600));
                essence(&world.only_lead())
            });
            let ends: Vec<_> = ends.collect();
            for end in &ends {
                assert_eq!(*end, ends[0], "{name}, heard {apart} s apart");
            }
        }
    }
}

#[test]
fn a_call_without_a_number_is_a_lead_too() {
    for number in [None, Some("anonymous"), Some("Unavailable")] {
        for mut world in worlds(&rules()) {
            assert_eq!(world.feed(call("c1", number).ringing(secs(0))), Verdict::Lead);
            assert!(world.only_lead().flags.contains("no_contact"), "{number:?}");
        }
    }
}

const EIGHT_HOURS: i64 = 8 * 3_600;

#[test]
fn a_call_whose_times_cannot_be_or_hardly_counts_and_is_flagged() {
    let line = line();
    let (rang, spoke) = (line.ringing(secs(5)), line.bridged(secs(8), "102"));
    for (name, events, flagged) in [
        ("a talk", vec![rang.clone(), spoke.clone(), line.ended(secs(68), Some(60))], false),
        ("a talk without its length", vec![rang.clone(), spoke.clone(), line.ended(secs(68), None)], false),
        ("still talking", vec![rang.clone(), spoke.clone()], false),
        ("missed", vec![rang.clone(), line.ended(secs(30), Some(0))], false),
        ("missed at once", vec![rang.clone(), line.ended(secs(5), None)], false),
        ("eight hours", vec![rang.clone(), spoke.clone(), line.ended(secs(8 + EIGHT_HOURS), None)], false),
        ("an end alone", vec![line.ended(secs(30), None)], true),
        ("an end and a recording", vec![line.ended(secs(30), None), line.recorded(secs(40))], true),
        ("an end before the start", vec![rang.clone(), line.ended(secs(4), None).heard(secs(9))], true),
        ("a talk of no time", vec![rang.clone(), spoke.clone(), line.ended(secs(20), Some(0))], true),
        ("answered and ended in one", vec![rang.clone(), spoke.clone(), line.ended(secs(8), None)], true),
        ("a line left open", vec![rang.clone(), spoke.clone(), line.ended(secs(9 + EIGHT_HOURS), None)], true),
        ("by the provider's word", vec![rang, spoke, line.ended(secs(68), Some(EIGHT_HOURS as u32 + 1))], true),
    ] {
        for mut world in worlds(&rules()) {
            for event in &events {
                world.feed(event.clone());
            }
            let flags = world.only_lead().flags;
            assert_eq!(flags.contains("odd_times"), flagged, "{name}: {flags:?}");
        }
    }
}

#[test]
fn a_late_beginning_explains_an_end_and_another_call_does_not() {
    for mut world in worlds(&rules()) {
        let line = line();
        world.feed(line.ended(secs(30), None));
        world.feed(call("c2", Some(PHONE)).ringing(secs(40)));
        world.feed(call("c2", Some(PHONE)).ended(secs(50), None));
        assert!(world.only_lead().flags.contains("odd_times"));
        world.feed(line.ringing(secs(0)).heard(secs(60)));
        assert!(!world.only_lead().flags.contains("odd_times"));
    }
}

#[test]
fn a_call_of_ours_with_odd_times_is_told_on_the_lead_it_was_for() {
    for first in [true, false] {
        for mut world in worlds(&rules()) {
            let (knock, out) = (form("knock", secs(if first { 0 } else { 9 })).phone(PHONE), line().outbound());
            if first {
                world.feed(knock.clone());
            }
            world.feed(out.ended(secs(5), None));
            if !first {
                world.feed(knock);
            }
            assert!(world.only_lead().flags.contains("odd_times"), "the lead came first: {first}");
        }
    }
}
