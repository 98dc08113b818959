//! Do the telephone providers' events become the right phases of the right call, and is nothing else believed or lost?

use crate::support::{calls, channel, read, recorded, request, the, verify};
use gateway::sources::{Answer, Denied, Refusal, Request};
use http::{HeaderValue, Method};
use lead::entry::{AnsweredBy, Direction, Phase};
use std::collections::BTreeSet;

const SOURCES: [&str; 5] = ["telnyx", "plivo", "vonage", "freeswitch", "call"];

/// The phases a request tells, in short.
fn phases(source: &'static str, name: &str) -> Vec<String> {
    let reading = read(source, &recorded(source, name)).unwrap();
    calls(&reading)
        .iter()
        .map(|call| match &call.phase {
            Phase::Ringing => "ringing".to_owned(),
            Phase::Answered { by } => format!("answered by {by:?}"),
            Phase::Ended { talk_s, .. } => format!("ended after {talk_s:?}"),
            Phase::Recorded { .. } => "recorded".to_owned(),
        })
        .collect()
}

#[test]
fn only_a_person_answers_a_call() {
    for (source, name, expected) in [
        ("telnyx", "initiated", &["ringing"][..]),
        ("telnyx", "answered_by_application", &["answered by Machine"]),
        ("telnyx", "leg_initiated", &["ringing"]),
        ("telnyx", "leg_answered", &["answered by Human"]),
        ("telnyx", "bridged", &["answered by Human"]),
        ("telnyx", "machine", &["answered by Machine"]),
        ("telnyx", "human", &["answered by Human"]),
        ("telnyx", "leg_hangup", &[]),
        ("telnyx", "hangup", &["ended after None"]),
        ("telnyx", "recording", &["recorded"]),
        ("telnyx", "texml_ringing", &["ringing"]),
        ("telnyx", "texml_leg_completed", &["answered by Human", "ended after Some(42)"]),
        ("plivo", "answer_url", &["ringing"]),
        ("plivo", "in_progress", &["answered by Machine"]),
        ("plivo", "leg_answered", &["answered by Human"]),
        ("plivo", "leg_connected", &["answered by Human"]),
        ("plivo", "leg_hangup", &["answered by Human", "ended after Some(42)"]),
        ("plivo", "leg_unanswered", &[]),
        ("plivo", "dial_completed", &["answered by Human", "ended after None"]),
        ("plivo", "dial_no_answer", &["ended after None"]),
        ("plivo", "hangup", &["ended after None"]),
        ("plivo", "outbound_answered", &["answered by Unknown"]),
        ("plivo", "outbound_to_a_person", &["ended after Some(33)"]),
        ("vonage", "answer_get", &["ringing"]),
        ("vonage", "answered_by_ncco", &["answered by Machine"]),
        ("vonage", "leg_answered", &["answered by Human"]),
        ("vonage", "leg_completed", &["ended after Some(42)"]),
        ("vonage", "leg_unanswered", &[]),
        ("vonage", "leg_machine", &["answered by Machine"]),
        ("vonage", "leg_human", &["answered by Human"]),
        ("vonage", "completed", &["ended after None"]),
        ("freeswitch", "talk", &["ringing", "answered by Human", "ended after Some(41)"]),
        ("freeswitch", "queue", &["ringing", "answered by Human", "ended after Some(32)"]),
        ("freeswitch", "menu_only", &["ringing", "answered by Machine", "ended after None"]),
        ("freeswitch", "voicemail", &["ringing", "answered by Machine", "ended after None"]),
        ("freeswitch", "missed", &["ringing", "ended after None"]),
        ("freeswitch", "own_phone", &["ringing", "answered by Human", "ended after Some(43)"]),
        ("freeswitch", "other_leg", &[]),
        ("call", "answered_by_menu", &["answered by Machine"]),
        ("call", "answered_by_nobody_knows", &["answered by Unknown"]),
        ("call", "answered", &["answered by Human"]),
        ("call", "whole_call", &["ringing", "answered by Human", "ended after Some(42)"]),
        ("call", "missed", &["ringing", "ended after None"]),
    ] {
        assert_eq!(phases(source, name), expected, "{source}/{name}");
    }
}

