//! Are the steps of bots and the events of lists read whatever their senders put into them, and is only a sender with
//! the secret heard?

use crate::support::{SECRET, channel, read, recorded, request, the, touch, verify};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Refusal, Request};
use http::Method;
use lead::entry::{Kind, Signal};
use std::collections::BTreeMap;

const URL: &str = "https://leads.example.com/in/bot";
const ALL: [&str; 5] = ["manychat", "chatfuel", "sendpulse", "mailchimp", "getresponse"];

fn json(body: impl Into<String>) -> Request {
    let headers = [("content-type", "application/json"), ("x-api-key", SECRET)];
    request(Method::POST, URL, &headers, body.into())
}

fn form(body: &str) -> Request {
    request(Method::POST, URL, &[("content-type", "application/x-www-form-urlencoded")], body.to_owned())
}

#[test]
fn the_secret_is_shown_in_a_header_or_the_query() {
    let shown =
        |headers: &[(&str, &str)], query: &str| request(Method::POST, &format!("{URL}{query}"), headers, String::new());
    for source in ALL {
        for (headers, query) in [
            (&[("x-api-key", SECRET)][..], ""),
            (&[("authorization", "Bearer 12345")], ""),
            (&[("authorization", "Basic bGVhZGdhdGU6MTIzNDU=")], ""),
            (&[], "?key=12345"),
            (&[], "?a=b&key=%312345"),
        ] {
            assert_eq!(verify(source, &shown(headers, query)), Ok(()), "{source} {headers:?} {query}");
        }
        for (headers, query) in [
            (&[("x-api-key", "1234")][..], ""),
            (&[("x-api-key", "")], ""),
            (&[("authorization", "Bearer 123456")], "?key=12345"),
            (&[("authorization", "Digest 12345")], ""),
            (&[], "?key=54321"),
        ] {
            assert_eq!(verify(source, &shown(headers, query)), Err(Denied::Wrong), "{source} {headers:?} {query}");
        }
        assert_eq!(verify(source, &shown(&[], "?kay=12345")), Err(Denied::Missing), "{source}");
    }
}

#[test]
fn while_a_secret_is_rotated_both_open_and_without_any_the_address_has_to_be_secret() {
    for source in ALL {
        let check = |channel: &Channel, key: &str| {
            (the(source).verify)(&request(Method::POST, URL, &[("x-api-key", key)], String::new()), channel)
        };
        let mut channel = channel(source);
        channel.secrets.insert(0, "54321".to_owned().into());
        assert_eq!((check(&channel, SECRET), check(&channel, "54321")), (Ok(()), Ok(())), "{source}");
        channel.secrets.clear();
        assert_eq!(check(&channel, ""), Err(Denied::Misconfigured), "{source}");
        channel.url_key = Some("a-key-of-the-address".to_owned().into());
        assert_eq!(check(&channel, ""), Ok(()), "{source}");
    }
}

#[test]
fn what_is_no_object_of_a_bot_is_kept_aside() {
    let wide: String = (0..100_000).map(|key| format!("\"k{key}\":1,")).collect();
    let deep = format!("{{\"id\": {}}}", "[".repeat(250_000));
    for source in ["manychat", "chatfuel", "sendpulse", "getresponse"] {
        for body in [
            "",
            "5",
            "[5]",
            "{\"id\": \"1\"",
            "{\"id\": 1, \"id\": 2}",
            "{\"id\": 1e400}",
            "{\"id\": \"\\ud800\"}",
            &deep,
        ] {
            assert!(matches!(read(source, &json(body)), Err(Refusal::Unreadable(_))), "{source}: {:.40}", body);
        }
        let wide = format!("{{{wide}\"id\":1}}");
        assert!(matches!(read(source, &json(wide)), Err(Refusal::Unreadable(_))), "{source}");
        let plain = request(Method::POST, URL, &[("content-type", "text/xml")], "<a/>");
        assert_eq!(read(source, &plain).err(), Some(Refusal::MediaType), "{source}");
    }
    assert!(matches!(read("mailchimp", &form(&"a=1&".repeat(100_000))), Err(Refusal::Unreadable(_))));
}

