//! Who answers a lead, and who was passed over and why?

use crate::world::{Knock, World, call, command, feedback, form, person, rules, secs, somebody, worlds};
use lead::entry::{CloseAs, Order, Outcome, Stage};
use lead::ids::{LeadId, PersonId};
use lead::rules::{Person, Rules};
use lead::state::{AssignRule, Skip, Why};
use lead::time::At;

const DAY: i64 = 86_400;

fn staff(people: Vec<Person>) -> Rules {
    Rules { people, ..rules() }
}

fn named(id: &str, change: impl FnOnce(&mut Person)) -> Person {
    let mut person = person(id, &format!("ext-{id}"));
    change(&mut person);
    person
}

fn plain(id: &str) -> Person {
    named(id, |_| {})
}

fn presence(person: &str, present: bool, at: At) -> Knock {
    command(&format!("{person} {present} {at}"), at, Order::Presence { person: person.into(), present })
}

fn reject(at: At, lead: LeadId) -> Knock {
    let outcome = Outcome::Closed { outcome: CloseAs::Rejected, reason: None, value: None };
    feedback(&format!("reject {lead}"), at, lead, outcome)
}

fn rule(world: &mut World, id: LeadId) -> AssignRule {
    let steps = world.lead(id).trail.into_iter().rev();
    let mut rules = steps.filter_map(|step| match step.what {
        Why::Assigned { rule, .. } => Some(rule),
        _ => None,
    });
    rules.next().unwrap()
}

fn skips(all: &[(&str, Skip)]) -> Vec<(String, Skip)> {
    all.iter().map(|(person, skip)| ((*person).to_owned(), *skip)).collect()
}

/// Customer's phone, people, channel's skill and language, who gets it by which rule, who was skipped.
type Case = (
    &'static str,
    Vec<Person>,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    AssignRule,
    Vec<(&'static str, Skip)>,
);

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let moscow = || named("moscow", |person| person.regions = vec!["RU-MOW".into(), "RU-MOS".into()]);
    let petersburg = || named("petersburg", |person| person.regions = vec!["RU-SPE".into()]);
    let russia = || named("russia", |person| person.regions = vec!["RU".into()]);
    let builder = || named("builder", |person| person.skills = vec!["cottages".into()]);
    let german = || named("german", |person| person.languages = vec!["de".into()]);
    let (landline, mobile, kazakh) = ("+74951112233", "+79161112233", "+77011234567");
    vec![
        (
            mobile,
            vec![plain("a"), plain("b")],
            None,
            None,
            Some("a"),
            AssignRule::LeastLoad,
            vec![("b", Skip::MoreLoaded)],
        ),
        (
            landline,
            vec![plain("a"), moscow()],
            None,
            None,
            Some("moscow"),
            AssignRule::Geography,
            vec![("a", Skip::OtherSpecialist)],
        ),
        (
            landline,
            vec![russia(), moscow()],
            None,
            None,
            Some("moscow"),
            AssignRule::Geography,
            vec![("russia", Skip::OtherSpecialist)],
        ),
        (
            landline,
            vec![petersburg(), plain("a")],
            None,
            None,
            Some("a"),
            AssignRule::LeastLoad,
            vec![("petersburg", Skip::OtherRegion)],
        ),
        (
            landline,
            vec![petersburg(), russia()],
            None,
            None,
            Some("russia"),
            AssignRule::Geography,
            vec![("petersburg", Skip::OtherRegion)],
        ),
        (
            mobile,
            vec![moscow(), russia()],
            None,
            None,
            Some("russia"),
            AssignRule::Geography,
            vec![("moscow", Skip::OtherSpecialist)],
        ),
        (mobile, vec![moscow()], None, None, Some("moscow"), AssignRule::LeastLoad, vec![]),
        (
            kazakh,
            vec![moscow(), russia()],
            None,
            None,
            None,
            AssignRule::Queue,
            vec![("moscow", Skip::OtherRegion), ("russia", Skip::OtherRegion)],
        ),
        (
            mobile,
            vec![plain("a"), builder()],
            Some("cottages"),
            None,
            Some("builder"),
            AssignRule::Skill,
            vec![("a", Skip::LacksSkill)],
        ),
        (
            mobile,
            vec![german(), plain("a")],
            None,
            Some("ru"),
            Some("a"),
            AssignRule::Skill,
            vec![("german", Skip::LacksLanguage)],
        ),
        (mobile, vec![german()], None, Some("ru"), None, AssignRule::Queue, vec![("german", Skip::LacksLanguage)]),
    ]
}

