//! Which contact is this, and what if two turn out to be one?

use crate::world::{call, feedback, form, reply, rules, secs, worlds};
use lead::books::Verdict;
use lead::entry::Outcome;
use lead::state::Contact;

const PHONE: &str = "+79161112233";
const MAIL: &str = "a@example.com";

#[test]
fn two_contacts_that_turn_out_to_be_one_are_linked_and_the_older_lead_takes_the_touches() {
    for mut world in worlds(&rules()) {
        let (elder, younger) = (form("elder", secs(0)).phone(PHONE), form("younger", secs(60)).email(MAIL));
        let younger = younger.touch(|touch| touch.campaign.insert("gclid".to_owned(), "x".to_owned()).map_or((), drop));
        world.feed(elder.clone());
        world.feed(younger.clone());
        assert_eq!(world.feed(form("both", secs(120)).phone(PHONE).email(MAIL)), Verdict::Duplicate);

        let (older, closed) = (world.lead(elder.lead()), world.lead(younger.lead()));
        assert_eq!((older.is_open(), older.touches), (true, 3));
        assert_eq!(older.campaign.get("gclid").map(String::as_str), Some("x"), "what paid for the other is not lost");
        assert_eq!((closed.is_open(), closed.merged_into, closed.outcome), (false, Some(older.id), None));
        assert_eq!(closed.contact, older.contact);
        assert_eq!(world.contact_of(older.id).identities.len(), 2);

        let linked = world.last_event("contact.linked").json["data"].clone();
        assert_eq!(linked["contact"]["id"], older.contact.to_string());
        assert!(linked["change"]["proof"].is_string() && linked["change"]["linked"].is_string());
        assert_eq!(world.last_event("lead.closed").json["data"]["change"]["merged_into"], older.id.to_string());
        assert_eq!(world.last_event("lead.touched").json["data"]["change"]["merged"], younger.lead().to_string());
    }
}

#[test]
fn what_happens_to_a_merged_lead_happens_to_the_one_that_took_it_over() {
    for mut world in worlds(&rules()) {
        let elder = form("elder", secs(0)).email(MAIL);
        let line = call("c1", Some(PHONE));
        world.feed(elder.clone());
        world.feed(line.ringing(secs(60)));
        world.feed(form("both", secs(62)).phone(PHONE).email(MAIL));
        world.feed(line.bridged(secs(65), "101"));
        world.feed(line.ended(secs(125), Some(60)));
        let older = world.lead(elder.lead());
        assert_eq!(older.contacted_at, Some(secs(65)));
        assert_eq!(older.owner.unwrap().as_str(), "ivan");
    }
}

#[test]
fn a_talk_that_goes_on_while_two_leads_become_one_still_stops_the_clock() {
    for mut world in worlds(&rules()) {
        let elder = form("elder", secs(0)).email(MAIL);
        let line = call("c1", Some(PHONE));
        world.feed(elder.clone());
        world.feed(line.ringing(secs(60)));
        world.feed(line.bridged(secs(65), "101"));
        world.feed(form("both", secs(67)).phone(PHONE).email(MAIL));
        world.wait_until(secs(100));
        assert_eq!(world.lead(elder.lead()).contacted_at, Some(secs(65)));
    }
}

#[test]
fn a_contact_of_the_younger_lead_is_one_of_the_older() {
    for mut world in worlds(&rules()) {
        let (elder, younger) = (form("elder", secs(0)).phone(PHONE), form("younger", secs(60)).email(MAIL));
        world.feed(elder.clone());
        world.feed(younger.clone());
        world.feed(reply("answer", secs(90), MAIL, Some("anna")));
        world.feed(form("both", secs(120)).phone(PHONE).email(MAIL));
        let older = world.lead(elder.lead());
        assert_eq!((older.contacted_at, older.contacted_by.as_deref()), (Some(secs(90)), Some("anna")));
        world.wait_until(secs(3_600));
        assert_eq!(world.lead(elder.lead()).sla.unwrap().breached_at, None);
        let feedback = feedback("late", secs(3_700), younger.lead(), Outcome::Contact);
        assert_eq!(world.feed(feedback), Verdict::Update);
    }
}

#[test]
fn an_open_lead_follows_its_contact_when_the_older_contact_has_none() {
    for mut world in worlds(&rules()) {
        let elder = form("elder", secs(0)).phone(PHONE);
        world.feed(elder.clone());
        let rejected = Outcome::Closed { outcome: lead::entry::CloseAs::Rejected, reason: None, value: None };
        world.feed(feedback("close", secs(10), elder.lead(), rejected));
        let younger = form("younger", secs(60)).email(MAIL);
        world.feed(younger.clone());
        assert_eq!(world.feed(form("both", secs(120)).phone(PHONE).email(MAIL)), Verdict::Duplicate);
        let lead = world.lead(younger.lead());
        assert_eq!((lead.is_open(), lead.touches), (true, 2));
        assert_eq!(lead.contact, world.lead(elder.lead()).contact);
    }
}

