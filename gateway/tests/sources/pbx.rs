//! Are Mango, Zadarma and UIS believed and nobody else? Who answered the call, and is it one call?

use crate::support::{SECRET, calls, channel, read, recorded, request, the, verify};
use data_encoding::{BASE64, HEXLOWER};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Reading, Refusal, Request};
use http::{HeaderValue, Method};
use lead::entry::{AnsweredBy, Direction, Phase};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What Mango would post, by the formula of its documentation.
fn mango(rest: &str, json: &str) -> Request {
    signed("demo-key", &format!("demo-key{json}{SECRET}"), rest, json)
}

fn signed(key: &str, hashed: &str, rest: &str, json: &str) -> Request {
    let sign = HEXLOWER.encode(&Sha256::digest(hashed));
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("vpbx_api_key", key).append_pair("sign", &sign).append_pair("json", json);
    let url = format!("https://leads.example.com/in/mango-line/{rest}");
    request(Method::POST, &url, &[("content-type", FORM)], body.finish())
}

fn with_secrets(source: &'static str, secrets: &[&str]) -> Channel {
    let secrets = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
    Channel { secrets, ..channel(source) }
}

fn ids(reading: Reading) -> Vec<(String, String)> {
    reading.signals.into_iter().filter_map(|read| read.id).collect()
}

fn told(source: &'static str, name: &str) -> Reading {
    read(source, &recorded(source, name)).unwrap()
}

/// The phases a recorded request tells, in short.
fn phases(source: &'static str, name: &str) -> Vec<String> {
    let reading = told(source, name);
    let of = |phase: &Phase| match phase {
        Phase::Ringing => "ringing".to_owned(),
        Phase::Answered { by } => format!("answered by {by:?}"),
        Phase::Ended { talk_s, .. } => format!("ended after {talk_s:?}"),
        Phase::Recorded { .. } => "recorded".to_owned(),
    };
    calls(&reading).iter().map(|call| of(&call.phase)).collect()
}

#[test]
fn a_changed_byte_is_not_mangos() {
    let genuine = recorded("mango", "cyrillic_and_emoji");
    assert_eq!(verify("mango", &genuine), Ok(()));
    for at in 0..genuine.body.len() {
        let mut body = genuine.body.to_vec();
        body[at] = if body[at] == b'7' { b'8' } else { b'7' };
        let mut changed = recorded("mango", "cyrillic_and_emoji");
        changed.body = body.into();
        assert_eq!(verify("mango", &changed), Err(Denied::Wrong), "byte {at}");
    }
}

#[test]
fn nothing_moves_between_the_key_the_text_and_the_salt() {
    let text = r#"{"entry_id":"1"}"#;
    let hashed = format!("demo-key{text}{SECRET}");
    assert_eq!(verify("mango", &signed("demo-key", &hashed, "events/call", text)), Ok(()));
    for (key, text) in [("demo-key{", &text[1..]), ("demo-ke", "y{\"entry_id\":\"1\"}"), ("", &hashed[..24])] {
        let request = signed(key, &hashed, "events/call", text);
        assert_eq!(verify("mango", &request), Err(Denied::Wrong), "{key}");
    }
    let longer = format!("{text}{}", &SECRET[..2]);
    assert_eq!(verify("mango", &signed("demo-key", &hashed, "events/call", &longer)), Err(Denied::Wrong));
}

#[test]
fn a_mango_event_without_its_three_fields_or_with_one_of_them_twice_is_refused() {
    let genuine = recorded("mango", "menu_appeared");
    let body = std::str::from_utf8(&genuine.body).unwrap().to_owned();
    let sign = body.split('&').find(|field| field.starts_with("sign=")).unwrap().to_owned();
    for body in [
        String::new(),
        body.replace(&sign, ""),
        format!("{body}&{sign}"),
        format!("{body}&json=%7B%7D"),
        format!("{body}&vpbx_api_key=demo-key"),
        body.replace(&sign, &sign.to_ascii_uppercase().replace("SIGN", "sign")),
        body.replace("demo-key", "other-key"),
        format!("{body}{}", "&a=1".repeat(100_000)),
    ] {
        let mut request = recorded("mango", "menu_appeared");
        request.body = body.into();
        assert_eq!(verify("mango", &request), Err(Denied::Wrong));
    }
}

