//! Is Twilio believed, and only Twilio? Who answered the call?

use crate::support::{SECRET, calls, channel, fixtures, read, recorded, request, the, verify};
use gateway::sources::{Answer, Denied, Refusal, Request};
use http::{HeaderValue, Method};
use lead::entry::{AnsweredBy, Direction, Phase};
use serde_json::Value;
use std::collections::BTreeSet;

const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const FORM: &str = "application/x-www-form-urlencoded";

fn signed(url: &str, media_type: &str, body: &str, signature: &str) -> Request {
    request(Method::POST, url, &[("content-type", media_type), ("x-twilio-signature", signature)], body.to_owned())
}

fn published() -> Request {
    let body = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    signed(URL, FORM, body, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
}

fn vectors() -> Vec<(String, Request)> {
    let file: Value = serde_json::from_slice(&std::fs::read(fixtures().join("twilio_vectors.json")).unwrap()).unwrap();
    assert_eq!(file["token"], SECRET);
    let vector = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let (kind, signature, settings) = (text("content_type"), text("signature"), text("settings"));
        let mut headers = vec![("content-type", &*kind), ("x-twilio-signature", &*signature)];
        if !settings.is_empty() {
            headers.push(("x-twilio-webhooks-signature-settings", &settings));
        }
        (text("name"), request(text("method").parse().unwrap(), &text("url"), &headers, text("body")))
    };
    file["vectors"].as_array().unwrap().iter().map(vector).collect()
}