#[test]
fn a_phone_in_running_text_never_joins_two_known_contacts() {
    for mut world in worlds(&rules()) {
        world.feed(form("one", secs(0)).phone(PHONE));
        world.feed(form("two", secs(1)).email(MAIL));
        assert_eq!(world.feed(form("three", secs(2)).email(MAIL).text_phone(PHONE)), Verdict::Duplicate);
        assert!(world.events_of("contact.linked").is_empty());
        assert_eq!(world.leads().iter().filter(|lead| lead.is_open()).count(), 2);
    }
}

#[test]
fn a_single_phone_in_running_text_is_an_identity_and_several_are_hints() {
    for mut world in worlds(&rules()) {
        world.feed(form("one", secs(0)).email(MAIL).text_phone(PHONE));
        assert_eq!(world.feed(form("two", secs(1)).phone(PHONE)), Verdict::Duplicate);
        let hinted =
            form("three", secs(2)).email("b@example.com").text_phone("+79164445566").text_phone("+79167778899");
        world.feed(hinted.clone());
        assert_eq!(world.feed(form("four", secs(3)).phone("+79164445566")), Verdict::Lead);
        let hints = &world.lead(hinted.lead()).attributes["phone_hints"];
        assert_eq!(hints.as_array().unwrap().len(), 2);
    }
}

#[test]
fn our_own_addresses_and_machines_are_nobodys_identity() {
    for mut world in worlds(&rules()) {
        for (name, knock) in [
            ("own phone", form("1", secs(0)).phone("+7 495 123-45-67")),
            ("own mail", form("2", secs(0)).email("Sales@Cottages.example")),
            ("no-reply", form("3", secs(0)).email("no-reply@shop.example")),
            ("form mailer", form("4", secs(0)).email("wordpress@shop.example")),
            ("own phone in the text", form("5", secs(0)).text_phone("+74951234567")),
        ] {
            assert_eq!(world.feed(knock.clone()), Verdict::Lead, "{name}");
            assert!(world.contact_of(knock.lead()).identities.is_empty(), "{name}");
            assert!(world.lead(knock.lead()).flags.contains("no_contact"), "{name}");
        }
        let known = form("6", secs(1)).email("no-reply@shop.example").phone(PHONE);
        world.feed(known.clone());
        assert_eq!(world.contact_of(known.lead()).identities.len(), 1);
    }
}

#[test]
fn a_contact_with_too_many_keys_is_not_joined_further_and_is_flagged() {
    for mut world in worlds(&rules()) {
        let many = |from: usize| (from..from + 6).map(|index| format!("a{index}@example.com"));
        let one = many(0).fold(form("one", secs(0)), |knock, mail| knock.email(&mail));
        let two = many(10).fold(form("two", secs(1)), |knock, mail| knock.email(&mail));
        world.feed(one.clone());
        world.feed(two.clone());
        world.feed(form("both", secs(2)).email("a0@example.com").email("a10@example.com"));
        assert!(world.events_of("contact.linked").is_empty());
        assert!(world.lead(one.lead()).flags.contains("too_many_keys"));
        assert!(world.lead(two.lead()).is_open());
    }
}

#[test]
fn the_eleventh_key_is_not_taken_and_the_lead_is_flagged() {
    for mut world in worlds(&rules()) {
        let knock = form("first", secs(0)).phone(PHONE);
        world.feed(knock.clone());
        for index in 0..12 {
            let mail = format!("a{index}@example.com");
            world.feed(form(&format!("more {index}"), secs(index)).phone(PHONE).email(&mail));
        }
        assert_eq!(world.contact_of(knock.lead()).identities.len(), Contact::MOST_KEYS);
        assert!(world.lead(knock.lead()).flags.contains("too_many_keys"));
    }
}

#[test]
fn a_call_that_tells_its_number_late_finds_its_contact() {
    for known in [true, false] {
        for mut world in worlds(&rules()) {
            let elder = form("elder", secs(0)).phone(PHONE);
            if known {
                world.feed(elder.clone());
            }
            let line = call("c1", None);
            assert_eq!(world.feed(line.ringing(secs(60))), Verdict::Lead);
            world.feed(line.known_as(PHONE).ended(secs(80), None));
            let born = world.lead(line.ringing(secs(60)).lead());
            assert!(!born.flags.contains("no_contact"));
            assert_eq!(born.geo.by.as_deref(), Some("phone"), "the number tells the place, however late");
            assert_eq!(born.merged_into, known.then(|| elder.lead()));
            assert_eq!(world.contact_of(born.id).identities.len(), 1);
            assert_eq!(world.feed(form("later", secs(90)).phone(PHONE)), Verdict::Duplicate);
        }
    }
}

#[test]
fn a_name_that_is_cut_is_flagged_on_its_lead() {
    for (letters, flagged) in [(200, false), (201, true)] {
        for mut world in worlds(&rules()) {
            let name = "я".repeat(letters);
            world.feed(form("long", secs(0)).phone(PHONE).touch(|touch| touch.name = Some(name)));
            let lead = world.only_lead();
            assert_eq!(world.contact_of(lead.id).name.unwrap().chars().count(), 200);
            assert_eq!(lead.flags.contains("cut"), flagged, "{letters}");
        }
    }
}
