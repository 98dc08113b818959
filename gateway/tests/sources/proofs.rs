//! Are the telephone providers believed, and only they? The signatures are the vendors' own: made or checked by their
//! Python SDKs, see `tests/oracles/call_vectors.py` (telnyx 4.189.0, plivo 4.63.0, vonage-jwt 1.1.5).

use crate::support::{SECRET, channel, fixtures, recorded, request, the, verify};
use data_encoding::BASE64;
use gateway::channel::Channel;
use gateway::sources::{Denied, Request};
use http::HeaderValue;
use serde_json::Value;

fn file(source: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(format!("{source}_vectors.json"))).unwrap()).unwrap()
}

fn vectors(list: &Value) -> Vec<(String, Request)> {
    let vector = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        let headers: Vec<(&str, &str)> = one["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (&**name, value.as_str().unwrap()))
            .collect();
        (text("name"), request(text("method").parse().unwrap(), &text("url"), &headers, text("body")))
    };
    let vectors: Vec<_> = list.as_array().unwrap().iter().map(vector).collect();
    assert!(!vectors.is_empty());
    vectors
}

fn with_secrets(source: &'static str, secrets: &[&str]) -> Channel {
    Channel { secrets: secrets.iter().map(|secret| (*secret).to_owned().into()).collect(), ..channel(source) }
}

/// No byte of the body may be another.
fn assert_covers_the_body(source: &'static str, name: &str, request: &mut Request) {
    let genuine = request.body.clone();
    for at in 0..genuine.len() {
        let mut body = genuine.to_vec();
        body[at] = if body[at] == b'7' { b'8' } else { b'7' };
        request.body = body.into();
        assert_eq!(verify(source, request), Err(Denied::Wrong), "{source}: {name}, byte {at}");
    }
    request.body = genuine.slice(..genuine.len() / 2);
    assert_eq!(verify(source, request), Err(Denied::Wrong), "{source}: {name}, truncated");
    request.body = genuine;
}

#[test]
fn telnyx_is_believed_in_time_and_over_every_byte() {
    let file = file("telnyx");
    for (name, mut request) in vectors(&file["vectors"]) {
        assert_eq!(verify("telnyx", &request), Ok(()), "{name}");
        assert_covers_the_body("telnyx", &name, &mut request);
        request.headers.insert("telnyx-timestamp", HeaderValue::from_static("1795255261"));
        assert_eq!(verify("telnyx", &request), Err(Denied::Wrong), "{name}, another time");
    }
    for (name, request) in vectors(&file["stale"]) {
        assert_eq!(verify("telnyx", &request), Err(Denied::Stale), "{name}");
    }
}

#[test]
fn telnyx_needs_both_headers_as_telnyx_writes_them() {
    let with = |header: &'static str, values: &[&str]| {
        let mut request = recorded("telnyx", "initiated");
        request.headers.remove(header);
        values.iter().for_each(|value| {
            request.headers.append(header, HeaderValue::from_str(value).unwrap());
        });
        verify("telnyx", &request)
    };
    let (signature, stamp) = ("telnyx-signature-ed25519", "telnyx-timestamp");
    assert_eq!(with(signature, &[]), Err(Denied::Missing));
    assert_eq!(with(stamp, &[]), Err(Denied::Missing));
    assert_eq!(with(stamp, &["1795255255", "1795255256"]), Err(Denied::Missing));
    for wrong in ["NaN", "", "-1", "17952552551795255255", "1795255255.0", "1,795,255,255"] {
        assert_eq!(with(stamp, &[wrong]), Err(Denied::Wrong), "{wrong}");
    }
    for wrong in ["", "!", "AAAA", &BASE64.encode(&[0; 64]), &BASE64.encode(&[0; 65]), &"A".repeat(88)] {
        assert_eq!(with(signature, &[wrong]), Err(Denied::Wrong), "{wrong}");
    }
}

