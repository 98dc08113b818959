//! Is this somebody we do not want to hear from?

use crate::world::{Knock, call, command, form, rules, secs, worlds};
use lead::books::Verdict;
use lead::changes::AsideKind;
use lead::entry::Order;
use lead::identity::Matcher;
use lead::ids::Uid;
use lead::phone::Region;
use lead::rules::{Exclusion, Rules};
use lead::time::At;

fn listed(matcher: &str) -> Rules {
    let matcher = Matcher::parse(matcher, Region::RU).unwrap();
    Rules { exclusions: vec![Exclusion { matcher, reason: "supplier".into(), expires: None }], ..rules() }
}

fn exclude(matcher: &str, at: At, expires_at: Option<At>) -> Knock {
    let order = Order::Exclude { matcher: matcher.into(), reason: "supplier".into(), expires_at };
    command(&format!("exclude {matcher}"), at, order)
}

fn knock(phone: Option<&str>, email: Option<&str>, handle: Option<&str>) -> Knock {
    let mut knock = form("knock", secs(10));
    knock = phone.into_iter().fold(knock, Knock::phone);
    knock = email.into_iter().fold(knock, Knock::email);
    handle.into_iter().fold(knock, |knock, id| knock.handle("Telegram", id))
}

/// Matcher, knock, is it excluded?
fn cases() -> Vec<(&'static str, Knock, bool)> {
    vec![
        ("phone:+74950000000", knock(Some("8 (495) 000-00-00"), None, None), true),
        ("phone:8 (495) 000-00-00", knock(Some("+74950000000"), None, None), true),
        ("phone:+74950000000", knock(Some("+74950000001"), None, None), false),
        ("email:sales@bad.example", knock(None, Some("Sales@Bad.Example"), None), true),
        ("email:Sales@Bad.Example", knock(None, Some("sales@bad.example"), None), true),
        ("email:sales@bad.example", knock(None, Some("sales+1@bad.example"), None), false),
        ("domain:bad.example", knock(None, Some("anyone@bad.example"), None), true),
        ("domain:bad.example", knock(None, Some("anyone@mail.bad.example"), None), true),
        ("domain:bad.example", knock(None, Some("anyone@notbad.example"), None), false),
        ("domain:mail.bad.example", knock(None, Some("anyone@bad.example"), None), false),
        ("prefix:+7495", knock(Some("+74951112233"), None, None), true),
        ("prefix:+7495", knock(Some("+74991112233"), None, None), false),
        ("handle:telegram:777", knock(None, None, Some("777")), true),
        ("handle:telegram:777", knock(None, None, Some("7771")), false),
        ("phone:+74950000000", knock(Some("+79161112233"), Some("a@example.com"), None), false),
        ("email:a@example.com", knock(Some("+79161112233"), Some("a@example.com"), None), true),
    ]
}

#[test]
fn an_entry_of_the_file_sets_the_touch_aside_with_its_reason() {
    for (matcher, knock, excluded) in cases() {
        for mut world in worlds(&listed(matcher)) {
            let verdict = world.feed(knock.clone());
            assert_eq!(verdict == Verdict::Excluded, excluded, "{matcher}");
            assert_eq!(world.leads().is_empty(), excluded, "{matcher}");
            assert_eq!(world.events.is_empty(), excluded, "{matcher}");
            if excluded {
                assert_eq!(world.asides[0].kind, AsideKind::Excluded);
                assert!(world.asides[0].reason.ends_with(": supplier"), "{}", world.asides[0].reason);
            }
        }
    }
}