#[test]
fn all_legs_of_a_call_are_one_call() {
    for (source, names) in [
        ("telnyx", &["initiated", "leg_initiated", "leg_answered", "bridged", "hangup", "recording"][..]),
        ("telnyx", &["texml_ringing", "texml_leg_completed"]),
        ("plivo", &["answer_url", "leg_connected", "leg_hangup", "dial_completed", "hangup", "recording"]),
        ("vonage", &["answer_get", "started", "leg_answered", "leg_human", "leg_completed", "completed", "record"]),
        ("call", &["ringing", "answered", "ended", "recorded"]),
    ] {
        let mut ids = BTreeSet::new();
        for name in names {
            let reading = read(source, &recorded(source, name)).unwrap();
            for call in calls(&reading) {
                ids.insert(call.id.clone());
                assert_eq!(call.direction, Direction::Inbound, "{source}/{name}");
            }
        }
        assert_eq!(ids.len(), 1, "{source}: {names:?}");
    }
}

#[test]
fn the_person_is_named_as_the_staff_list_names_him() {
    for (source, name, agent) in [
        ("telnyx", "leg_answered", "+79161234567"),
        ("telnyx", "leg_to_extension", "101"),
        ("plivo", "leg_connected", "+79161234567"),
        ("plivo", "leg_to_endpoint", "ivan"),
        ("vonage", "leg_answered", "+79161234567"),
        ("vonage", "leg_to_extension", "101"),
        ("freeswitch", "talk", "101"),
        ("freeswitch", "queue", "1001"),
        ("freeswitch", "own_phone", "101"),
        ("call", "answered", "101"),
    ] {
        let reading = read(source, &recorded(source, name)).unwrap();
        let calls = calls(&reading);
        let answered = calls.iter().find(|call| matches!(call.phase, Phase::Answered { .. })).unwrap();
        assert_eq!(answered.agent.as_deref(), Some(agent), "{source}/{name}");
    }
}

#[test]
fn a_call_of_our_own_is_outbound_and_its_customer_is_who_was_called() {
    for (source, name) in [("plivo", "outbound_answered"), ("freeswitch", "own_phone"), ("call", "outbound")] {
        let reading = read(source, &recorded(source, name)).unwrap();
        for call in calls(&reading) {
            assert_eq!(call.direction, Direction::Outbound, "{source}");
            assert_eq!(call.to.as_deref().map(|to| to.trim_start_matches('+')), Some("74950000001"), "{source}");
        }
    }
}

#[test]
fn what_is_told_twice_is_one_event() {
    let ids = |source: &'static str, name: &str| -> Vec<(String, String)> {
        let reading = read(source, &recorded(source, name)).unwrap();
        reading.signals.into_iter().map(|read| read.id.unwrap()).collect()
    };
    assert_eq!(ids("plivo", "leg_answered"), ids("plivo", "leg_connected"));
    assert_eq!(ids("plivo", "leg_connected")[0], ids("plivo", "leg_hangup")[0]);
    assert_eq!(ids("plivo", "leg_connected")[0], ids("plivo", "dial_completed")[0]);
    assert_eq!(ids("vonage", "answer_get"), ids("vonage", "ringing"));
    assert_eq!(ids("vonage", "started"), ids("vonage", "ringing"));
    assert_eq!(ids("freeswitch", "talk"), ids("freeswitch", "talk_base64"));
    for (source, names) in [
        ("telnyx", &["initiated", "leg_initiated", "answered_by_application", "leg_answered", "bridged", "hangup"][..]),
        ("plivo", &["answer_url", "in_progress", "leg_connected", "dial_no_answer", "hangup", "recording"]),
        ("vonage", &["ringing", "leg_ringing", "answered_by_ncco", "leg_answered", "leg_completed", "completed"]),
        ("call", &["ringing", "ringing_at_a_person", "answered_by_menu", "answered_by_somebody", "answered", "ended"]),
    ] {
        let all: BTreeSet<_> = names.iter().flat_map(|name| ids(source, name)).collect();
        assert_eq!(all.len(), names.len(), "{source}: {names:?}");
    }
}

#[test]
fn a_setting_says_whom_the_application_calls_and_whether_machines_are_looked_for() {
    for (source, name, setting, expected) in [
        ("telnyx", "leg_answered", ("outbound_legs", "customers"), "Outbound, answered by Unknown"),
        ("telnyx", "leg_answered", ("machine_detection", "on"), "Inbound, answered by Unknown"),
        ("telnyx", "leg_bridged", ("machine_detection", "on"), "Inbound, answered by Human"),
        ("vonage", "leg_answered", ("outbound_legs", "customers"), "Outbound, answered by Unknown"),
        ("vonage", "leg_human", ("outbound_legs", "customers"), "Outbound, answered by Human"),
        ("vonage", "leg_answered", ("machine_detection", "on"), "Inbound, answered by Unknown"),
    ] {
        let mut channel = channel(source);
        channel.settings.insert(setting.0, vec![setting.1.to_owned().into()]);
        let reading = (the(source).read)(&recorded(source, name), &channel).unwrap();
        let call = calls(&reading)[0];
        let Phase::Answered { by } = call.phase else { panic!("{source}/{name} tells no answer") };
        assert_eq!(format!("{:?}, answered by {by:?}", call.direction), expected, "{source}/{name}, {setting:?}");
        assert_eq!(call.to.is_some(), call.direction == Direction::Outbound, "{source}/{name}, {setting:?}");
    }
}