#[test]
fn telnyxs_key_is_known_in_every_way_it_is_copied_and_both_count_while_it_is_changed() {
    let file = file("telnyx");
    let check = |keys: &[&str], secrets: &[&str]| {
        let mut channel = with_secrets("telnyx", secrets);
        channel.settings.insert("public_key", keys.iter().map(|key| (*key).to_owned().into()).collect());
        (the("telnyx").verify)(&recorded("telnyx", "initiated"), &channel)
    };
    let other = BASE64.encode(&[9; 32]);
    for spelling in file["spellings"].as_array().unwrap() {
        let key = spelling.as_str().unwrap();
        assert_eq!(check(&[key], &[]), Ok(()), "{key}");
        assert_eq!(check(&[&other, key], &[]), Ok(()), "{key}");
        assert_eq!(check(&[&format!(" {key}\n")], &[]), Ok(()), "{key}");
    }
    assert_eq!(check(&[&other], &[SECRET]), Err(Denied::Wrong), "a secret of ours is for samples only");
    for none in ["", "no key", "AAAA", &BASE64.encode(&[9; 44])] {
        assert_eq!(check(&[none], &[]), Err(Denied::Misconfigured), "{none}");
    }
}

#[test]
fn plivo_is_believed_over_its_url_and_every_parameter() {
    for (name, mut request) in vectors(&file("plivo")["vectors"]) {
        assert_eq!(verify("plivo", &request), Ok(()), "{name}");
        if !request.body.is_empty() {
            assert_covers_the_body("plivo", &name, &mut request);
        }
        let nonce = "x-plivo-signature-v3-nonce";
        let genuine = request.headers.insert(nonce, HeaderValue::from_static("1")).unwrap();
        assert_eq!(verify("plivo", &request), Err(Denied::Wrong), "{name}, another nonce");
        request.headers.insert(nonce, genuine);
        request.url = request.url.replace("line-1", "line-2");
        assert_eq!(verify("plivo", &request), Err(Denied::Wrong), "{name}, another URL");
    }
}

#[test]
fn plivos_second_version_counts_only_where_the_channel_asks_for_it() {
    let mut v2 = channel("plivo");
    v2.settings.insert("signature", vec!["v2".to_owned().into()]);
    for (name, request) in vectors(&file("plivo")["v2"]) {
        assert_eq!((the("plivo").verify)(&request, &v2), Ok(()), "{name}");
        assert_eq!(verify("plivo", &request), Err(Denied::Missing), "{name}");
        v2.secrets = vec!["54321".to_owned().into()];
        assert_eq!((the("plivo").verify)(&request, &v2), Err(Denied::Wrong), "{name}");
        v2.secrets = vec![SECRET.to_owned().into()];
    }
    assert_eq!((the("plivo").verify)(&recorded("plivo", "hangup"), &v2), Err(Denied::Missing));
}

#[test]
fn a_plivo_proof_that_is_absent_or_foreign_is_refused() {
    let with = |values: &[&str]| {
        let mut request = recorded("plivo", "hangup");
        request.headers.remove("x-plivo-signature-v3");
        values.iter().for_each(|value| {
            request.headers.append("x-plivo-signature-v3", HeaderValue::from_str(value).unwrap());
        });
        verify("plivo", &request)
    };
    assert_eq!(with(&[]), Err(Denied::Missing));
    assert_eq!(with(&["a", "b"]), Err(Denied::Missing));
    for wrong in ["", ",", "c2hvcnQ=", "a,b,c"] {
        assert_eq!(with(&[wrong]), Err(Denied::Wrong), "{wrong}");
    }
    assert_eq!(with(&[&["x"; 9].join(",")]), Err(Denied::Malformed));
    let mut other = recorded("plivo", "hangup");
    other.headers.insert("content-type", HeaderValue::from_static("application/json"));
    assert_eq!(verify("plivo", &other), Err(Denied::Wrong), "a body that the signature does not cover");
}