#[test]
fn place_skill_and_language_choose_and_everybody_passed_over_is_named() {
    for (phone, people, skill, language, to, by, skipped) in cases() {
        let mut rules = staff(people);
        let site = rules.channels.get_mut("site").unwrap();
        (site.skill, site.language) = (skill.map(str::to_owned), language.map(str::to_owned));
        for mut world in worlds(&rules) {
            let knock = form("knock", secs(0)).phone(phone);
            world.feed(knock.clone());
            let lead = world.lead(knock.lead());
            assert_eq!(lead.owner.as_ref().map(PersonId::as_str), to, "{phone} {skipped:?}");
            assert_eq!(lead.owner_at_arrival, lead.owner);
            assert_eq!(rule(&mut world, lead.id), by, "{phone} {skipped:?}");
            assert_eq!(world.skipped(lead.id), skips(&skipped));
            assert_eq!(world.waiting().is_empty(), to.is_some());
            assert_eq!(world.said_of(lead.id), ["created"], "the first event already tells the owner");
        }
    }
}

#[test]
fn the_load_is_shared_by_weight() {
    for mut world in worlds(&staff(vec![named("heavy", |person| person.weight = 3), plain("light")])) {
        for index in 0..40 {
            world.feed(form(&format!("lead {index}"), secs(index)).phone(&format!("+7916111{index:04}")));
        }
        let loads = world.floor().loads;
        assert_eq!((loads["heavy"], loads["light"]), (30, 10));
    }
}

#[test]
fn a_tie_goes_to_who_waited_longest() {
    for mut world in worlds(&staff(vec![plain("a"), plain("b"), plain("c")])) {
        let leads: Vec<_> =
            (0..3).map(|index| form(&format!("{index}"), secs(index)).phone(&format!("+7916111000{index}"))).collect();
        for lead in &leads {
            world.feed(lead.clone());
        }
        for lead in [&leads[2], &leads[0], &leads[1]] {
            world.feed(reject(secs(10), lead.lead()));
        }
        let next = form("next", secs(20)).phone("+79162220000");
        world.feed(next.clone());
        assert_eq!(world.lead(next.lead()).owner, somebody("a"));
    }
}

#[test]
fn who_comes_back_gets_no_burst() {
    for mut world in worlds(&staff(vec![plain("a"), plain("b")])) {
        world.feed(presence("a", false, secs(0)));
        for index in 0..4 {
            world.feed(form(&format!("{index}"), secs(1 + index)).phone(&format!("+7916111000{index}")));
        }
        assert_eq!(world.floor().loads["b"], 4);
        let first = form("0", secs(1));
        assert_eq!(world.skipped(first.lead()), skips(&[("a", Skip::Absent)]));
        world.feed(presence("a", true, secs(10)));
        assert_eq!(world.floor().load(&"a".into()), 0, "nobody's lead is taken away");
    }
}

#[test]
fn the_owner_of_the_earlier_lead_gets_the_repeat_if_he_is_there_and_has_room() {
    for (absent, full, owner, by) in [
        (false, false, "b", AssignRule::Sticky),
        (true, false, "a", AssignRule::LeastLoad),
        (false, true, "a", AssignRule::LeastLoad),
    ] {
        let people = vec![plain("a"), named("b", |person| person.capacity = Some(1))];
        for mut world in worlds(&staff(people)) {
            let first = form("first", secs(0)).phone("+79161112233");
            world.feed(first.clone());
            let order = Order::Reassign { lead: first.lead(), person: "b".into(), reason: "asked".into() };
            world.feed(command("give", secs(1), order));
            world.feed(reject(secs(2), first.lead()));
            if absent {
                world.feed(presence("b", false, secs(3)));
            }
            if full {
                let other = form("other", secs(3)).phone("+79164445566");
                world.feed(other.clone());
                let order = Order::Reassign { lead: other.lead(), person: "b".into(), reason: "asked".into() };
                world.feed(command("fill", secs(4), order));
            }
            let again = form("again", secs(5 * DAY)).phone("+79161112233");
            world.feed(again.clone());
            assert_eq!(world.lead(again.lead()).owner, somebody(owner), "absent {absent}, full {full}");
            assert_eq!(rule(&mut world, again.lead()), by);
        }
    }
}

#[test]
fn nobody_gets_more_than_his_capacity_and_the_rest_wait_in_order() {
    for mut world in worlds(&staff(vec![named("a", |person| person.capacity = Some(1)), plain("b")])) {
        world.feed(presence("b", false, secs(0)));
        let leads: Vec<_> =
            (1..=4).map(|index| form(&format!("{index}"), secs(index)).phone(&format!("+7916111000{index}"))).collect();
        for lead in &leads {
            world.feed(lead.clone());
        }
        assert_eq!(world.waiting(), [leads[1].lead(), leads[2].lead(), leads[3].lead()]);
        assert_eq!(world.skipped(leads[1].lead()), skips(&[("a", Skip::Full), ("b", Skip::Absent)]));

        world.feed(reject(secs(10), leads[0].lead()));
        assert_eq!(world.lead(leads[1].lead()).owner, somebody("a"));
        assert_eq!(world.said_of(leads[1].lead()), ["created", "assigned"]);
        assert_eq!(world.lead(leads[1].lead()).owner_at_arrival, None);

        world.feed(presence("b", true, secs(20)));
        assert!(world.waiting().is_empty());
        assert_eq!(world.floor().loads["b"], 2);
    }
}