#[test]
fn telnyxs_leg_to_a_number_of_ours_is_the_customers_and_without_our_numbers_nobody_is_a_person() {
    for (address, numbers, by) in [
        (Some("+74951234567"), &[][..], AnsweredBy::Human),
        (Some("+7 916 123-45-67"), &[], AnsweredBy::Machine),
        (Some("+74951234567"), &["+79161234567"], AnsweredBy::Machine),
        (None, &[], AnsweredBy::Machine),
    ] {
        let mut channel = channel("telnyx");
        channel.address = address.map(str::to_owned);
        channel.settings.insert("numbers", numbers.iter().map(|number| (*number).to_owned().into()).collect());
        let reading = (the("telnyx").read)(&recorded("telnyx", "leg_answered"), &channel).unwrap();
        assert_eq!(calls(&reading)[0].phase, Phase::Answered { by }, "{address:?}, {numbers:?}");
    }
}

#[test]
fn the_channel_names_fields_that_nobody_else_knows() {
    let read = |source: &'static str, name: &str, fields: &[(&str, &str)]| {
        let mut channel = channel(source);
        channel.fields = fields.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect();
        let reading = (the(source).read)(&recorded(source, name), &channel).unwrap();
        calls(&reading)[0].clone()
    };
    assert_eq!(read("vonage", "answer_get", &[("name", "SipHeader_X-Name")]).name.as_deref(), Some("Анна"));
    assert_eq!(read("telnyx", "initiated", &[("utm_source", "tags")]).attributes["utm_source"], "spring");
    assert_eq!(read("telnyx", "initiated", &[("tag", "data.payload.tags")]).attributes["tag"], "spring");
    assert_eq!(read("call", "ringing", &[("line", "queue")]).attributes["line"], "sales");
    assert_eq!(read("freeswitch", "talk", &[("campaign", "sip_h_campaign")]).attributes["campaign"], "spring%");
}

/// What each provider sends its events as.
fn sent(source: &'static str, body: impl Into<bytes::Bytes>) -> Request {
    let media_type = if source == "plivo" { "application/x-www-form-urlencoded" } else { "application/json" };
    request(Method::POST, "https://leads.example.com/in/line-1", &[("content-type", media_type)], body)
}

