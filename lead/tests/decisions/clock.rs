//! When must somebody have answered, and what happens when nobody did?

use crate::world::{Knock, World, call, command, feedback, form, reply, rules, secs, worlds};
use lead::calendar::Calendar;
use lead::changes::Measure;
use lead::entry::{CloseAs, Order, Outcome, Stage};
use lead::ids::LeadId;
use lead::rules::Rules;
use lead::time::At;
use std::time::Duration;

const MAIL: &str = "a@example.com";

fn knock() -> Knock {
    form("knock", secs(0)).email(MAIL)
}

fn said_at(world: &World, kind: &str) -> Vec<String> {
    world.events_of(kind).iter().map(|said| said.json["time"].as_str().unwrap().to_owned()).collect()
}

fn contact(name: &str, heard: At, at: At, lead: LeadId) -> Knock {
    feedback(name, at, lead, Outcome::Contact).heard(heard)
}

#[test]
fn two_warnings_and_one_breach_come_at_their_moments_and_only_once() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.wait_until(secs(86_400));
        assert_eq!(said_at(&world, "lead.sla_warning"), [secs(450).to_string(), secs(720).to_string()]);
        assert_eq!(said_at(&world, "lead.sla_breached"), [secs(900).to_string()]);
        let percents: Vec<_> = world
            .events_of("lead.sla_warning")
            .iter()
            .map(|said| said.json["data"]["change"]["percent"].clone())
            .collect();
        assert_eq!(percents, [50, 80]);
        assert_eq!(world.measures.iter().filter(|one| matches!(one, Measure::Breached { .. })).count(), 1);
        assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)));
    }
}

#[test]
fn the_deadline_is_counted_in_business_time() {
    let week = ["mon-fri 09:00-13:00 14:00-19:00".to_owned()];
    let rules = Rules { calendar: Calendar::parse("Europe/Moscow", &week, &[]).unwrap(), ..rules() };
    for (name, at, due) in [
        ("in the morning", "2026-11-23T10:00:00+03:00", "2026-11-23T10:15:00+03:00"),
        ("before lunch", "2026-11-23T12:50:00+03:00", "2026-11-23T14:05:00+03:00"),
        ("at night", "2026-11-23T23:00:00+03:00", "2026-11-24T09:15:00+03:00"),
        ("on Friday evening", "2026-11-27T18:50:00+03:00", "2026-11-30T09:05:00+03:00"),
    ] {
        for mut world in worlds(&rules) {
            let due = At::parse(due).unwrap();
            world.feed(knock().heard(At::parse(at).unwrap()));
            assert_eq!(world.only_lead().sla.unwrap().due_at, due, "{name}");
            world.wait_until(due);
            assert_eq!(said_at(&world, "lead.sla_breached"), [due.to_string()], "{name}");
        }
    }
}

#[test]
fn the_count_starts_at_the_earlier_clock_where_that_is_plausible() {
    for (occurred, start) in [(-40, -40), (0, 0), (30, 0), (-47 * 3_600, -47 * 3_600), (-49 * 3_600, 0)] {
        for mut world in worlds(&rules()) {
            world.feed(knock().occurred(secs(occurred)));
            let lead = world.only_lead();
            assert_eq!((lead.start(), lead.occurred_at), (secs(start), Some(secs(occurred))), "{occurred}");
            assert_eq!(lead.sla.unwrap().due_at, secs(start + 900), "{occurred}");
        }
    }
}

#[test]
fn a_late_contact_stays_breached() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(reply("answer", secs(1_000), MAIL, Some("anna")));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.sla.unwrap().breached_at), (Some(secs(1_000)), Some(secs(900))));
        assert_eq!(world.said_of(lead.id), ["created", "sla_warning", "sla_warning", "sla_breached", "contacted"]);
    }
}

#[test]
fn a_contact_heard_of_late_but_made_in_time_takes_the_breach_back() {
    for (made, breached) in [(600, None), (900, None), (901, Some(secs(900)))] {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            world.wait_until(secs(2_000));
            world.feed(contact("crm", secs(2_000), secs(made), knock().lead()));
            let lead = world.only_lead();
            assert_eq!((lead.contacted_at, lead.sla.unwrap().breached_at), (Some(secs(made)), breached), "{made}");
            let corrected = world.events_of("lead.corrected").len();
            assert_eq!(corrected, usize::from(breached.is_none()), "{made}");
        }
    }
}

#[test]
fn an_earlier_contact_learned_later_corrects_the_first() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(contact("late", secs(1_000), secs(950), knock().lead()));
        world.feed(contact("earlier", secs(1_100), secs(300), knock().lead()));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.sla.unwrap().breached_at), (Some(secs(300)), None));
        assert_eq!(world.events_of("lead.contacted").len(), 1);
        let change = &world.last_event("lead.corrected").json["data"]["change"];
        assert_eq!(change["contacted_at"]["is"], secs(300).to_string());
        assert_eq!(change["sla.breached_at"]["was"], secs(900).to_string());
        world.feed(contact("later", secs(1_200), secs(400), knock().lead()));
        assert_eq!(world.only_lead().contacted_at, Some(secs(300)));
    }
}

