//! Is only Amazon SNS believed, of our topics, with a certificate from its own host; and does a subscription confirm
//! itself?

use crate::support::{channel, read, recorded, request, the};
use bytes::Bytes;
use gateway::channel::Channel;
use gateway::sources::{Denied, Needed, Refusal, Request};
use http::Method;
use lead::entry::Signal;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Made with `cryptography` 50.0.2 and a certificate of our own; the signed text is that of the PyPI package
/// `sns-message-validator` 0.0.1, which also found the messages of version 1 good.
#[derive(Deserialize)]
struct Vectors {
    url: String,
    certificate: String,
    expired: String,
    of_another_key: String,
    elliptic: String,
    messages: BTreeMap<String, String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/sns.json")).unwrap()
}

/// As SNS posts it, with the certificate where it was fetched already.
fn message(body: &str, certificate: Option<&str>) -> Request {
    let headers = [("content-type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")];
    let mut request = request(Method::POST, "https://leads.example.com/in/mailbox", &headers, body.to_owned());
    let fetched = certificate.map(|certificate| (vectors().url, Bytes::from(certificate.to_owned())));
    request.documents.extend(fetched);
    request
}

fn check(body: &str, certificate: Option<&str>) -> Result<(), Denied> {
    (the("ses").verify)(&message(body, certificate), &channel("ses"))
}

#[test]
fn both_versions_of_a_signature_are_believed() {
    let vectors = vectors();
    for name in
        ["notification_1", "notification_2", "with_subject_1", "with_subject_2", "subscription_1", "subscription_2"]
    {
        assert_eq!(check(&vectors.messages[name], Some(&vectors.certificate)), Ok(()), "{name}");
    }
    let reading = read("ses", &message(&vectors.messages["with_subject_1"], None)).unwrap();
    let Signal::Touch(touch) = &reading.signals[0].signal else { panic!("no touch") };
    assert_eq!((touch.name.as_deref(), touch.text.as_deref()), (Some("Анна"), Some("Сколько стоит? 🏡")));
}

#[test]
fn the_certificate_is_asked_for_once_everything_else_is_in_order() {
    let vectors = vectors();
    let needed = Needed { url: vectors.url.clone(), shown: None, lasting: true };
    assert_eq!(check(&vectors.messages["notification_2"], None), Err(Denied::Needs(needed)));
    for (name, why) in [("other_topic", Denied::Wrong), ("old", Denied::Stale), ("ahead", Denied::Stale)] {
        assert_eq!(check(&vectors.messages[name], None), Err(why), "{name}");
    }
}

#[test]
fn a_changed_message_or_another_certificate_is_not_believed() {
    let vectors = vectors();
    let body = &vectors.messages["with_subject_2"];
    for (what, with) in [
        ("anna@example.com", "eve@example.com"),
        ("22222222", "22222223"),
        ("Receipt", "Deceipt"),
        ("10:00:00.000Z", "10:00:01.000Z"),
        ("\"SignatureVersion\": \"2\"", "\"SignatureVersion\": \"1\""),
        ("\"SignatureVersion\": \"2\"", "\"SignatureVersion\": \"3\""),
        ("\"Type\": \"Notification\"", "\"Type\": \"SubscriptionConfirmation\""),
        ("\"Signature\": \"", "\"Signature\": \"AAAA"),
        ("\"Signature\": \"", "\"Signature\": \"!"),
    ] {
        let changed = body.replace(what, with);
        assert_ne!(&changed, body, "{what}");
        assert_eq!(check(&changed, Some(&vectors.certificate)), Err(Denied::Wrong), "{with}");
    }
    assert_eq!(check(body, Some(&vectors.of_another_key)), Err(Denied::Wrong));
    for unusable in
        [&vectors.expired, &vectors.elliptic, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        assert_eq!(check(body, Some(unusable)), Err(Denied::Misconfigured), "SNS is to try again");
    }
}

