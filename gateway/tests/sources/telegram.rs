//! Is only Telegram believed, and is nobody's phone taken for another's?

use crate::support::{SECRET, channel, read, recorded, request, the, touch, verify};
use gateway::sources::{Answer, Denied, Refusal, Request};
use http::{HeaderValue, Method};

const TOKEN: &str = "x-telegram-bot-api-secret-token";

fn update(body: impl Into<String>) -> Request {
    let headers = [("content-type", "application/json"), (TOKEN, SECRET)];
    request(Method::POST, "https://leads.example.com/in/bot", &headers, body.into())
}

fn message(inside: &str) -> Request {
    update(format!(
        r#"{{"update_id": 1, "message": {{"chat": {{"id": 7, "type": "private"}}, "from": {{"id": 7, "is_bot": false}}, {inside}}}}}"#
    ))
}

#[test]
fn only_the_secret_token_proves_telegram() {
    let genuine = recorded("telegram", "message");
    assert_eq!(verify("telegram", &genuine), Ok(()));
    let with = |values: &[&'static str]| {
        let mut request = recorded("telegram", "message");
        request.headers.remove(TOKEN);
        values.iter().for_each(|value| {
            request.headers.append(TOKEN, HeaderValue::from_static(value));
        });
        verify("telegram", &request)
    };
    assert_eq!(with(&[]), Err(Denied::Missing));
    assert_eq!(with(&["12345", "x"]), Err(Denied::Missing));
    for wrong in ["", "1234", "123456", "12344"] {
        assert_eq!(with(&[wrong]), Err(Denied::Wrong), "{wrong}");
    }
    let mut channel = channel("telegram");
    channel.secrets.clear();
    assert_eq!((the("telegram").verify)(&genuine, &channel), Err(Denied::Misconfigured));
}

#[test]
fn a_contact_card_counts_only_if_it_is_the_senders_own() {
    let phones = |contact: &str| touch(&read("telegram", &message(contact)).unwrap()).phones.clone();
    assert_eq!(phones(r#""contact": {"phone_number": "74950000001", "user_id": 7}"#), ["+74950000001"]);
    assert_eq!(phones(r#""contact": {"phone_number": "+74950000001", "user_id": 7}"#), ["+74950000001"]);
    assert_eq!(phones(r#""contact": {"phone_number": "74950000001", "user_id": 8}"#), [""; 0]);
    assert_eq!(phones(r#""contact": {"phone_number": "74950000001"}"#), [""; 0]);
}

#[test]
fn a_link_says_where_the_person_came_from() {
    let start = |text: &str| {
        let reading = read("telegram", &message(&format!(r#""text": "{text}""#))).unwrap();
        let touch = touch(&reading);
        (touch.campaign.get("start").cloned(), touch.text.clone())
    };
    assert_eq!(start("/start spring"), (Some("spring".to_owned()), None));
    assert_eq!(start("/start"), (None, None));
    assert_eq!(start("/started"), (None, Some("/started".to_owned())));
}

#[test]
fn a_long_message_is_cut_and_says_so() {
    let reading = read("telegram", &message(&format!(r#""text": "{}""#, "ы".repeat(64 * 1024)))).unwrap();
    let touch = touch(&reading);
    assert_eq!(touch.text.as_ref().unwrap().len(), 64 * 1024);
    assert!(touch.flags.contains("cut"));
}

#[test]
fn what_is_no_update_is_unreadable() {
    for body in [
        "",
        "{}",
        "[]",
        r#"{"update_id": "x"}"#,
        r#"{"update_id": 1, "update_id": 2}"#,
        r#"{"update_id": 1e400}"#,
        r#"{"update_id": 1, "message": {"chat": {"id": 1}}}"#,
        r#"{"update_id": 1} {}"#,
        r#"{"update_id": 1, "message": {"chat": {"id": 1, "type": "\ud800"}}}"#,
    ] {
        assert!(matches!(read("telegram", &update(body)), Err(Refusal::Unreadable(_))), "{body}");
    }
    let deep = format!(r#"{{"update_id": 1, "x": {}}}"#, "[".repeat(250_000));
    assert!(matches!(read("telegram", &update(deep)), Err(Refusal::Unreadable(_))));
    let mut plain = update("{}");
    plain.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(read("telegram", &plain).err(), Some(Refusal::MediaType));
}

#[test]
fn telegram_is_answered_without_a_body() {
    assert_eq!((the("telegram").answer)(&update("{}"), &channel("telegram"), None), Answer::Empty);
}
