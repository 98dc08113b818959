//! What stands apart from people's work: synthetic touches, commands, what cannot be read or decided.

use crate::world::{call, command, feedback, form, rules, secs, somebody, worlds};
use lead::books::Verdict;
use lead::changes::{AsideKind, Measure};
use lead::entry::{Order, Outcome, Signal, Synthetic, Unreadable};

const PHONE: &str = "+79161112233";

#[test]
fn a_technical_touch_stays_out_of_load_queue_clock_and_statistics() {
    for mut world in worlds(&rules()) {
        let probe = form("probe", secs(0)).phone(PHONE).synthetic(Synthetic::Technical);
        assert_eq!(world.feed(probe.clone()), Verdict::Synthetic);
        let lead = world.lead(probe.lead());
        assert_eq!((lead.owner, lead.sla, lead.queued_at), (None, None, None));
        assert_eq!(world.said_of(lead.id), ["created"], "it travels the whole way");
        world.feed(command(
            "give",
            secs(1),
            Order::Reassign { lead: lead.id, person: "anna".into(), reason: "x".into() },
        ));
        assert_eq!(world.lead(lead.id).owner, None, "nobody is bothered with it");
        assert!(world.floor().loads.is_empty() && world.measures.is_empty());
        world.wait_until(secs(86_400));
        assert!(!world.lead(lead.id).is_open());
        assert_eq!(world.said_of(lead.id), ["created"], "and leaves without a word");
        assert_eq!(world.feed(form("real", secs(86_401)).phone(PHONE)), Verdict::Lead);
        assert_eq!(world.leads().iter().filter(|lead| lead.repeat.is_some()).count(), 0);
    }
}

#[test]
fn a_technical_call_that_somebody_answered_is_nobodys_work() {
    for mut world in worlds(&rules()) {
        let line = call("probe", Some(PHONE));
        world.feed(line.ringing(secs(0)).synthetic(Synthetic::Technical));
        world.feed(line.bridged(secs(5), "101").synthetic(Synthetic::Technical));
        world.feed(line.ended(secs(65), Some(60)).synthetic(Synthetic::Technical));
        let lead = world.only_lead();
        assert_eq!((lead.owner, lead.contacted_at, lead.proof), (None, None, None));
        assert!(world.measures.is_empty() && world.floor().loads.is_empty());
    }
}

#[test]
fn a_shopper_reaches_people_and_no_statistics() {
    for mut world in worlds(&rules()) {
        let shopper = form("shopper", secs(0)).phone(PHONE).synthetic(Synthetic::Shopper);
        assert_eq!(world.feed(shopper.clone()), Verdict::Synthetic);
        assert_eq!(world.only_lead().owner, somebody("ivan"));
        world.wait_until(secs(900));
        assert!(world.only_lead().sla.unwrap().breached_at.is_some());
        world.feed(feedback("spoke", secs(1_000), shopper.lead(), Outcome::Contact));
        assert!(world.measures.is_empty() && world.floor().loads.values().all(|load| *load == 0));
    }
}

#[test]
fn a_customer_and_a_test_with_one_number_stay_two() {
    let test = || form("shopper", secs(0)).phone(PHONE).synthetic(Synthetic::Shopper);
    for mut world in worlds(&rules()) {
        world.feed(test());
        assert_eq!(world.feed(form("customer", secs(60)).phone(PHONE)), Verdict::Lead);
        assert_eq!(world.feed(form("customer again", secs(120)).phone(PHONE)), Verdict::Duplicate);
        let touches: Vec<_> = world.leads().iter().map(|lead| (lead.synthetic.is_some(), lead.touches)).collect();
        assert!(touches.contains(&(false, 2)) && touches.contains(&(true, 1)), "{touches:?}");
    }
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(form("customer", secs(60)).phone(PHONE)), Verdict::Lead);
        assert_eq!(world.feed(test()), Verdict::Synthetic);
        let touches: Vec<_> = world.leads().iter().map(|lead| (lead.synthetic.is_some(), lead.touches)).collect();
        assert!(touches.contains(&(false, 1)) && touches.contains(&(true, 1)), "{touches:?}");
    }
}

#[test]
fn a_command_is_booked_as_one_even_when_it_changes_nothing() {
    let nobody = form("nobody", secs(0)).lead();
    for order in [
        Order::Include { matcher: "phone:+79161112233".into() },
        Order::Presence { person: "nobody".into(), present: true },
        Order::Reassign { lead: nobody, person: "anna".into(), reason: "x".into() },
    ] {
        for mut world in worlds(&rules()) {
            assert_eq!(world.feed(command("order", secs(0), order.clone())), Verdict::Command);
            assert!(world.events.is_empty() && world.leads().is_empty());
        }
    }
}

#[test]
fn a_lead_is_given_by_hand_to_people_who_exist_only() {
    for (person, owner, said) in [("anna", "anna", 1), ("ivan", "ivan", 0), ("nobody", "ivan", 0)] {
        for mut world in worlds(&rules()) {
            let knock = form("knock", secs(0)).phone(PHONE);
            world.feed(knock.clone());
            let order = Order::Reassign { lead: knock.lead(), person: person.into(), reason: "x".into() };
            world.feed(command("order", secs(10), order));
            assert_eq!(world.only_lead().owner, somebody(owner));
            assert_eq!(world.events_of("lead.assigned").len(), said);
            assert_eq!(world.only_lead().owner_at_arrival, somebody("ivan"));
        }
    }
}

#[test]
fn a_request_nobody_can_read_is_quarantined_with_the_reason() {
    for mut world in worlds(&rules()) {
        let mut entry: lead::entry::Entry = form("odd", secs(0)).into();
        entry.signal = Signal::Unreadable(Unreadable { reason: "not JSON".into(), content_type: None, rest: None });
        assert_eq!(world.feed(entry), Verdict::Quarantined);
        assert_eq!((world.asides[0].kind, world.asides[0].reason.as_str()), (AsideKind::Quarantined, "not JSON"));
        assert!(world.leads().is_empty());
    }
}

#[test]
fn what_cannot_be_decided_is_buried_with_its_attempts() {
    for mut world in worlds(&rules()) {
        let changes = world.bury(form("poison", secs(0)), "it panics");
        let aside = changes.aside.unwrap();
        assert_eq!((aside.kind, aside.reason.as_str(), aside.attempts), (AsideKind::Dead, "it panics", 4));
        assert!(changes.events.is_empty());
        world.commit();
        assert_eq!(world.books(), [("dead", 1)]);
        // The provider's own second try is recognised, not tried again.
        assert_eq!(world.feed(form("poison", secs(1))), Verdict::Redelivered);
    }
}

#[test]
fn an_assignment_is_measured_with_its_rule() {
    for mut world in worlds(&rules()) {
        world.feed(form("knock", secs(0)).phone(PHONE));
        let person = somebody("ivan");
        assert_eq!(world.measures, [Measure::Assigned { person, rule: lead::state::AssignRule::LeastLoad }]);
    }
}