#[test]
fn leads_of_one_instant_wait_in_one_order_however_they_were_committed() {
    let orders: Vec<_> = worlds(&staff(vec![named("a", |person| person.capacity = Some(0))]))
        .into_iter()
        .map(|mut world| {
            for index in 0..20 {
                world.feed(form(&format!("{index}"), secs(0)).phone(&format!("+791611100{index:02}")));
            }
            world.rules.people[0].capacity = Some(20);
            world.feed(presence("a", false, secs(1)));
            world.feed(presence("a", true, secs(2)));
            assert!(world.waiting().is_empty());
            world.events_of("lead.assigned").into_iter().map(|said| said.subject.clone()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(orders[0], orders[1]);
}

#[test]
fn room_that_no_entry_tells_of_is_found_within_a_minute() {
    for mut world in worlds(&staff(vec![named("a", |person| person.capacity = Some(0))])) {
        let lead = form("lead", secs(0)).phone("+79161112233");
        world.feed(lead.clone());
        world.wait_until(secs(119));
        assert_eq!(world.waiting(), [lead.lead()]);
        world.rules.people[0].capacity = None;
        world.wait_until(secs(120));
        assert_eq!(world.lead(lead.lead()).owner, somebody("a"));
        assert_eq!(world.last_event("lead.assigned").json["time"], secs(120).to_string());
    }
}

#[test]
fn a_lead_that_nobody_free_can_serve_lets_the_next_one_pass() {
    let moscow = named("moscow", |person| {
        person.regions = vec!["RU-MOW".into()];
        person.capacity = Some(1);
    });
    for mut world in worlds(&staff(vec![moscow])) {
        let taken = form("taken", secs(0)).phone("+74951112233");
        let foreign = form("foreign", secs(1)).phone("+77011234567");
        let local = form("local", secs(2)).phone("+74951112244");
        for knock in [&taken, &foreign, &local] {
            world.feed(knock.clone());
        }
        world.feed(reject(secs(3), taken.lead()));
        assert_eq!(world.lead(local.lead()).owner, somebody("moscow"));
        assert_eq!(world.waiting(), [foreign.lead()]);
    }
}

#[test]
fn the_person_who_spoke_wins_over_everybody_even_full_or_absent() {
    let people = || vec![plain("a"), named("b", |person| person.capacity = Some(0))];
    for absent in [false, true] {
        for mut world in worlds(&staff(people())) {
            if absent {
                world.feed(presence("b", false, secs(0)));
            }
            let line = call("c1", Some("+79161112233"));
            world.feed(line.ringing(secs(1)));
            assert_eq!(world.only_lead().owner, somebody("a"));
            world.feed(line.bridged(secs(5), "ext-b"));
            let lead = world.only_lead();
            assert_eq!((lead.owner.clone(), lead.owner_at_arrival.clone()), (somebody("b"), somebody("a")));
            assert_eq!(rule(&mut world, lead.id), AssignRule::WhoSpoke);
            assert_eq!(world.skipped(lead.id), skips(&[("a", Skip::NotAsked)]));
            let change = &world.last_event("lead.assigned").json["data"]["change"];
            assert_eq!((change["owner"].as_str(), change["from"].as_str()), (Some("b"), Some("a")));
        }
    }
}

#[test]
fn parked_and_resting_leads_are_nobodys_load() {
    for mut world in worlds(&staff(vec![plain("a")])) {
        let (parked, resting) = (form("1", secs(0)).phone("+79161110001"), form("2", secs(0)).phone("+79161110002"));
        world.feed(parked.clone());
        world.feed(resting.clone());
        assert_eq!(world.floor().loads["a"], 2);
        world.feed(feedback("park", secs(1), parked.lead(), Outcome::Stage { stage: Stage::Nurture, reason: None }));
        assert_eq!(world.floor().loads["a"], 1);
        world.feed(feedback("spoke", secs(2), resting.lead(), Outcome::Contact));
        world.wait_until(secs(2 + 7 * DAY - 1));
        assert_eq!(world.floor().loads["a"], 1);
        world.wait_until(secs(2 + 7 * DAY));
        assert_eq!(world.floor().loads["a"], 0);
        world.feed(form("again", secs(2 + 8 * DAY)).phone("+79161110002"));
        assert_eq!(world.floor().loads["a"], 1, "who comes back is work again");
    }
}