#[test]
fn what_is_genuine_but_cannot_be_read_is_kept_for_people() {
    let wide = format!("{{{}}}", (0..100_000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
    let deep = "[".repeat(250_000);
    let doubled = r#"{"call": "1", "call": "2", "data": {}, "data": {}, "uuid": "1", "uuid": "2"}"#;
    for source in SOURCES.into_iter().filter(|source| *source != "plivo") {
        for body in ["", "{", "[]", "[{}]", "\"text\"", "1", "null", doubled, &wide, &deep, "{\"call\": \"\\ud800\"}"] {
            let said = read(source, &sent(source, body.to_owned()));
            assert!(matches!(said, Err(Refusal::Unreadable(_))), "{source}: {}: {said:?}", &body[..body.len().min(40)]);
        }
    }
    for body in ["", "CallUUID=", "{}", &"a=1&".repeat(1001)] {
        assert!(matches!(read("plivo", &sent("plivo", body.to_owned())), Err(Refusal::Unreadable(_))), "{body}");
    }
    for source in SOURCES.into_iter().filter(|source| *source != "freeswitch") {
        let mut other = sent(source, "x");
        other.headers.insert("content-type", HeaderValue::from_static("text/plain"));
        assert_eq!(read(source, &other).err(), Some(Refusal::MediaType), "{source}");
    }
}

#[test]
fn ids_may_be_numbers_and_letters_of_any_kind() {
    for (source, number, text) in [
        (
            "telnyx",
            r#"{"data": {"event_type": "call.hangup", "id": 1, "payload": {"call_session_id": 17}}}"#,
            r#"{"data": {"event_type": "call.hangup", "id": "1", "payload": {"call_session_id": "17"}}}"#,
        ),
        (
            "vonage",
            r#"{"conversation_uuid": 17, "uuid": 1, "status": "completed", "from": 74950000001}"#,
            r#"{"conversation_uuid": "17", "uuid": "1", "status": "completed", "from": "74950000001"}"#,
        ),
        (
            "freeswitch",
            r#"{"variables": {"uuid": 17, "direction": "inbound"}, "callflow": [{"times": {"bridged_time": 1795255260000000}}]}"#,
            r#"{"variables": {"uuid": "17", "direction": "inbound"}, "callflow": [{"times": {"bridged_time": "1795255260000000"}}]}"#,
        ),
        (
            "call",
            r#"{"call": 17, "phase": "ended", "talk_s": 3}"#,
            r#"{"call": "17", "phase": "ended", "talk_s": "3"}"#,
        ),
    ] {
        let said = |body: &str| format!("{:?}", read(source, &sent(source, body.to_owned())).unwrap());
        assert_eq!(said(number), said(text), "{source}");
        assert!(said(number).contains("17"), "{source}");
        assert!(said(&text.replace("\"17\"", "\"звонок 🏡\"")).contains("звонок 🏡"), "{source}");
    }
}

#[test]
fn odd_numbers_and_times_lose_nobody() {
    for caller in ["anonymous", "Restricted", "sip:x@y", "0", "+", "привет", "🏡", &"9".repeat(10_000)] {
        let body = serde_json::json!({"call": "1", "phase": "ringing", "from": caller, "at": "yesterday"}).to_string();
        let reading = read("call", &sent("call", body)).unwrap();
        let call = calls(&reading)[0];
        assert_eq!((call.from.as_deref(), call.occurred_at), (Some(&caller[..caller.len().min(1024)]), None));
    }
    for talk in ["-1", "NaN", "1.5", "99999999999", ""] {
        let body = serde_json::json!({"call": "1", "phase": "ended", "talk_s": talk}).to_string();
        let reading = read("call", &sent("call", body)).unwrap();
        assert!(matches!(calls(&reading)[0].phase, Phase::Ended { talk_s: None, .. }), "{talk}");
    }
}

#[test]
fn without_a_proof_nobody_is_believed_and_without_a_secret_it_is_our_fault() {
    for source in SOURCES {
        let empty = sent(source, "");
        assert_eq!(verify(source, &empty), Err(Denied::Missing), "{source}");
        let mut bare = channel(source);
        bare.secrets.clear();
        bare.settings.clear();
        assert_eq!((the(source).verify)(&empty, &bare), Err(Denied::Misconfigured), "{source}");
    }
    for source in ["freeswitch", "call"] {
        let mut keyed = channel(source);
        keyed.secrets.clear();
        keyed.url_key = Some("unguessable".to_owned().into());
        assert_eq!((the(source).verify)(&sent(source, ""), &keyed), Ok(()), "{source}");
    }
}

#[test]
fn each_provider_hears_what_it_wants() {
    let answer =
        |source: &'static str, name: &str| (the(source).answer)(&recorded(source, name), &channel(source), Some("uid"));
    assert_eq!(answer("telnyx", "initiated"), Answer::Empty);
    assert!(matches!(answer("telnyx", "texml_leg_completed"), Answer::Empty));
    assert!(matches!(answer("plivo", "answer_url"), Answer::Body(body, "text/xml") if body.ends_with("<Response/>")));
    assert_eq!(answer("vonage", "leg_answered"), Answer::Empty);
    assert_eq!(answer("vonage", "record"), Answer::Empty);
    let ncco = Answer::Body(r#"[{"action": "talk", "text": "Hello"}]"#.to_owned(), "application/json");
    assert_eq!(answer("vonage", "answer_get"), ncco);
    assert_eq!(answer("vonage", "answer_post"), ncco);
    assert_eq!(answer("freeswitch", "talk"), Answer::Accepted);
    assert_eq!(answer("call", "ringing"), Answer::Accepted);
    let mut broken = channel("vonage");
    for ncco in ["{}", "[", "talk", ""] {
        broken.settings.insert("ncco", vec![ncco.to_owned().into()]);
        let answer = (the("vonage").answer)(&recorded("vonage", "answer_get"), &broken, None);
        assert_eq!(answer, Answer::Body("[]".to_owned(), "application/json"), "{ncco}");
    }
}
