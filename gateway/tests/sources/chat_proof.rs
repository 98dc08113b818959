//! Is only the chat itself believed?

use crate::chats::{SHOWN, SIGNED, all, holding};
use crate::support::{channel, recorded, request, the, verify};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Request};
use http::{HeaderValue, Method};
use lead::time::At;
use secrecy::ExposeSecret;

fn with(source: &str, name: &str, header: &'static str, value: &str) -> Request {
    let mut request = recorded(source, name);
    request.headers.insert(header, HeaderValue::from_str(value).unwrap());
    request
}

fn secrets(source: &'static str, secrets: &[&str]) -> Channel {
    let secrets = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
    Channel { secrets, ..channel(source) }
}

#[test]
fn a_changed_body_or_signature_is_not_believed() {
    for (source, name, header) in SIGNED {
        let genuine = recorded(source, name);
        assert_eq!(verify(source, &genuine), Ok(()), "{source}");
        let signature = genuine.header(header).unwrap().to_owned();
        let wrong = [
            String::new(),
            "sha256=".to_owned(),
            signature[..signature.len() - 1].to_owned(),
            format!("{signature}0"),
            signature.to_uppercase(),
            signature.replace("sha256=", "sha1="),
            signature.replace("sha256=", "").chars().rev().collect(),
        ];
        for wrong in wrong.iter().filter(|wrong| **wrong != signature) {
            assert_eq!(verify(source, &with(source, name, header, wrong)), Err(Denied::Wrong), "{source}: {wrong}");
        }
        let written_anew: serde_json::Value = serde_json::from_slice(&genuine.body).unwrap();
        for body in [written_anew.to_string().into_bytes(), genuine.body[..genuine.body.len() - 1].to_vec(), Vec::new()]
        {
            let same = genuine.body == body;
            assert_eq!(verify(source, &holding(source, name, body)), if same { Ok(()) } else { Err(Denied::Wrong) });
        }
    }
}

#[test]
fn a_chat_that_proves_nothing_is_missing_its_proof() {
    for (source, name) in all() {
        let mut bare = recorded(source, name);
        bare.headers.clear();
        assert_eq!(verify(source, &bare), Err(Denied::Missing), "{source}");
        let mut two = recorded(source, name);
        for header in ["x-hub-signature-256", "x-viber-content-signature", "x-chatwoot-signature", "authorization"] {
            two.headers.append(header, HeaderValue::from_static("sha256=00"));
        }
        assert_eq!(verify(source, &two), Err(Denied::Missing), "{source}");
    }
}

#[test]
fn the_secret_of_another_channel_proves_nothing_and_both_rotating_ones_do() {
    for (source, name) in all() {
        let own = channel(source).secrets[0].expose_secret().to_owned();
        let verdict = |given: &[&str]| (the(source).verify)(&recorded(source, name), &secrets(source, given));
        assert_eq!(verdict(&["another"]), Err(Denied::Wrong), "{source}");
        assert_eq!(verdict(&["newer", &own]), Ok(()), "{source}");
        assert_eq!(verdict(&[]), Err(Denied::Misconfigured), "{source}");
    }
}

#[test]
fn a_shown_secret_is_a_password_a_token_or_a_header_of_our_own() {
    for (source, name) in SHOWN {
        for (header, value, expected) in [
            ("authorization", "Bearer long and random", Ok(())),
            ("authorization", "bearer  long and random ", Ok(())),
            ("authorization", "Basic YW55Ym9keTpsb25nIGFuZCByYW5kb20=", Ok(())),
            ("authorization", "Basic bG9uZyBhbmQgcmFuZG9t", Err(Denied::Wrong)),
            ("authorization", "Basic !", Err(Denied::Wrong)),
            ("authorization", "Bearer long and rando", Err(Denied::Wrong)),
            ("authorization", "Digest long and random", Err(Denied::Wrong)),
            ("authorization", "long", Err(Denied::Wrong)),
            ("x-api-key", "long and random", Ok(())),
            ("x-api-key", "long", Err(Denied::Wrong)),
        ] {
            let mut request = recorded(source, name);
            request.headers.remove("authorization");
            request.headers.insert(header, HeaderValue::from_static(value));
            assert_eq!(verify(source, &request), expected, "{source}: {header}: {value}");
        }
    }
}

