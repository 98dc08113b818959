//! What do replies and a consumer's words change, and what if they come before their lead?

use crate::world::{Knock, call, feedback, form, reply, rules, secs, somebody, worlds};
use lead::books::Verdict;
use lead::entry::{CloseAs, Outcome, Stage};
use lead::rules::Rules;

const MAIL: &str = "a@example.com";
const PHONE: &str = "+79161112233";
const HOUR: i64 = 3_600;

fn knock() -> Knock {
    form("knock", secs(0)).email(MAIL).phone(PHONE)
}

fn closed(outcome: CloseAs, value: Option<f64>) -> Outcome {
    Outcome::Closed { outcome, reason: Some("price".into()), value }
}

fn stage(stage: Stage) -> Outcome {
    Outcome::Stage { stage, reason: Some("price".into()) }
}

#[test]
fn a_reply_of_a_person_is_the_first_contact_and_his() {
    for (said, by) in [("anna", "anna"), ("101", "ivan"), ("Somebody Else", "staff")] {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            assert_eq!(world.feed(reply("answer", secs(60), "A@Example.com", Some(said))), Verdict::Update);
            let lead = world.only_lead();
            assert_eq!((lead.contacted_at, lead.contacted_by.as_deref()), (Some(secs(60)), Some(by)));
            assert_eq!((lead.attempted_at, lead.stage), (Some(secs(60)), Stage::Contacted));
        }
    }
}

#[test]
fn a_waiting_lead_goes_to_who_answered_it_and_otherwise_keeps_its_place() {
    for (said, owner) in [("anna", somebody("anna")), ("Somebody Else", None)] {
        let mut rules = rules();
        rules.people.iter_mut().for_each(|person| person.capacity = Some(0));
        for mut world in worlds(&rules) {
            world.feed(knock());
            world.feed(reply("answer", secs(60), MAIL, Some(said)));
            let lead = world.only_lead();
            assert_eq!(lead.contacted_at, Some(secs(60)));
            assert_eq!(world.waiting().is_empty(), owner.is_some());
            assert_eq!(lead.owner, owner);
        }
    }
}

/// What is said, the events it makes after `created`, the stage it leaves.
fn words() -> Vec<(Outcome, &'static [&'static str], Stage)> {
    vec![
        (Outcome::Attempt, &["attempted"], Stage::Attempting),
        (Outcome::Contact, &["contacted"], Stage::Contacted),
        (stage(Stage::NoAnswer), &["stage_changed"], Stage::NoAnswer),
        (stage(Stage::Qualified), &["stage_changed"], Stage::Qualified),
        (stage(Stage::New), &[], Stage::New),
        (stage(Stage::Converted), &["closed"], Stage::Converted),
        (stage(Stage::Rejected), &["closed"], Stage::Rejected),
        (closed(CloseAs::Converted, Some(9.5)), &["closed"], Stage::Converted),
        (closed(CloseAs::Rejected, None), &["closed"], Stage::Rejected),
        (closed(CloseAs::Expired, None), &["closed"], Stage::New),
    ]
}

#[test]
fn a_consumers_word_does_what_it_says() {
    for (what, events, stage) in words() {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            assert_eq!(world.feed(feedback("word", secs(60), knock().lead(), what.clone())), Verdict::Update);
            let lead = world.only_lead();
            assert_eq!(world.said_of(lead.id)[1..], *events, "{what:?}");
            assert_eq!(lead.stage, stage, "{what:?}");
            assert_eq!(lead.is_open(), !events.contains(&"closed"), "{what:?}");
            assert_eq!(lead.contacted_at.is_some(), matches!(what, Outcome::Contact), "{what:?}");
        }
    }
}

#[test]
fn a_word_about_a_closed_lead_corrects_it_and_never_opens_it() {
    for (what, corrects) in [
        (Outcome::Attempt, true),
        (Outcome::Contact, true),
        (closed(CloseAs::Converted, Some(100.0)), true),
        (closed(CloseAs::Rejected, Some(1.0)), true),
        (stage(Stage::Converted), true),
        (stage(Stage::Qualified), false),
        (closed(CloseAs::Rejected, None), false),
    ] {
        for mut world in worlds(&rules()) {
            world.feed(knock());
            world.feed(feedback("close", secs(60), knock().lead(), closed(CloseAs::Rejected, None)));
            assert_eq!(world.feed(feedback("word", secs(90), knock().lead(), what.clone())), Verdict::Update);
            let lead = world.only_lead();
            assert!(!lead.is_open(), "{what:?}");
            let expected: &[&str] = if corrects { &["created", "closed", "corrected"] } else { &["created", "closed"] };
            assert_eq!(world.said_of(lead.id), expected, "{what:?}");
            let stage = if lead.outcome == Some(CloseAs::Converted) { Stage::Converted } else { Stage::Rejected };
            assert_eq!(lead.stage, stage, "{what:?}");
        }
    }
}

