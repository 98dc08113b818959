//! Is every form understood, no field lost, and no browser sent where it should not go?

use crate::support::{channel, post, read, recorded, request, the, touch};
use gateway::channel::Channel;
use gateway::sources::{Answer, Refusal, Request};
use http::Method;
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn filled(fields: &str) -> lead::entry::Touch {
    touch(&read("form", &post(FORM, fields.to_owned())).unwrap()).clone()
}

#[test]
fn a_form_post_is_read_in_any_of_its_formats() {
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n+7 916 1234567\r\n--B--\r\n";
    for (media_type, body) in [
        (FORM, "phone=%2B7+916+1234567"),
        ("Application/X-WWW-Form-Urlencoded ; charset=\"UTF-8\"", "phone=%2B7+916+1234567"),
        (JSON, r#"{"phone": "+7 916 1234567"}"#),
        ("application/vnd.api+json", r#"{"phone": "+7 916 1234567"}"#),
        ("text/plain;charset=UTF-8", r#"{"phone": "+7 916 1234567"}"#),
        ("multipart/form-data; boundary=B", multipart),
    ] {
        let reading = read("form", &post(media_type, body)).unwrap();
        assert_eq!(touch(&reading).phones, ["+7 916 1234567"], "{media_type}");
    }
}

#[test]
fn a_form_that_cannot_be_read_is_refused_with_the_fitting_answer() {
    let many = format!("{{{}}}", (0..100_000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
    let parts = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n".repeat(41_000);
    let long = format!("multipart/form-data; boundary={}", "B".repeat(1024));
    for (media_type, body, expected) in [
        (FORM, "", "Bad"),
        (JSON, "", "Bad"),
        (FORM, "name=&phone=++", "Bad"),
        (FORM, "utm_source=x&leadgate_id=1", "Bad"),
        (JSON, "{}", "Bad"),
        (JSON, "[]", "Unreadable"),
        (JSON, "{\"name\": \"\\ud800\"}", "Unreadable"),
        (JSON, "{\"a\": 1e400}", "Unreadable"),
        (JSON, &"[".repeat(256 * 1024), "Unreadable"),
        (JSON, &many, "Unreadable"),
        (FORM, &"a=1&".repeat(1001), "Unreadable"),
        ("application/xml", "<a/>", "MediaType"),
        ("text/plain", "phone=1", "MediaType"),
        ("", "phone=1", "MediaType"),
        ("multipart/form-data", "--B--", "Bad"),
        (&long, "--B--", "Bad"),
        ("multipart/form-data; boundary=B", &parts, "TooLarge"),
    ] {
        let refusal = format!("{:?}", read("form", &post(media_type, body.to_owned())).unwrap_err());
        assert!(refusal.starts_with(expected), "{media_type}: {refusal}");
    }
}

#[test]
fn a_hostile_json_costs_about_what_an_honest_one_of_its_size_does() {
    let keys = |count: usize, value: &str| {
        let pairs: Vec<String> = (0..count).map(|key| format!("\"k{key}\":{value}")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    // The quickest of some: the others waited for the machine.
    let cost = |body: &str| {
        let request = post(JSON, body.to_owned());
        let once = |_| {
            let start = std::time::Instant::now();
            let refused = matches!(read("form", &request), Err(Refusal::Unreadable(_)));
            (start.elapsed(), refused)
        };
        (0..7).map(once).min().unwrap()
    };
    let (honest, refused) = cost(&keys(900, &format!("\"{}\"", "x".repeat(280))));
    assert!(!refused);
    for body in ["[".repeat(256 * 1024), "{\"a\":".repeat(50_000), keys(30_000, "1")] {
        let (hostile, refused) = cost(&body);
        assert!(refused && hostile < honest * 10, "{hostile:?}, an honest one {honest:?}: {:.9}", body);
    }
}

#[test]
fn every_unknown_field_is_kept_and_doubled_ones_as_a_list() {
    let touch = filled("phone=1&phone=2&Colour=red&size=1&size=2&size=3&manager.phone=5&__proto__=x");
    assert_eq!(touch.phones, ["1", "2"]);
    let kept = json!({"Colour": "red", "size": ["1", "2", "3"], "manager.phone": "5", "__proto__": "x"});
    assert_eq!(serde_json::Value::Object(touch.attributes), kept);
}

#[test]
fn long_values_are_cut_at_a_character_and_flagged() {
    let touch = filled(&format!("name={}&x={}&phone={}", "ы".repeat(1 << 18), "я".repeat(10_000), "9".repeat(100_000)));
    assert!(touch.name.unwrap().len() <= 1024 && touch.phones[0].len() <= 256);
    assert_eq!(touch.attributes["x"].as_str().unwrap().len(), 8 * 1024);
    assert!(touch.flags.contains("cut"));
    let many = filled(&(0..50).map(|number| format!("phone={number}")).collect::<Vec<_>>().join("&"));
    assert_eq!((many.phones.len(), many.attributes["phone"].as_array().unwrap().len()), (8, 42));
}

#[test]
fn hostile_text_stays_text() {
    for text in ["=HYPERLINK(1)", "<script>alert(1)</script>", "${jndi:ldap://x}", "{{7*7}}", "'; DROP TABLE", "%s%n"] {
        let touch = touch(&read("form", &post(JSON, json!({"name": text, "x": text}).to_string())).unwrap()).clone();
        assert_eq!((touch.name.as_deref(), &touch.attributes["x"]), (Some(text), &json!(text)));
    }
}

#[test]
fn parts_of_a_name_make_a_name() {
    for (fields, name) in [
        ("first_name=Anna&last_name=K", "Anna K"),
        ("name=Anna&last_name=K", "Anna K"),
        ("name=Anna+K&last_name=K", "Anna K"),
        ("last_name=K", "K"),
        ("%D0%BE%D1%82%D1%87%D0%B5%D1%81%D1%82%D0%B2%D0%BE=P&first_name=A&surname=K", "A P K"),
    ] {
        assert_eq!(filled(fields).name.as_deref(), Some(name), "{fields}");
    }
}

#[test]
fn consent_is_a_tick_or_the_words() {
    let consent = |fields: &str| filled(fields).consent.map(|consent| (consent.given, consent.text));
    assert_eq!(consent("x=1"), None);
    assert_eq!(consent("x=1&agree=on"), Some((true, None)));
    assert_eq!(consent("x=1&consent=0"), Some((false, None)));
    assert_eq!(consent("x=1&consent=I+agree+v2"), Some((true, Some("I agree v2".to_owned()))));
    assert_eq!(consent("x=1&consent=1&consent_text=v3"), Some((true, Some("v3".to_owned()))));
}

#[test]
fn a_post_is_known_by_its_own_id() {
    let id = |headers: &[(&str, &str)], body: &str| {
        let headers = [&[("content-type", FORM)], headers].concat();
        let request = request(Method::POST, "https://leads.example.com/in/spring", &headers, body.to_owned());
        read("form", &request).unwrap().signals.remove(0).id.map(|(id, _)| id)
    };
    assert_eq!(id(&[], "phone=1"), None);
    assert_eq!(id(&[], "phone=1&leadgate_id=abc"), Some("abc".to_owned()));
    assert_eq!(id(&[("idempotency-key", "\"k1\"")], "phone=1"), Some("k1".to_owned()));
    assert_eq!(id(&[("idempotency-key", "k1")], "phone=1&leadgate_id=abc"), Some("abc".to_owned()));
    assert_eq!(id(&[("idempotency-key", "a b")], "phone=1"), None);
    assert_eq!(id(&[("idempotency-key", &"k".repeat(129))], "phone=1"), None);
    assert_eq!(id(&[("idempotency-key", "k1"), ("idempotency-key", "k2")], "phone=1"), None);
}

fn browser(body: &str, accept: &str) -> Request {
    let headers = [("content-type", FORM), ("accept", accept)];
    request(Method::POST, "https://leads.example.com/in/spring", &headers, body.to_owned())
}

fn with_redirects(thanks: Option<&str>) -> Channel {
    Channel {
        redirect: Some("https://site.example/thanks".to_owned()),
        redirect_hosts: vec!["site.example".to_owned(), "shop.example".to_owned()],
        thanks: thanks.map(str::to_owned),
        ..channel("form")
    }
}

#[test]
fn a_browser_is_redirected_only_to_hosts_the_channel_names() {
    let target = |redirect: &str| {
        let body = form_urlencoded::Serializer::new("phone=1&".to_owned()).append_pair("redirect", redirect).finish();
        match (the("form").answer)(&browser(&body, "text/html,*/*"), &with_redirects(None), Some("uid")) {
            Answer::SeeOther(target) => target,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(target("https://SHOP.example/ok?a=b"), "https://shop.example/ok?a=b");
    for elsewhere in [
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "https://user@shop.example/",
        "//shop.example/",
        "/relative",
        "javascript:alert(1)",
        "https://shop.example\\@evil.example",
        "",
    ] {
        let went = target(elsewhere);
        assert!(
            went == "https://site.example/thanks" || went == "https://shop.example/@evil.example",
            "{elsewhere}: {went}"
        );
    }
    assert!(!target("https://shop.example/\r\nSet-Cookie: a=b").contains(['\r', '\n']));
}

#[test]
fn a_browser_without_a_redirect_sees_a_page_and_a_script_gets_json() {
    let answer =
        |accept: &str, channel: &Channel| (the("form").answer)(&browser("phone=1", accept), channel, Some("uid"));
    let plain = Channel { thanks: Some("<b>Спасибо</b>".to_owned()), ..channel("form") };
    let Answer::Body(page, kind) = answer("text/html,application/xhtml+xml", &plain) else { panic!("no page") };
    assert!(kind.starts_with("text/html") && page.contains("&lt;b&gt;Спасибо") && !page.contains("<b>"));
    for accept in ["*/*", "application/json", "text/html, application/json", ""] {
        assert_eq!(answer(accept, &with_redirects(None)), Answer::Accepted, "{accept}");
    }
}

#[test]
fn a_filled_honeypot_is_junk_and_a_message_alone_is_not() {
    assert_eq!(filled("phone=1&leadgate_hp=x").junk.as_deref(), Some("form.honeypot"));
    assert_eq!(filled("phone=1&leadgate_hp=").junk, None);
    let reading = read("form", &recorded("form", "message_only")).unwrap();
    assert_eq!((touch(&reading).junk.as_deref(), touch(&reading).phones.len()), (None, 0));
}