#[test]
fn a_contact_exactly_at_the_deadline_is_in_time() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(contact("crm", secs(899), secs(899), knock().lead()));
        world.wait_until(secs(5_000));
        assert!(world.events_of("lead.sla_breached").is_empty());
    }
}

#[test]
fn a_deadline_that_passed_is_breached_even_when_the_answer_is_decided_before_its_timer() {
    let closed = Outcome::Stage { stage: Stage::Rejected, reason: None };
    for late in [reply("late", secs(1_000), MAIL, Some("anna")), feedback("late", secs(1_000), knock().lead(), closed)]
    {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            world.feed_before_timers(late.clone());
            world.wait_until(secs(5_000));
            assert_eq!(world.only_lead().sla.unwrap().breached_at, Some(secs(900)));
            assert_eq!(world.events_of("lead.sla_breached").len(), 1);
        }
    }
}

#[test]
fn neither_a_new_owner_nor_a_new_stage_moves_the_deadline() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        let lead = knock().lead();
        world.feed(command("give", secs(10), Order::Reassign { lead, person: "anna".into(), reason: "asked".into() }));
        world.feed(feedback("stage", secs(20), lead, Outcome::Stage { stage: Stage::Contacted, reason: None }));
        world.feed(feedback("attempt", secs(30), lead, Outcome::Attempt));
        world.wait_until(secs(900));
        let lead = world.only_lead();
        assert_eq!((lead.contacted_at, lead.sla.unwrap().breached_at), (None, Some(secs(900))));
    }
}

#[test]
fn time_to_first_contact_is_measured_once_in_wall_and_business_time() {
    let week = ["mon-fri 10:05-19:00".to_owned()];
    let rules = Rules { calendar: Calendar::parse("Europe/Moscow", &week, &[]).unwrap(), ..rules() };
    for mut world in worlds(&rules) {
        world.feed(knock());
        world.feed(reply("answer", secs(600), MAIL, Some("anna")));
        world.feed(reply("more", secs(700), MAIL, Some("anna")));
        let measured: Vec<_> =
            world.measures.iter().filter(|one| matches!(one, Measure::FirstContact { .. })).cloned().collect();
        let (wall, business) = (Duration::from_secs(600), Duration::from_secs(300));
        assert_eq!(measured, [Measure::FirstContact { channel: "site".into(), wall, business }]);
    }
}

#[test]
fn an_answer_is_never_below_zero_seconds() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(reply("answer", secs(5), MAIL, Some("anna")).occurred(secs(-60)));
        let lead = world.only_lead();
        assert_eq!(lead.contacted_at, Some(lead.start()));
    }
}

#[test]
fn what_was_written_before_the_customer_knocked_is_no_answer_to_him() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(reply("older", secs(5), MAIL, Some("anna")).occurred(secs(-3_600)));
        assert_eq!(world.only_lead().contacted_at, None);
    }
}

#[test]
fn closing_a_lead_that_nobody_has_answered_does_not_stop_its_clock() {
    let closed = |outcome| Outcome::Closed { outcome, reason: None, value: None };
    for (answered, breached) in [(false, Some(secs(900))), (true, None)] {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            let lead = world.only_lead().id;
            if answered {
                world.feed(feedback("spoke", secs(60), lead, Outcome::Contact));
            }
            world.feed(feedback("no", secs(120), lead, closed(CloseAs::Rejected)));
            world.wait_until(secs(1_000));
            assert_eq!(world.only_lead().sla.unwrap().breached_at, breached);
            assert_eq!(world.events_of("lead.sla_breached").len(), usize::from(!answered));
        }
    }
}

#[test]
fn a_lead_is_measured_once_though_its_contact_is_taken_back_and_comes_again() {
    for mut world in worlds(&rules()) {
        let line = call("c1", Some("+79161112233"));
        world.feed(line.ringing(secs(0)));
        world.feed(line.bridged(secs(5), "101"));
        world.wait_until(secs(60));
        world.feed(line.ended(secs(61), Some(1)));
        assert_eq!(world.only_lead().contacted_at, None);
        let lead = world.only_lead().id;
        world.feed(feedback("spoke", secs(100), lead, Outcome::Contact));
        assert_eq!(world.only_lead().contacted_at, Some(secs(100)));
        let counted = world.measures.iter().filter(|one| matches!(one, Measure::FirstContact { .. })).count();
        assert_eq!(counted, 1);
    }
}

#[test]
fn an_earlier_attempt_that_is_told_later_corrects() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        let lead = world.only_lead().id;
        let attempt =
            |name: &str, at: i64, said: i64| feedback(name, secs(said), lead, Outcome::Attempt).heard(secs(at));
        world.feed(attempt("second", 60, 60));
        world.feed(attempt("first", 90, 30));
        assert_eq!(world.only_lead().attempted_at, Some(secs(30)));
        assert_eq!(
            world.last_event("lead.corrected").json["data"]["change"]["attempted_at"]["is"],
            secs(30).to_string()
        );
    }
}