#[test]
fn both_salts_are_valid_while_one_is_changed_and_a_missing_one_is_our_fault() {
    let check =
        |secrets: &[&str]| (the("mango").verify)(&recorded("mango", "menu_appeared"), &with_secrets("mango", secrets));
    assert_eq!(check(&["new", SECRET]), Ok(()));
    assert_eq!(check(&["new"]), Err(Denied::Wrong));
    assert_eq!(check(&[]), Err(Denied::Misconfigured));
    let keyless = Channel { settings: Default::default(), ..channel("mango") };
    assert_eq!((the("mango").verify)(&recorded("mango", "menu_appeared"), &keyless), Err(Denied::Misconfigured));
}

#[test]
fn only_a_person_answers_and_only_his_time_is_talk() {
    for (source, name, expected) in [
        ("mango", "menu_appeared", &["ringing"][..]),
        ("mango", "menu_connected", &["answered by Machine"]),
        ("mango", "queue_connected", &["answered by Machine"]),
        ("mango", "employee_appeared", &["ringing"]),
        ("mango", "employee_connected", &["answered by Human"]),
        ("mango", "employee_disconnected", &[]),
        ("mango", "consultation", &[]),
        ("mango", "summary_talk", &["ringing", "answered by Human", "ended after Some(60)"]),
        ("mango", "summary_missed", &["ringing", "ended after Some(0)"]),
        ("mango", "summary_ended_in_the_menu", &["ringing", "ended after Some(0)"]),
        ("mango", "recording_completed", &["recorded"]),
        ("zadarma", "start", &["ringing"]),
        ("zadarma", "internal", &["ringing"]),
        ("zadarma", "answer", &["answered by Human"]),
        ("zadarma", "end_answered", &["ended after None"]),
        ("zadarma", "end_missed", &["ended after None"]),
        ("zadarma", "out_end_answered", &["answered by Human", "ended after Some(33)"]),
        ("zadarma", "out_end_busy", &["ended after None"]),
        ("zadarma", "ivr", &[]),
        ("uis", "incoming_call", &["ringing"]),
        ("uis", "waiting", &["ringing"]),
        ("uis", "talk_started", &["answered by Human"]),
        ("uis", "call_finished", &["answered by Human", "ended after Some(60)"]),
        ("uis", "call_finished_without_talk", &["ended after Some(0)"]),
        ("uis", "lost_call", &["ended after None"]),
        ("uis", "recording", &["recorded"]),
    ] {
        assert_eq!(phases(source, name), expected, "{source}/{name}");
    }
}

#[test]
fn all_events_of_a_call_are_one_call_between_the_same_two() {
    for (source, names) in [
        ("mango", &["menu_appeared", "queue_connected", "employee_appeared", "employee_connected", "summary_talk"][..]),
        ("zadarma", &["start", "internal", "end_answered"]),
        ("uis", &["incoming_call", "waiting", "talk_started", "call_finished"]),
    ] {
        let mut seen = BTreeSet::new();
        for name in names {
            for call in calls(&told(source, name)) {
                let customer = (call.direction == Direction::Inbound).then(|| call.from.clone()).flatten();
                seen.insert((call.id.clone(), customer, call.to.clone()));
            }
        }
        let [(_, from, to)] = &seen.iter().collect::<Vec<_>>()[..] else { panic!("{source}: {seen:?}") };
        assert_eq!((from.as_deref(), to.as_deref()), (Some("+79161234567"), Some("+74951234567")), "{source}");
    }
}

#[test]
fn an_employee_is_named_where_he_answers_and_only_offered_where_it_rings() {
    for (source, rings, answers, person) in [
        ("mango", "employee_appeared", "employee_connected", "101"),
        ("zadarma", "internal", "answer", "101"),
        ("uis", "waiting", "talk_started", "501"),
    ] {
        let (rings, answers) = (told(source, rings), told(source, answers));
        let (rings, answers) = (calls(&rings)[0], calls(&answers)[0]);
        assert_eq!((rings.agent.as_deref(), rings.routed_to.as_deref()), (None, Some(person)), "{source}");
        assert_eq!(answers.agent.as_deref(), Some(person), "{source}");
    }
}

#[test]
fn our_own_calls_go_out() {
    for (source, name) in [
        ("mango", "outbound_connected"),
        ("mango", "summary_outbound"),
        ("zadarma", "out_start"),
        ("uis", "outgoing_call"),
        ("uis", "outgoing_finished"),
    ] {
        let reading = told(source, name);
        let call = calls(&reading)[0];
        assert_eq!(call.direction, Direction::Outbound, "{source}/{name}");
        assert_eq!((call.from.as_deref(), call.to.as_deref()), (Some("+74951234567"), Some("+79161234567")));
    }
}