#[test]
fn the_signatures_twilio_publishes_are_believed() {
    assert_eq!(verify("twilio", &published()), Ok(()));
    let docs = "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212";
    assert_eq!(verify("twilio", &signed(URL, FORM, docs, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")), Ok(()));
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let body = "{\"property\": \"value\", \"boolean\": true}";
    let json = signed(&format!("{URL}&bodySHA256={hash}"), "application/json", body, "a9nBmqA0ju/hNViExpshrM61xv4=");
    assert_eq!(verify("twilio", &json), Ok(()));
}

#[test]
fn the_signatures_of_twilios_own_sdk_are_believed_and_no_others() {
    for (name, mut request) in vectors() {
        assert_eq!(verify("twilio", &request), Ok(()), "{name}");
        if !request.body.is_empty() {
            let genuine = request.body.clone();
            for at in 0..genuine.len() {
                let mut body = genuine.to_vec();
                body[at] = if body[at] == b'7' { b'8' } else { b'7' };
                request.body = body.into();
                assert_eq!(verify("twilio", &request), Err(Denied::Wrong), "{name}, byte {at}");
            }
            request.body = genuine;
        }
        request.url.push('x');
        assert_eq!(verify("twilio", &request), Err(Denied::Wrong), "{name}, another URL");
    }
}

#[test]
fn a_proof_that_is_absent_doubled_or_foreign_is_refused() {
    let with = |header: &'static str, values: &[&'static str]| {
        let mut request = published();
        request.headers.remove(header);
        for value in values {
            request.headers.append(header, HeaderValue::from_static(value));
        }
        verify("twilio", &request)
    };
    let signature = "x-twilio-signature";
    assert_eq!(with(signature, &[]), Err(Denied::Missing));
    assert_eq!(with(signature, &[""]), Err(Denied::Wrong));
    assert_eq!(with(signature, &["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "x"]), Err(Denied::Missing));
    assert_eq!(with(signature, &["rsoydt4t1cutdk1pdd93/vvr8b8="]), Err(Denied::Wrong));
    assert_eq!(with(signature, &["RSOYDt4T1cUTdK1PDd93/VVr8B8"]), Err(Denied::Wrong));
    assert_eq!(with(signature, &["x"; 100]), Err(Denied::Malformed));
    let settings = "x-twilio-webhooks-signature-settings";
    for wrong in ["key=a,algorithm=HMAC_SHA256", "algorithm=none", "algorithm=HMAC_MD5,algorithm=HMAC_SHA1"] {
        assert_eq!(with(settings, &[wrong]), Err(Denied::Wrong), "{wrong}");
    }
    assert_eq!(with(settings, &["key=a", "key=b"]), Err(Denied::Wrong));
    assert_eq!(with(settings, &["key=a"]), Ok(()));
}

#[test]
fn a_body_that_the_signature_does_not_cover_is_refused() {
    let mut request = published();
    request.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(verify("twilio", &request), Err(Denied::Wrong));
    let (_, mut get) = vectors().into_iter().find(|(name, _)| name == "GET").unwrap();
    get.body = "CallStatus=completed".into();
    assert_eq!(verify("twilio", &get), Err(Denied::Wrong));
}

#[test]
fn both_secrets_are_valid_while_one_is_rotated_and_none_is_our_fault() {
    let check = |secrets: &[&str]| {
        let mut channel = channel("twilio");
        channel.secrets = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
        (the("twilio").verify)(&published(), &channel)
    };
    assert_eq!(check(&["new", SECRET]), Ok(()));
    assert_eq!(check(&[SECRET, "new"]), Ok(()));
    assert_eq!(check(&["new"]), Err(Denied::Wrong));
    assert_eq!(check(&[]), Err(Denied::Misconfigured));
}

/// The phases a request tells, in short.
fn phases(name: &str) -> Vec<String> {
    let reading = read("twilio", &recorded("twilio", name)).unwrap();
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
fn only_a_person_answers_a_call_and_only_his_time_is_talk() {
    for (name, expected) in [
        ("voice_url", &["ringing"][..]),
        ("parent_in_progress", &["answered by Machine"]),
        ("parent_completed", &["ended after None"]),
        ("leg_ringing", &["ringing"]),
        ("leg_answered", &["answered by Human"]),
        ("leg_completed", &["answered by Human", "ended after Some(42)"]),
        ("leg_answered_by_machine", &["answered by Machine", "ended after None"]),
        ("leg_no_answer", &[]),
        ("dial_completed", &["answered by Human", "ended after Some(42)", "recorded"]),
        ("dial_no_answer", &["ended after None"]),
        ("outbound_answered", &["answered by Unknown"]),
        ("outbound_to_a_person", &["answered by Human", "ended after Some(33)"]),
    ] {
        assert_eq!(phases(name), expected, "{name}");
    }
}

#[test]
fn all_legs_of_a_call_are_one_call_and_the_caller_is_told_by_the_parent() {
    let names = [
        "voice_url",
        "leg_ringing",
        "leg_answered",
        "leg_completed",
        "dial_completed",
        "parent_completed",
        "recording",
    ];
    let mut ids = BTreeSet::new();
    for name in names {
        let reading = read("twilio", &recorded("twilio", name)).unwrap();
        for call in calls(&reading) {
            ids.insert(call.id.clone());
            assert_eq!(call.direction, Direction::Inbound, "{name}");
            let of_leg = name.starts_with("leg") || matches!(call.phase, Phase::Recorded { .. });
            assert_eq!(call.from.is_none(), of_leg, "{name}");
        }
    }
    assert_eq!(ids.len(), 1);
}

#[test]
fn the_same_state_of_the_same_leg_is_the_same_event() {
    let ids = |name| -> Vec<_> {
        read("twilio", &recorded("twilio", name)).unwrap().signals.into_iter().map(|read| read.id.unwrap()).collect()
    };
    assert_eq!(ids("leg_answered")[0], ids("leg_completed")[0], "the end proves the answer again");
    assert_eq!(ids("dial_completed")[2], ids("recording")[0]);
    let different: BTreeSet<_> = ["voice_url", "parent_completed", "leg_ringing", "leg_completed", "dial_completed"]
        .into_iter()
        .flat_map(ids)
        .collect();
    assert_eq!(different.len(), 8);
}

fn call(fields: &str) -> Request {
    request(Method::POST, "https://leads.example.com/in/line-1", &[("content-type", FORM)], fields.to_owned())
}

#[test]
fn odd_calls_are_kept_and_odd_events_are_left_alone() {
    let base = "CallSid=CA1&From=%2B74950000001&To=%2B74951234567&Direction=inbound";
    for caller in ["anonymous", "Restricted", "%2B266696687", "%2B7378742833", "Unavailable"] {
        let reading = read("twilio", &call(&format!("CallSid=CA1&From={caller}&CallStatus=ringing"))).unwrap();
        assert_eq!(calls(&reading)[0].from, None, "{caller}");
    }
    for (duration, talk_s) in
        [("0", Some(0)), ("36000", Some(36_000)), ("-1", None), ("NaN", None), ("99999999999", None)]
    {
        let fields = format!("{base}&ParentCallSid=CA0&CallStatus=completed&CallDuration={duration}");
        let reading = read("twilio", &call(&fields)).unwrap();
        let Phase::Ended { talk_s: told, .. } = calls(&reading)[1].phase else { panic!("no end") };
        assert_eq!(told, talk_s, "{duration}");
    }
    for (fields, ignored) in [
        (format!("{base}&CallStatus=teleported"), "twilio.other_status"),
        (format!("{base}&StreamEvent=stream-started"), "twilio.other_event"),
        ("MessageSid=SM1&Body=hi".to_owned(), "twilio.message"),
    ] {
        let reading = read("twilio", &call(&fields)).unwrap();
        assert_eq!((reading.ignored, reading.signals.len()), (vec![ignored], 0));
    }
    assert!(matches!(read("twilio", &call("CallSid=&CallStatus=ringing")), Err(Refusal::Unreadable(_))));
}

#[test]
fn a_call_of_our_own_softphone_is_outbound() {
    let reading =
        read("twilio", &call("CallSid=CA1&From=client%3Aivan&To=%2B74951234567&Direction=inbound&CallStatus=ringing"));
    let reading = reading.unwrap();
    let call = calls(&reading)[0];
    assert_eq!((call.direction, call.agent.as_deref()), (Direction::Outbound, Some("ivan")));
}

#[test]
fn the_agent_is_named_as_the_staff_list_names_him() {
    for (to, agent) in [("client:ivan", "ivan"), ("sip:101@pbx.example", "101"), ("+79161234567", "+79161234567")] {
        let to = to.replace('+', "%2B");
        let reading =
            read("twilio", &call(&format!("CallSid=CA2&ParentCallSid=CA1&To={to}&CallStatus=answered"))).unwrap();
        assert_eq!(calls(&reading)[0].agent.as_deref(), Some(agent));
        assert_eq!(calls(&reading)[0].phase, Phase::Answered { by: AnsweredBy::Human });
    }
}

#[test]
fn a_request_for_instructions_gets_an_empty_document_and_a_callback_nothing() {
    let answer = |name: &str| (the("twilio").answer)(&recorded("twilio", name), &channel("twilio"), None);
    for name in ["voice_url", "dial_completed"] {
        assert!(matches!(answer(name), Answer::Body(body, "text/xml") if body.ends_with("<Response/>")), "{name}");
    }
    for name in ["parent_completed", "leg_answered", "recording", "conference"] {
        assert_eq!(answer(name), Answer::Empty, "{name}");
    }
}

#[test]
fn an_event_in_json_is_read_like_a_form_and_one_of_another_kind_is_kept_for_people() {
    let json = |body: &str| read("twilio", &signed(URL, "application/json", body, ""));
    let told = r#"{"CallSid": "CA1", "CallStatus": "ringing", "From": "+14158675309", "To": "+18005551212"}"#;
    let form = "CallSid=CA1&CallStatus=ringing&From=%2B14158675309&To=%2B18005551212";
    assert_eq!(format!("{:?}", json(told)), format!("{:?}", read("twilio", &signed(URL, FORM, form, ""))));
    for other in [r#"{"Level": "ERROR"}"#, "[]", "{", ""] {
        assert!(matches!(json(other), Err(Refusal::Unreadable(_))), "{other}");
    }
}