#[test]
fn an_id_is_one_as_a_number_and_as_text() {
    for (source, body) in [
        ("manychat", r#"{"id": "7301234567890123456", "phone": "+79161234567"}"#),
        ("chatfuel", r#"{"messenger user id": "7301234567890123456", "phone": "+79161234567"}"#),
        ("sendpulse", r#"{"title": "new_subscriber", "contact": {"id": "7301234567890123456"}}"#),
    ] {
        let handle = |body: &str| touch(&read(source, &json(body)).unwrap()).handles.clone();
        let text = handle(body);
        assert_eq!((text[0].kind.as_str(), text[0].id.as_str()), (source, "7301234567890123456"));
        assert_eq!(handle(&body.replace("\"7301234567890123456\"", "7301234567890123456")), text);
    }
}

#[test]
fn a_template_that_was_filled_with_nothing_is_no_value() {
    let body =
        r#"{"id": "1", "name": "{{first_name}}", "phone": "{{cuf_123}}", "email": "NOT SET", "note": "{{a}} b"}"#;
    for source in ["manychat", "chatfuel"] {
        let reading = read(
            source,
            &json(body.replace("\"id\"", if source == "chatfuel" { "\"messenger user id\"" } else { "\"id\"" })),
        )
        .unwrap();
        let touch = touch(&reading);
        assert_eq!((&touch.name, &touch.phones, &touch.emails), (&None, &Vec::new(), &Vec::new()), "{source}");
        assert_eq!(touch.text.as_deref(), Some("{{a}} b"), "{source}");
    }
}

#[test]
fn a_field_mapped_by_hand_is_found_under_the_name_its_sender_gave_it() {
    let channel = Channel {
        fields: BTreeMap::from([("phone".to_owned(), "custom_fields.Tel".to_owned())]),
        ..channel("manychat")
    };
    let body = r#"{"id": "1", "phone": "+74950000000", "custom_fields": {"Tel": "+79161234567", "utm_source": "ig"}}"#;
    let reading = (the("manychat").read)(&json(body), &channel).unwrap();
    assert_eq!(touch(&reading).phones, ["+79161234567"]);
    assert_eq!(touch(&reading).campaign["utm_source"], "ig");
}

#[test]
fn a_post_is_one_event_by_the_id_its_builder_put_there() {
    let id = |source: &'static str, name: &str| read(source, &recorded(source, name)).unwrap().signals[0].id.clone();
    assert_eq!(id("manychat", "own_body"), Some(("step-1-123456".to_owned(), "manychat".to_owned())));
    assert_eq!(id("manychat", "full_contact"), None, "then its content is compared");
    assert_eq!(id("chatfuel", "telegram"), Some(("block-1-5".to_owned(), "chatfuel".to_owned())));
}

#[test]
fn flows_hear_what_lets_them_go_on() {
    let answer = |source: &str| (the(source).answer)(&json("{}"), &channel("manychat"), Some("uid"));
    let body = |text: &str| Answer::Body(text.to_owned(), "application/json");
    assert_eq!(answer("manychat"), body(r#"{"version":"v2","content":{"messages":[]}}"#));
    assert_eq!(answer("chatfuel"), body(r#"{"messages":[]}"#));
}

#[test]
fn an_outgoing_message_is_a_colleagues_only_where_the_channel_says_so() {
    let body = r#"[{"title": "outbound_message", "contact": {"id": "c1"}, "date": 1795255200, "info": {"message": {"id": "m1"}}}]"#;
    assert_eq!(read("sendpulse", &json(body)).unwrap().ignored, ["sendpulse.outgoing"]);
    let people =
        Channel { settings: BTreeMap::from([("outgoing", vec!["people".to_owned().into()])]), ..channel("sendpulse") };
    let reading = (the("sendpulse").read)(&json(body), &people).unwrap();
    let Signal::Reply(reply) = &reading.signals[0].signal else { panic!("no reply") };
    assert_eq!((reply.to_handles[0].kind.as_str(), reply.to_handles[0].id.as_str()), ("sendpulse", "c1"));
    assert_eq!(reply.occurred_at.unwrap().millis(), 1_795_255_200_000);
}

#[test]
fn one_event_that_cannot_be_read_loses_none_of_the_others() {
    let reading = read("sendpulse", &recorded("sendpulse", "many")).unwrap();
    let [aside, message] = &reading.signals[..] else { panic!("{:?}", reading.signals) };
    assert!(matches!(aside.signal, Signal::Unreadable(_)), "first, where the request's bytes are kept");
    assert!(matches!(message.signal, Signal::Touch(_)));
    assert_eq!(reading.ignored.len(), 6);
    let many = format!("[{}{{}}]", "{},".repeat(1000));
    assert!(matches!(read("sendpulse", &json(many)), Err(Refusal::TooLarge(_))));
}

#[test]
fn digits_alone_are_an_international_number_unless_written_as_at_home() {
    for (phone, read_as) in [
        ("79161234567", "+79161234567"),
        ("4915112345678", "+4915112345678"),
        ("+79161234567", "+79161234567"),
        ("89161234567", "89161234567"),
        ("1234567", "1234567"),
    ] {
        let body = format!(r#"{{"title": "x", "contact": {{"id": 1, "phone": "{phone}"}}}}"#);
        assert_eq!(touch(&read("sendpulse", &json(body)).unwrap()).phones, [read_as]);
    }
}

#[test]
fn a_subscriber_is_a_touch_of_a_list_and_the_same_one_when_sent_again() {
    let reading = read("mailchimp", &recorded("mailchimp", "subscribe")).unwrap();
    assert_eq!(touch(&reading).kind, Kind::List);
    assert_eq!(touch(&reading).occurred_at.unwrap().millis(), 1_795_255_200_000);
    assert_eq!(reading.signals[0].id, Some(("l1 m1 2026-11-21 10:00:00".to_owned(), "subscribe".to_owned())));
    let reading = read("getresponse", &recorded("getresponse", "subscribed")).unwrap();
    assert_eq!((touch(&reading).kind, touch(&reading).name.as_deref()), (Kind::List, Some("Анна")));
    assert_eq!(reading.signals[0].id, Some(("c1".to_owned(), "subscribe".to_owned())));
    let reading = read("sendpulse", &recorded("sendpulse", "new_addresses")).unwrap();
    let kinds: Vec<bool> = reading
        .signals
        .iter()
        .map(|read| matches!(&read.signal, Signal::Touch(touch) if touch.kind == Kind::List))
        .collect();
    assert_eq!(kinds, [true, true]);
}

#[test]
fn the_name_of_a_list_is_nobodys_name() {
    let body =
        r#"{"type": "contact_subscribed", "contact": {"campaign": {"name": "News"}, "email": "anna@example.com"}}"#;
    let reading = read("getresponse", &json(body)).unwrap();
    assert_eq!((touch(&reading).name.as_deref(), &touch(&reading).attributes["campaign_name"]), (None, &"News".into()));
}

#[test]
fn a_list_that_tries_the_address_hears_ok() {
    for method in [Method::GET, Method::HEAD] {
        let check = request(method, &format!("{URL}?key=12345"), &[], String::new());
        assert_eq!(verify("mailchimp", &check), Ok(()));
        let reading = read("mailchimp", &check).unwrap();
        assert_eq!((reading.signals.len(), &reading.ignored[..]), (0, &["mailchimp.check"][..]));
    }
    assert_eq!((the("mailchimp").answer)(&form(""), &channel("mailchimp"), None), Answer::Text("ok"));
}