#[test]
fn an_entry_added_at_run_time_does_the_same_until_it_is_removed() {
    for (matcher, knock, excluded) in cases() {
        for mut world in worlds(&rules()) {
            assert_eq!(world.feed(exclude(matcher, secs(0), None)), Verdict::Command);
            assert_eq!(world.feed(knock.clone()) == Verdict::Excluded, excluded, "{matcher}");
            world.feed(command("include", secs(20), Order::Include { matcher: matcher.into() }));
            assert_eq!(world.floor().exclusions, 0, "{matcher}");
            assert!(world.floor().prefixes.is_empty(), "{matcher}");
            assert_ne!(world.feed(knock.clone().named("again").heard(secs(30))), Verdict::Excluded, "{matcher}");
        }
    }
}

#[test]
fn an_expired_entry_excludes_nobody() {
    for (at, verdict) in [(99, Verdict::Excluded), (100, Verdict::Lead), (200, Verdict::Lead)] {
        for mut world in worlds(&rules()) {
            world.feed(exclude("phone:+79161112233", secs(0), Some(secs(100))));
            assert_eq!(world.feed(form("knock", secs(at)).phone("+79161112233")), verdict, "at {at}");
        }
    }
}

#[test]
fn the_last_writer_of_an_entry_wins() {
    for mut world in worlds(&rules()) {
        world.feed(exclude("phone:+79161112233", secs(0), Some(secs(5))));
        world.feed(exclude("phone:+79161112233", secs(1), None).named("again"));
        assert_eq!(world.floor().exclusions, 1);
        assert_eq!(world.feed(form("knock", secs(10)).phone("+79161112233")), Verdict::Excluded);
    }
}

#[test]
fn an_existing_lead_is_never_touched() {
    for mut world in worlds(&rules()) {
        world.feed(form("first", secs(0)).phone("+79161112233"));
        let before = world.only_lead();
        world.feed(exclude("phone:+79161112233", secs(1), None));
        assert_eq!(world.feed(form("second", secs(2)).phone("+79161112233")), Verdict::Excluded);
        assert_eq!(world.only_lead(), before);
    }
}

#[test]
fn no_phase_of_an_excluded_call_counts() {
    for mut world in worlds(&listed("phone:+79161112233")) {
        let line = call("c1", Some("+79161112233"));
        assert_eq!(world.feed(line.ringing(secs(0))), Verdict::Excluded);
        assert_eq!(world.feed(line.bridged(secs(5), "101")), Verdict::Update);
        assert_eq!(world.feed(line.ended(secs(60), Some(55))), Verdict::Update);
        assert!(world.leads().is_empty() && world.events.is_empty());
    }
}

#[test]
fn junk_is_kept_apart_with_its_rule() {
    for mut world in worlds(&rules()) {
        let junk = form("bot", secs(0)).phone("+79161112233").touch(|touch| touch.junk = Some("honeypot".into()));
        assert_eq!(world.feed(junk), Verdict::Junk);
        assert_eq!((world.asides[0].kind, world.asides[0].reason.as_str()), (AsideKind::Junk, "honeypot"));
        assert!(world.leads().is_empty());
    }
}

#[test]
fn a_proof_of_being_a_person_counts_for_one_post() {
    let shown = |id: &str, at, phone| {
        form(id, at).phone(phone).touch(|touch| touch.proof = Some(Uid::derived("spring", "nonce", "altcha")))
    };
    for mut world in worlds(&rules()) {
        assert_eq!(world.feed(shown("one", secs(0), "+79161112233")), Verdict::Lead);
        assert_eq!(
            world.feed(shown("one", secs(5), "+79161112233")),
            Verdict::Redelivered,
            "sent again with its proof"
        );
        assert_eq!(world.feed(shown("two", secs(9), "+79161112244")), Verdict::Junk);
        assert_eq!(world.asides[0].reason, "form.captcha_reused");
        let found_out =
            shown("three", secs(9), "+79161112255").touch(|touch| touch.junk = Some("form.honeypot".into()));
        assert_eq!(world.feed(found_out), Verdict::Junk);
        assert_eq!(world.asides[1].reason, "form.honeypot");
        assert_eq!(world.leads().len(), 1);
    }
}