#[test]
fn a_certificate_is_fetched_from_amazon_only() {
    let vectors = vectors();
    let body = &vectors.messages["notification_2"];
    let at = |url: &str, channel: &Channel| {
        let body = body.replace(&vectors.url, url);
        (the("ses").verify)(&message(&body, None), channel)
    };
    let ours = channel("ses");
    for good in ["https://sns.eu-west-1.amazonaws.com/x.pem", "https://sns.cn-north-1.amazonaws.com.cn/x.pem"] {
        assert!(matches!(at(good, &ours), Err(Denied::Needs(_))), "{good}");
    }
    for bad in [
        "http://sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
        "https://sns.evil.example/sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.a.b.amazonaws.com/x.pem",
        "https://s3.amazonaws.com/evil/x.pem",
        "https://evil.sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/x.pem",
        "https://x@sns.eu-west-1.amazonaws.com/x.pem",
        "https://sns.eu-west-1.amazonaws.com/x.pem?y",
        "https://sns.eu-west-1.amazonaws.com/x.exe",
        "https://169.254.169.254/x.pem",
        "x.pem",
        "",
    ] {
        let refused = if bad.ends_with("?y") { at(bad, &ours).is_err() } else { at(bad, &ours) == Err(Denied::Wrong) };
        assert!(refused, "{bad}");
    }
    let mut listed = channel("ses");
    listed.settings.insert("sns_hosts", vec!["sns.example.net".to_owned().into()]);
    assert!(matches!(at("https://sns.example.net/x.pem", &listed), Err(Denied::Needs(_))));
    assert_eq!(at("https://sns.eu-west-1.amazonaws.com/x.pem", &listed), Err(Denied::Wrong));
}

#[test]
fn what_is_no_message_of_sns_is_not_believed() {
    let vectors = vectors();
    let bare = request(Method::POST, "https://leads.example.com/in/mailbox", &[], vectors.messages["old"].clone());
    assert_eq!((the("ses").verify)(&bare, &channel("ses")), Err(Denied::Missing), "raw delivery has no signature");
    let twice = vectors.messages["notification_2"].replacen('{', "{\"Type\": \"Notification\", ", 1);
    let wide: String = (0..100_000).map(|key| format!("\"k{key}\":1,")).collect();
    let cut = &vectors.messages["notification_2"][..200];
    for body in ["", "[]", "{}", "{\"Type\": 5}", &twice, cut, &format!("{{{wide}\"a\":1}}")] {
        assert_eq!(check(body, Some(&vectors.certificate)), Err(Denied::Wrong), "{:.40}", body);
    }
    let mut elsewhere = channel("ses");
    elsewhere.settings.clear();
    let genuine = message(&vectors.messages["notification_2"], Some(&vectors.certificate));
    assert_eq!((the("ses").verify)(&genuine, &elsewhere), Err(Denied::Wrong), "no topic is ours");
}

#[test]
fn a_subscription_is_confirmed_by_asking_for_its_address() {
    let mut request = message(&vectors().messages["subscription_2"], None);
    let Err(Refusal::Needs(needed)) = read("ses", &request) else { panic!("nothing is needed") };
    let [Needed { url, shown: None, lasting: false }] = &needed[..] else { panic!("{needed:?}") };
    assert!(url.starts_with("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"), "{url}");
    request.documents.insert(url.clone(), Bytes::from_static(b"<ConfirmSubscriptionResponse/>"));
    let reading = read("ses", &request).unwrap();
    assert_eq!((reading.signals.len(), &reading.ignored[..]), (0, &["ses.subscription"][..]));
    assert!(matches!(read("ses", &recorded("ses", "subscription_elsewhere")), Err(Refusal::Unreadable(_))));
}

#[test]
fn a_mail_too_large_for_sns_still_says_who_wrote() {
    let reading = read("ses", &recorded("ses", "only_the_head")).unwrap();
    let Signal::Touch(touch) = &reading.signals[0].signal else { panic!("no touch") };
    assert_eq!((touch.name.as_deref(), &touch.emails[..]), (Some("Анна"), &["anna@example.com".to_owned()][..]));
    assert!(touch.flags.contains("cut") && touch.text.is_none());
}