#[test]
fn a_consumer_whose_clock_runs_ahead_speaks_of_now() {
    for mut world in worlds(&rules()) {
        world.feed(knock());
        world.feed(feedback("word", secs(9_000), knock().lead(), Outcome::Contact).heard(secs(60)));
        assert_eq!(world.only_lead().contacted_at, Some(secs(60)));
    }
}

/// Facts about the knock, all heard of before it, and done after it.
fn facts() -> Vec<(&'static str, Vec<Knock>)> {
    let out = call("c9", Some(PHONE)).outbound();
    vec![
        ("reply", vec![reply("answer", secs(60), MAIL, Some("anna"))]),
        ("call", vec![out.ringing(secs(60)), out.bridged(secs(60), "102"), out.ended(secs(99), Some(39))]),
        ("feedback", vec![feedback("word", secs(60), knock().lead(), Outcome::Contact)]),
    ]
}

#[test]
fn a_fact_heard_of_before_its_lead_waits_and_is_booked_anew() {
    for (name, facts) in facts() {
        for mut world in worlds(&rules()) {
            let count = i64::try_from(facts.len()).unwrap();
            for fact in &facts {
                assert_eq!(world.feed(fact.clone()), Verdict::Unmatched, "{name}");
            }
            assert_eq!(world.books(), [("unmatched", count)], "{name}");
            world.feed(knock());
            assert_eq!(world.books(), [("lead", 1), ("update", count)], "{name}");
            assert_eq!(world.only_lead().contacted_at, Some(secs(60)), "{name}");
            let said = world.said_of(knock().lead());
            assert_eq!((said[0], said.contains(&"contacted")), ("created", true), "{name}");
        }
    }
}

#[test]
fn a_fact_waits_as_long_as_the_rules_say_and_then_stays_unmatched() {
    for (later, verdict) in [(48 * HOUR - 1, "update"), (48 * HOUR, "unmatched")] {
        for mut world in worlds(&rules()) {
            world.feed(reply("answer", secs(60), MAIL, Some("anna")));
            world.feed(knock().heard(secs(60 + later)).occurred(secs(60)));
            assert_eq!(world.books(), [("lead", 1), (verdict, 1)], "{later}");
        }
    }
}

#[test]
fn what_was_done_long_before_the_knock_stays_unmatched() {
    for (before, verdict) in [(60, "update"), (300, "update"), (301, "unmatched"), (20 * HOUR, "unmatched")] {
        for mut world in worlds(&rules()) {
            world.feed(reply("answer", secs(-before), MAIL, Some("anna")));
            world.feed(knock());
            assert_eq!(world.books(), [("lead", 1), (verdict, 1)], "{before} s before");
            assert_eq!(world.only_lead().contacted_at.is_some(), verdict == "update", "{before} s before");
        }
    }
}

#[test]
fn a_fact_waits_for_any_identity_of_its_person() {
    for mut world in worlds(&rules()) {
        let first = form("first", secs(-10 * HOUR)).email(MAIL).phone(PHONE);
        world.feed(first.clone());
        world.feed(feedback("close", secs(-9 * HOUR), first.lead(), closed(CloseAs::Rejected, None)));
        world.feed(reply("answer", secs(60), MAIL, Some("anna")));
        world.rules = Rules { duplicate_window: std::time::Duration::from_hours(1), ..world.rules };
        let second = form("second", secs(0)).phone(PHONE);
        world.feed(second.clone());
        assert_eq!(world.lead(second.lead()).contacted_at, Some(secs(60)));
    }
}

#[test]
fn a_fact_that_waits_is_found_by_a_lead_that_learns_the_identity_later() {
    for mut world in worlds(&rules()) {
        let first = form("first", secs(0)).phone(PHONE);
        world.feed(first.clone());
        assert_eq!(world.feed(reply("answer", secs(60), MAIL, Some("anna"))), Verdict::Unmatched);
        assert_eq!(world.feed(form("second", secs(90)).phone(PHONE).email(MAIL)), Verdict::Duplicate);
        assert_eq!(world.only_lead().contacted_at, Some(secs(60)));
        assert_eq!(world.books(), [("lead", 1), ("duplicate", 1), ("update", 1)]);
    }
}

#[test]
fn a_fact_about_nobody_is_unmatched_and_waits_for_nobody() {
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(reply("answer", secs(0), "no-reply@shop.example", None)), Verdict::Unmatched);
        assert_eq!(world.floor().unmatched_at, None);
    }
}
