//! What becomes of odd things in a mailbox or on an exchange? They are kept, read as far as they go, and never doubled.

use crate::support::{post, read, touch};
use gateway::sources::{Reading, Refusal};
use lead::entry::Signal;

fn mail(body: impl Into<bytes::Bytes>) -> Result<Reading, Refusal> {
    read("imap", &post("message/rfc822", body.into()))
}

fn step(body: &str) -> Result<Reading, Refusal> {
    read("asterisk", &post("application/json", body.to_owned()))
}

#[test]
fn a_mail_without_an_id_is_known_by_its_bytes_wherever_it_lies() {
    let id = |body: &'static str| mail(body).unwrap().signals[0].id.clone().unwrap();
    let one = "From: a@b.example\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nHello";
    assert_eq!(id(one), id(one));
    assert_ne!(id(one), id("From: a@b.example\r\nDate: Sat, 21 Nov 2026 10:00:01 +0000\r\n\r\nHello"));
}

#[test]
fn only_a_part_of_a_mail_says_so() {
    let whole = post("message/rfc822", "From: Анна 🏠 <a@b.example>\r\nMessage-ID: <1@b>\r\n\r\nДобрый день 🏠");
    assert!(!touch(&read("imap", &whole).unwrap()).flags.contains("cut"));
    let part = gateway::sources::Request { rest: "cut".to_owned(), ..whole };
    let reading = read("imap", &part).unwrap();
    assert!(touch(&reading).flags.contains("cut"));
    assert_eq!(touch(&reading).text.as_deref(), Some("Добрый день 🏠"));
}

#[test]
fn what_a_server_hands_out_instead_of_a_mail_is_kept_for_people() {
    let keys = |n: usize| "X-Key: value\r\n".repeat(n);
    assert!(matches!(mail("no mail at all"), Err(Refusal::Unreadable(_))));
    assert!(matches!(mail(keys(100_000)), Err(Refusal::Unreadable(_))));
    assert!(mail(format!("From: a@b.example\r\n{}\r\nHello", keys(100_000))).is_ok());
    assert!(matches!(mail(""), Err(Refusal::Bad(_))));
}

#[test]
fn a_step_of_another_shape_is_kept_for_people() {
    let many: String = (0..100_000).map(|n| format!(r#","k{n}":1"#)).collect();
    let whole = r#"{"call":"1.1","what":"began","outbound":false,"from":"79161234567","name":"Анна 🏠"}"#;
    for body in [
        &whole[..40],
        "[]",
        "Event: Newchannel",
        r#"{"call":1.1,"what":"began","outbound":false}"#,
        r#"{"call":["1.1"],"what":"began","outbound":false}"#,
        r#"{"call":"1.1","call":"1.2","what":"began","outbound":false}"#,
        r#"{"call":"","what":"began","outbound":false}"#,
        r#"{"what":"began","outbound":false}"#,
    ] {
        assert!(matches!(step(body), Err(Refusal::Unreadable(_))), "{body}");
    }
    for body in [whole.to_owned(), whole.replace("}", &format!("{many}}}"))] {
        let reading = step(&body).unwrap();
        let Signal::Call(call) = &reading.signals[0].signal else { panic!("a call was expected") };
        assert_eq!((call.from.as_deref(), call.name.as_deref()), (Some("79161234567"), Some("Анна 🏠")));
    }
}

#[test]
fn calls_of_two_exchanges_are_two_calls() {
    let request = post("application/json", r#"{"call":"1.1","what":"began","outbound":false}"#);
    let id = |system: &str| {
        let mut channel = crate::support::channel("asterisk");
        channel.settings.insert("system", vec![system.to_owned().into()]);
        let reading = (crate::support::the("asterisk").read)(&request, &channel).unwrap();
        reading.signals[0].id.clone().unwrap()
    };
    assert_ne!(id("office"), id("warehouse"));
    assert_eq!(id("office"), id("office"));
}
