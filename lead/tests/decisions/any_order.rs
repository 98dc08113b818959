//! What holds for every sequence of entries? Random small lives of a workspace, decided one by one and in batches.

use crate::world::{Knock, Mode, World, call, command, feedback, form, person, reply, rules, secs, uid};
use lead::calendar::Calendar;
use lead::entry::{AnsweredBy, CloseAs, Entry, Order, Outcome, Stage, Synthetic};
use lead::rules::Rules;
use proptest::prelude::*;
use std::time::Duration;

const PHONES: [&str; 3] = ["+79161112233", "+79164445566", "+74951112233"];
const MAILS: [&str; 3] = ["a@example.com", "b@example.com", "c@shop.example"];

/// What may happen; the numbers choose among few names, so that entries meet.
#[derive(Clone, Debug)]
enum Op {
    Form { phone: Option<usize>, mail: Option<usize>, text: Option<usize>, content: Option<u8>, synthetic: u8 },
    Call { call: u8, phone: Option<usize>, phase: u8, outbound: bool },
    Reply { mail: usize, by: Option<u8> },
    Feedback { on: u8, what: u8 },
    Order { what: u8, on: u8 },
    Again { of: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let some = || proptest::option::of(0..3_usize);
    prop_oneof![
        5 => (some(), some(), proptest::option::weighted(0.2, 0..3_usize), proptest::option::of(0..3_u8), 0..12_u8)
            .prop_map(|(phone, mail, text, content, synthetic)| Op::Form { phone, mail, text, content, synthetic }),
        6 => (0..4_u8, some(), 0..6_u8, proptest::bool::weighted(0.3))
            .prop_map(|(call, phone, phase, outbound)| Op::Call { call, phone, phase, outbound }),
        2 => (0..3_usize, proptest::option::of(0..3_u8)).prop_map(|(mail, by)| Op::Reply { mail, by }),
        3 => (0..12_u8, 0..8_u8).prop_map(|(on, what)| Op::Feedback { on, what }),
        2 => (0..8_u8, 0..12_u8).prop_map(|(what, on)| Op::Order { what, on }),
        1 => (0..20_u8).prop_map(|of| Op::Again { of }),
    ]
}

/// Steps between entries: an instant, seconds, minutes, hours, days, and a clock that is behind.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 4 => 1..20_i64, 3 => 60..1_200_i64, 2 => 3_600..12_000_i64, 1 => 20_000..60_000_i64, 1 => -15..0_i64]
}

fn life() -> impl Strategy<Value = Vec<(Op, i64)>> {
    proptest::collection::vec((op(), step()), 1..40)
}

fn entries(life: &[(Op, i64)]) -> Vec<Entry> {
    let mut now = 0;
    let mut made: Vec<Entry> = Vec::new();
    for (index, (op, step)) in life.iter().enumerate() {
        now += step;
        let entry = match op {
            Op::Again { of } => match made.get(usize::from(*of)) {
                Some(first) => Entry { received_at: secs(now), ..first.clone() },
                None => continue,
            },
            other => entry(&format!("e{index}"), now, other).into(),
        };
        made.push(entry);
    }
    made
}

fn entry(name: &str, now: i64, op: &Op) -> Knock {
    let at = secs(now);
    match op {
        Op::Form { phone, mail, text, content, synthetic } => {
            let mut knock = form(name, at).on(if now % 2 == 0 { "site" } else { "landing" });
            knock = phone.map_or(knock.clone(), |phone| knock.phone(PHONES[phone]));
            knock = mail.map_or(knock.clone(), |mail| knock.email(MAILS[mail]));
            knock = text.map_or(knock.clone(), |text| knock.text_phone(PHONES[text]));
            knock = content.map_or(knock.clone(), |content| knock.content(&content.to_string()));
            match synthetic {
                0 => knock.synthetic(Synthetic::Technical),
                1 => knock.synthetic(Synthetic::Shopper),
                _ => knock,
            }
        }
        Op::Call { call: id, phone, phase, outbound } => {
            let line = call(&format!("call {id}"), phone.map(|phone| PHONES[phone]));
            let line = if *outbound { line.outbound() } else { line };
            let knock = match phase {
                0 => line.ringing(at),
                1 => line.bridged(at, "101"),
                2 => line.bridged(at, "somebody"),
                3 => line.answered(at, AnsweredBy::Machine),
                4 => line.ended(at, None),
                _ => line.ended(at, Some(12)),
            };
            knock.named(name).occurred(secs(now - i64::from(*id) * 5))
        }
        Op::Reply { mail, by } => reply(name, at, MAILS[*mail], by.map(|by| ["ivan", "anna", "x"][usize::from(by)])),
        Op::Feedback { on, what } => {
            let closed = |outcome| Outcome::Closed { outcome, reason: Some("r".into()), value: None };
            let stage = |stage| Outcome::Stage { stage, reason: None };
            let what = match what {
                0 => Outcome::Attempt,
                1 => Outcome::Contact,
                2 => stage(Stage::Nurture),
                3 => stage(Stage::Qualified),
                4 => stage(Stage::Rejected),
                5 => closed(CloseAs::Converted),
                6 => closed(CloseAs::Expired),
                _ => stage(Stage::NoAnswer),
            };
            feedback(name, at, uid(&format!("e{on}")).lead(), what)
        }
        Op::Order { what, on } => command(name, at, order(*what, *on)),
        Op::Again { .. } => unreachable!("a repetition is made from what was"),
    }
}