#[test]
fn meta_is_sent_its_challenge_only_for_the_agreed_token() {
    for source in ["whatsapp", "messenger"] {
        let asked = |query: &str| request(Method::GET, &format!("https://leads.example.com/in/a?{query}"), &[], "");
        let genuine = asked("hub.mode=subscribe&hub.verify_token=spring%20token/1&hub.challenge=115%2B8");
        assert_eq!(verify(source, &genuine), Ok(()));
        let echoed = Answer::Body("115+8".to_owned(), "text/plain; charset=utf-8");
        assert_eq!((the(source).answer)(&genuine, &channel(source), None), echoed);
        for (query, expected) in [
            ("", Denied::Missing),
            ("hub.mode=subscribe&hub.challenge=1", Denied::Missing),
            ("hub.mode=subscribe&hub.verify_token=spring&hub.challenge=1", Denied::Wrong),
            ("hub.mode=unsubscribe&hub.verify_token=spring%20token/1&hub.challenge=1", Denied::Wrong),
            ("hub.verify_token=spring%20token/1", Denied::Wrong),
        ] {
            assert_eq!(verify(source, &asked(query)), Err(expected), "{query}");
        }
        let mut unset = channel(source);
        unset.settings.clear();
        assert_eq!((the(source).verify)(&genuine, &unset), Err(Denied::Misconfigured));
        let post = recorded(source, "text");
        assert_eq!((the(source).answer)(&post, &channel(source), Some("uid")), Answer::Accepted);
    }
}

/// Signed with pywa 4.5.0 (`pywa.utils.webhook_updates_validator`) and with viberbot 1.0.12, Viber's own library
/// (`Api.verify_signature`).
#[test]
fn signatures_of_libraries_that_are_not_ours_are_believed() {
    let meta = r#"{"object":"whatsapp_business_account","name":"\u0410\u043d\u043d\u0430 \ud83c\udfe1","url":"https:\/\/site.example"}"#;
    let viber = r#"{"event":"message","sender":{"id":"01234567890A=","name":"Анна 🏡"},"message":{"type":"text","text":"a"},"message_token":5741311803571721087,"timestamp":1795255200000}"#;
    for (source, header, secret, body, signature) in [
        (
            "whatsapp",
            "x-hub-signature-256",
            "app secret",
            meta,
            "sha256=6da56d7f3fd26cfafd16d8ffdd1b47bbfaef90f84ac5670a551bc85ab0ad6fed",
        ),
        (
            "viber",
            "x-viber-content-signature",
            "spring",
            viber,
            "36e0b3640e4679038db970e7eb92a5d8a8c32ceffaba544da92e87709bf1786d",
        ),
    ] {
        let headers = [("content-type", "application/json"), (header, signature)];
        let signed = request(Method::POST, "https://leads.example.com/in/a", &headers, body);
        assert_eq!((the(source).verify)(&signed, &secrets(source, &[secret])), Ok(()), "{source}");
        assert_eq!((the(source).verify)(&signed, &secrets(source, &["other"])), Err(Denied::Wrong), "{source}");
    }
}

#[test]
fn chatwoots_timestamp_is_signed_and_fresh() {
    let verdict = |secs: i64| {
        let mut late = recorded("chatwoot", "incoming");
        late.received_at = At::from_secs(1_795_255_250 + secs);
        verify("chatwoot", &late)
    };
    for (secs, expected) in
        [(0, Ok(())), (300, Ok(())), (-300, Ok(())), (301, Err(Denied::Stale)), (-301, Err(Denied::Stale))]
    {
        assert_eq!(verdict(secs), expected, "{secs}");
    }
    let fresher = with("chatwoot", "incoming", "x-chatwoot-timestamp", "1795255251");
    assert_eq!(verify("chatwoot", &fresher), Err(Denied::Wrong));
}

#[test]
fn a_chatwoot_that_does_not_sign_needs_an_address_that_nobody_knows() {
    let mut unsigned = recorded("chatwoot", "incoming");
    unsigned.headers.remove("x-chatwoot-signature");
    let mut channel = secrets("chatwoot", &[]);
    assert_eq!((the("chatwoot").verify)(&unsigned, &channel), Err(Denied::Misconfigured));
    channel.url_key = Some("unguessable".to_owned().into());
    assert_eq!((the("chatwoot").verify)(&unsigned, &channel), Ok(()));
}