#[test]
fn vonage_is_believed_by_one_algorithm_over_every_byte() {
    let file = file("vonage");
    for (name, mut request) in vectors(&file["genuine"]) {
        assert_eq!(verify("vonage", &request), Ok(()), "{name}");
        if request.body.is_empty() {
            request.body = "{}".into();
            assert_eq!(verify("vonage", &request), Err(Denied::Wrong), "{name}, with a body");
        } else {
            assert_covers_the_body("vonage", &name, &mut request);
        }
    }
    for (name, request) in vectors(&file["wrong"]) {
        assert_eq!(verify("vonage", &request), Err(Denied::Wrong), "{name}");
    }
    for (name, request) in vectors(&file["stale"]) {
        assert_eq!(verify("vonage", &request), Err(Denied::Stale), "{name}");
    }
    let (_, mut long) = vectors(&file["genuine"]).remove(0);
    let token = format!("Bearer {}", "A".repeat(5000));
    long.headers.insert("authorization", HeaderValue::from_str(&token).unwrap());
    assert_eq!(verify("vonage", &long), Err(Denied::Malformed));
}

#[test]
fn a_setting_says_which_of_vonages_webhooks_are_signed() {
    let answered = |signed: &str, keyed: bool, name: &str, proof: Option<&'static str>| {
        let mut channel = channel("vonage");
        channel.settings.insert("signed", vec![signed.to_owned().into()]);
        channel.url_key = keyed.then(|| "unguessable".to_owned().into());
        let mut request = recorded("vonage", name);
        request.headers.remove("authorization");
        if let Some(proof) = proof {
            request.headers.insert("authorization", HeaderValue::from_static(proof));
        }
        (the("vonage").verify)(&request, &channel)
    };
    for (signed, name, expected) in [
        ("all", "answer_get", Err(Denied::Missing)),
        ("all", "answer_post", Err(Denied::Missing)),
        ("all", "ringing", Err(Denied::Missing)),
        ("events", "answer_get", Ok(())),
        ("events", "answer_post", Ok(())),
        ("events", "ringing", Err(Denied::Missing)),
        ("events", "event_at_answer", Err(Denied::Missing)),
        ("if_present", "answer_get", Ok(())),
        ("if_present", "ringing", Ok(())),
    ] {
        assert_eq!(answered(signed, true, name, None), expected, "{signed}, {name}");
        assert_eq!(
            answered(signed, false, name, None),
            Err(Denied::Missing),
            "{signed}, {name}, no key in the address"
        );
        assert_eq!(answered(signed, true, name, Some("Bearer a.b.c")), Err(Denied::Wrong), "{signed}, {name}");
    }
}

#[test]
fn while_a_secret_is_changed_both_count() {
    for (source, name) in [("plivo", "hangup"), ("vonage", "ringing"), ("freeswitch", "talk"), ("call", "ringing")] {
        let check = |secrets: &[&str]| (the(source).verify)(&recorded(source, name), &with_secrets(source, secrets));
        assert_eq!(check(&["new", SECRET]), Ok(()), "{source}");
        assert_eq!(check(&[SECRET, "new"]), Ok(()), "{source}");
        assert_eq!(check(&["new"]), Err(Denied::Wrong), "{source}");
    }
}

#[test]
fn a_shown_password_is_compared_whole() {
    for source in ["freeswitch", "call"] {
        let with = |proof: &str| {
            let mut request = recorded(source, if source == "call" { "ringing" } else { "talk" });
            request.headers.insert("authorization", HeaderValue::from_str(proof).unwrap());
            verify(source, &request)
        };
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        for good in ["Bearer 12345", &basic("anybody:12345")] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for wrong in ["Bearer 1234", "Bearer 123456", &basic("12345"), &basic("12345:"), "Basic !", "Digest 12345"] {
            assert_eq!(with(wrong), Err(Denied::Wrong), "{wrong}");
        }
    }
}