#[test]
fn what_comes_again_is_the_same_event_and_what_differs_is_not() {
    assert_eq!(ids(told("mango", "recording_completed")), ids(told("mango", "record_added")));
    assert_eq!(ids(told("uis", "talk_started"))[0], ids(told("uis", "call_finished"))[0], "the end proves the answer");
    for (source, names) in [
        (
            "mango",
            &[
                "menu_appeared",
                "menu_connected",
                "queue_connected",
                "employee_appeared",
                "employee_connected",
                "summary_talk",
            ][..],
        ),
        ("zadarma", &["start", "internal", "answer", "end_answered", "record"]),
        ("uis", &["incoming_call", "waiting", "call_finished", "recording"]),
    ] {
        let all: Vec<_> = names.iter().flat_map(|name| ids(told(source, name))).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{source}");
    }
}

#[test]
fn mangos_seconds_may_count_from_another_midnight() {
    let at = |clock: &str| {
        let mut channel = channel("mango");
        channel.settings.insert("clock", vec![clock.to_owned().into()]);
        let reading = (the("mango").read)(&recorded("mango", "menu_appeared"), &channel).unwrap();
        calls(&reading)[0].occurred_at.unwrap().to_string()
    };
    assert_eq!(
        (at("utc"), at("utc+3")),
        ("2026-11-21T10:00:00.000Z".to_owned(), "2026-11-21T07:00:00.000Z".to_owned())
    );
    for wild in ["0", "-1", "\"NaN\"", "99999999999999999999", "null"] {
        let json = format!(r#"{{"entry_id":1,"call_id":2,"seq":1,"call_state":"Appeared","timestamp":{wild}}}"#);
        if let Ok(reading) = read("mango", &mango("events/call", &json)) {
            assert_eq!(calls(&reading)[0].occurred_at, None, "{wild}");
        }
    }
}

#[test]
fn ids_are_the_same_as_numbers_and_quoted() {
    let call = |json: &str| ids(read("mango", &mango("events/call", json)).unwrap());
    let quoted = r#"{"entry_id":"7","call_id":"8","seq":"2","call_state":"Connected","to":{"extension":"101"}}"#;
    let number = r#"{"entry_id":7,"call_id":8,"seq":2,"call_state":"Connected","to":{"extension":101}}"#;
    assert_eq!(call(quoted), call(number));
}

#[test]
fn a_recording_without_an_address_is_left_alone() {
    for (source, name, ignored) in [
        ("mango", "recording_completed", "mango.recording_without_address"),
        ("zadarma", "record", "zadarma.recording_without_address"),
    ] {
        let mut channel = channel(source);
        channel.settings.remove("recording_url");
        let reading = (the(source).read)(&recorded(source, name), &channel).unwrap();
        assert_eq!((reading.ignored, reading.signals.len()), (vec![ignored], 0));
    }
}

#[test]
fn what_is_mangos_and_makes_no_sense_is_kept_for_people() {
    let many = format!("{{{}}}", (0..100_000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
    for json in [
        "",
        "{",
        "[]",
        "\"x\"",
        r#"{"entry_id":"1","entry_id":"2"}"#,
        r#"{"call_id":"1"}"#,
        r#"{"entry_id":"1"}"#,
        &many,
        "{\"a\": \"\\ud800\"}",
    ] {
        let request = mango("events/call", json);
        assert_eq!(verify("mango", &request), Ok(()));
        assert!(matches!(read("mango", &request), Err(Refusal::Unreadable(_))), "{:.30}", json);
    }
    assert_eq!((the("mango").answer)(&mango("events/call", "{"), &channel("mango"), None), Answer::Text("ok"));
}

/// What Zadarma's library makes of a signature: base64 of the hexadecimal text. Values made with Python's `hmac`.
#[test]
fn zadarma_signs_in_hexadecimal_inside_base64() {
    let genuine = recorded("zadarma", "start");
    let signature = genuine.header("signature").unwrap().to_owned();
    let hex = BASE64.decode(signature.as_bytes()).unwrap();
    assert_eq!(hex.len(), 40);
    let raw = BASE64.encode(&HEXLOWER.decode(&hex).unwrap());
    let upper = BASE64.encode(&hex.to_ascii_uppercase());
    for wrong in [raw.as_str(), &upper, std::str::from_utf8(&hex).unwrap(), "", &signature[1..]] {
        let mut request = recorded("zadarma", "start");
        request.headers.insert("signature", HeaderValue::from_str(wrong).unwrap());
        assert_eq!(verify("zadarma", &request), Err(Denied::Wrong), "{wrong}");
    }
    let check = |secrets: &[&str]| (the("zadarma").verify)(&genuine, &with_secrets("zadarma", secrets));
    assert_eq!(check(&["new", SECRET]), Ok(()));
    assert_eq!(check(&["new"]), Err(Denied::Wrong));
    assert_eq!(check(&[]), Err(Denied::Misconfigured));
}

#[test]
fn zadarmas_signed_fields_cannot_be_changed_doubled_or_put_under_another_event() {
    let genuine = recorded("zadarma", "start");
    let body = std::str::from_utf8(&genuine.body).unwrap().to_owned();
    for body in [
        body.replace("79161234567", "79161234568"),
        body.replace("74951234567", ""),
        body.replace("13%3A00", "13%3A01"),
        format!("{body}&caller_id=79161234568"),
        format!("caller_id=79161234568&{body}"),
        body.replace("NOTIFY_START", "NOTIFY_OUT_START"),
        body.replace("NOTIFY_START", "NOTIFY_RECORD"),
        body.replace("event=NOTIFY_START&", ""),
        String::new(),
        format!("{body}{}", "&a=1".repeat(100_000)),
    ] {
        let mut request = recorded("zadarma", "start");
        request.body = body.clone().into();
        assert_eq!(verify("zadarma", &request), Err(Denied::Wrong), "{body:.60}");
    }
}

fn asked(method: Method, query: &str, body: &str) -> Request {
    let url = format!("https://leads.example.com/in/zadarma-line{query}");
    request(method, &url, &[("content-type", FORM)], body.to_owned())
}

#[test]
fn zadarma_hears_its_word_again_and_nothing_else() {
    let answer = |request: &Request| (the("zadarma").answer)(request, &channel("zadarma"), None);
    for name in ["echo_get", "echo_post", "echo_post_query"] {
        let said = answer(&recorded("zadarma", name));
        assert_eq!(said, Answer::Body("Abc123".to_owned(), "text/plain; charset=utf-8"), "{name}");
    }
    assert_eq!(answer(&recorded("zadarma", "start")), Answer::Text(""), "an answer would route the call");
    let long = "x".repeat(257);
    for (method, query, body, denied) in [
        (Method::GET, "", "", Denied::Missing),
        (Method::GET, "?event=NOTIFY_START&zd_echo=1", "", Denied::Missing),
        (Method::GET, "?zd_echo=1&zd_echo=2", "", Denied::Missing),
        (Method::POST, "", "event=NOTIFY_START&zd_echo=1", Denied::Wrong),
        (Method::POST, "?zd_echo=1", "event=NOTIFY_START", Denied::Wrong),
        (Method::POST, "", "", Denied::Wrong),
        (Method::POST, "", &format!("zd_echo={long}"), Denied::Wrong),
    ] {
        let request = asked(method, query, body);
        assert_eq!(verify("zadarma", &request), Err(denied), "{query} {body:.40}");
        assert_eq!(answer(&request), Answer::Text(""));
    }
}

#[test]
fn zadarmas_times_need_the_zone_of_the_account() {
    let mut channel = channel("zadarma");
    let at = |channel: &Channel| {
        let reading = (the("zadarma").read)(&recorded("zadarma", "start"), channel).unwrap();
        calls(&reading)[0].occurred_at.map(|at| at.to_string())
    };
    assert_eq!(at(&channel).as_deref(), Some("2026-11-21T10:00:00.000Z"));
    channel.settings.insert("time_zone", vec!["Nowhere".to_owned().into()]);
    assert_eq!(at(&channel), None);
    channel.settings.remove("time_zone");
    assert_eq!(at(&channel), None);
}

fn uis(media_type: &str, body: &str) -> Request {
    let url = "https://leads.example.com/in/uis-line?key=12345";
    request(Method::POST, url, &[("content-type", media_type)], body.to_owned())
}

#[test]
fn the_address_proves_uis_and_jivo() {
    for source in ["uis", "jivo"] {
        let keyed = |url_key: Option<&str>, secrets: &[&str]| Channel {
            url_key: url_key.map(|key| key.to_owned().into()),
            ..with_secrets(source, secrets)
        };
        let ask = |query: &str, channel: &Channel| {
            let url = format!("https://leads.example.com/in/line{query}");
            (the(source).verify)(&request(Method::POST, &url, &[("content-type", JSON)], "{}"), channel)
        };
        let secret = keyed(None, &["new", SECRET]);
        for good in ["?key=12345", "?key=new", "?a=b&key=12345"] {
            assert_eq!(ask(good, &secret), Ok(()), "{source} {good}");
        }
        for wrong in ["?key=1234", "?key=123456", "?key="] {
            assert_eq!(ask(wrong, &secret), Err(Denied::Wrong), "{source} {wrong}");
        }
        for absent in ["", "?KEY=12345", "?key=12345&key=12345", "?key=12345&key=x"] {
            assert_eq!(ask(absent, &secret), Err(Denied::Missing), "{source} {absent}");
        }
        assert_eq!(ask("", &keyed(Some("unguessable"), &[])), Ok(()), "{source}: the edge has compared the path");
        assert_eq!(ask("", &keyed(None, &[])), Err(Denied::Misconfigured), "{source}");
    }
}

#[test]
fn a_placeholder_may_be_quoted_or_left_empty() {
    for (body, from) in [
        (r#"{"event":"lost_call","call_session_id":1,"contact_phone_number":"79161234567"}"#, Some("+79161234567")),
        (r#"{"event":"lost_call","call_session_id":"1","contact_phone_number":79161234567}"#, Some("+79161234567")),
        (r#"{"event":"lost_call","call_session_id":1,"contact_phone_number":"\"79161234567\""}"#, Some("+79161234567")),
        (r#"{"event":"lost_call","call_session_id":1,"contact_phone_number":null}"#, None),
        (r#"{"event":"lost_call","call_session_id":1,"contact_phone_number":"null"}"#, None),
        (r#"{"event":"lost_call","call_session_id":1,"contact_phone_number":"{{contact_phone_number}}"}"#, None),
        (r#"{"event":"lost_call","call_session_id":1}"#, None),
    ] {
        let reading = read("uis", &uis(JSON, body)).unwrap();
        assert_eq!(calls(&reading)[0].from.as_deref(), from, "{body}");
        assert_eq!(ids(reading), [("1".to_owned(), "lost".to_owned())]);
    }
}

#[test]
fn what_uis_sends_in_an_unknown_shape_is_kept_for_people() {
    let many = format!("{{{}}}", (0..100_000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
    for (media_type, body) in [
        (JSON, ""),
        (JSON, "{"),
        (JSON, "[]"),
        (JSON, r#"{"event": "lost_call", "call_session_id": ""1""}"#),
        (JSON, r#"{"event": "lost_call"}"#),
        (JSON, r#"{"event": ["lost_call"], "event": 1}"#),
        (JSON, &many),
        (FORM, ""),
        (FORM, "a=1"),
        (FORM, &"a=1&".repeat(1001)),
    ] {
        assert!(matches!(read("uis", &uis(media_type, body)), Err(Refusal::Unreadable(_))), "{media_type} {body:.40}");
    }
    for media_type in ["text/xml", "text/plain", ""] {
        assert_eq!(read("uis", &uis(media_type, "<a/>")).err(), Some(Refusal::MediaType));
    }
}

#[test]
fn the_templates_of_the_help_are_read_by_the_source() {
    let templates: Vec<&str> = the("uis").help.lines().filter(|line| line.starts_with("`{")).collect();
    assert_eq!(templates.len(), 7);
    for template in templates {
        let mut body = template.trim_matches('`').to_owned();
        while let Some((before, rest)) = body.split_once("{{") {
            let (_, after) = rest.split_once("}}").unwrap();
            body = format!("{before}\"1\"{after}");
        }
        let reading = read("uis", &uis(JSON, &body)).unwrap();
        assert!(!reading.signals.is_empty() && reading.ignored.is_empty(), "{template}");
        assert!(calls(&reading).iter().all(|call| call.id == "1"));
    }
}

#[test]
fn a_person_is_never_a_machine_because_a_field_is_missing() {
    let connected = |location: &str, to: &str| {
        let json = format!(r#"{{"entry_id":1,"call_id":2,"seq":3,"call_state":"Connected"{location}{to}}}"#);
        let reading = read("mango", &mango("events/call", &json)).unwrap();
        calls(&reading)[0].phase.clone()
    };
    let employee = r#","to":{"extension":"101"}"#;
    for (location, to, by) in [
        (r#","location":"abonent""#, "", AnsweredBy::Human),
        ("", employee, AnsweredBy::Human),
        (r#","location":"ivr""#, employee, AnsweredBy::Machine),
        (r#","location":"moon""#, employee, AnsweredBy::Unknown),
        ("", "", AnsweredBy::Unknown),
    ] {
        assert_eq!(connected(location, to), Phase::Answered { by }, "{location} {to}");
    }
}