fn order(what: u8, on: u8) -> Order {
    let exclude =
        |matcher: &str, expires_at| Order::Exclude { matcher: matcher.into(), reason: "spam".into(), expires_at };
    match what {
        0 => Order::Presence { person: "ivan".into(), present: false },
        1 => Order::Presence { person: "ivan".into(), present: true },
        2 => Order::Presence { person: "anna".into(), present: on > 5 },
        3 => exclude("phone:+79161112233", Some(secs(9_000))),
        4 => exclude("domain:shop.example", None),
        5 => Order::Include { matcher: "domain:shop.example".into() },
        6 => exclude("prefix:+7495", None),
        _ => Order::Reassign { lead: uid(&format!("e{on}")).lead(), person: "anna".into(), reason: "asked".into() },
    }
}

/// Few hands, short shifts and short memories, so that queues form and leads end.
fn narrow() -> Rules {
    let week = ["mon-fri 09:00-13:00 14:00-19:00".to_owned()];
    let mut ivan = person("ivan", "101");
    ivan.capacity = Some(1);
    ivan.regions = vec!["RU-MOW".into()];
    let mut anna = person("anna", "102");
    anna.capacity = Some(2);
    Rules {
        calendar: Calendar::parse("Europe/Moscow", &week, &[]).unwrap(),
        people: vec![ivan, anna],
        duplicate_window: Duration::from_hours(3),
        close_after: Duration::from_hours(6),
        active_for: Duration::from_hours(2),
        unmatched_for: Duration::from_hours(5),
        ..rules()
    }
}

/// One world after all of it, and after what comes by itself.
fn live(rules: &Rules, mode: Mode, entries: &[Entry]) -> World {
    let mut world = World::new(rules.clone(), mode);
    for entry in entries {
        world.feed(entry.clone());
    }
    world.commit();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_ends_where_the_same_entries_one_by_one_end(life in life(), size in 2..9_usize) {
        let (rules, entries) = (narrow(), entries(&life));
        let mut single = live(&rules, Mode::One, &entries);
        for mode in [Mode::Batch(size), Mode::Batch(1_000)] {
            let mut batched = live(&rules, mode, &entries);
            prop_assert_eq!(&single.events, &batched.events);
            prop_assert_eq!(single.books(), batched.books());
            prop_assert_eq!(&single.measures, &batched.measures);
            prop_assert_eq!(&single.timers, &batched.timers);
            prop_assert_eq!(single.waiting(), batched.waiting());
            prop_assert_eq!(single.everything(), batched.everything());
        }
    }

    #[test]
    fn the_same_entries_again_are_all_redeliveries(life in life()) {
        let (rules, entries) = (narrow(), entries(&life));
        let mut world = live(&rules, Mode::Batch(8), &entries);
        let last = entries.iter().map(|entry| entry.received_at).max();
        // What is due by then has happened; entries may have come with clocks that went back.
        world.wait_until(last.unwrap_or_default());
        let (before, said) = (world.everything(), world.events.len());
        for entry in &entries {
            let again = Entry { received_at: last.unwrap_or_default(), ..entry.clone() };
            prop_assert_eq!(world.feed(again).word(), "redelivered");
        }
        prop_assert_eq!(world.everything(), before);
        prop_assert_eq!(world.events.len(), said);
    }

    #[test]
    fn left_alone_every_lead_closes_and_no_timer_stays(life in life()) {
        let rules = narrow();
        let mut world = live(&rules, Mode::One, &entries(&life));
        world.wait_until(secs(3 * 86_400 + life.iter().map(|(_, step)| step).sum::<i64>().max(0)));
        prop_assert!(world.leads().iter().all(|lead| !lead.is_open()));
        prop_assert!(world.timers.is_empty());
        prop_assert!(world.floor().loads.values().all(|load| *load == 0));
        for lead in world.leads() {
            let breaches = world.said_of(lead.id).into_iter().filter(|word| *word == "sla_breached").count();
            prop_assert!(breaches <= 1);
        }
    }
}
