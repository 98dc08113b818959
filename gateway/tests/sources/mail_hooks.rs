//! Are Mailgun, SendGrid and Postmark believed only with their proof, and does a mail they took apart read like the
//! whole one?

use crate::support::{SECRET, channel, now, read, recorded, request, the, touch, verify};
use data_encoding::{BASE64, HEXLOWER};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Refusal, Request};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method};
use lead::entry::Signal;
use serde::Deserialize;
use std::collections::BTreeMap;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=xYzZY";
const BASIC: &str = "Basic bGVhZGdhdGU6MTIzNDU=";

fn post(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Request {
    request(Method::POST, "https://leads.example.com/in/mailbox", headers, body.into())
}

fn set(request: &mut Request, name: &'static str, value: &str) {
    request.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
}

fn parts(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--xYzZY--\r\n"
}

// --- Mailgun

/// Signed the way Mailgun's documentation says, without the product's help.
fn mailgun(secret: &str, timestamp: &str, more: &[(&str, &str)]) -> Request {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}token").as_bytes());
    let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
    let proof = [("timestamp", timestamp), ("token", "token"), ("signature", &signature)];
    let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(more.iter().chain(&proof)).finish();
    post(&[("content-type", FORM)], fields)
}

fn seconds(ago: i64) -> String {
    (now().millis() / 1000 - ago).to_string()
}

#[test]
fn mailgun_proves_itself_by_a_fresh_signature() {
    assert_eq!(verify("mailgun", &mailgun(SECRET, &seconds(0), &[])), Ok(()));
    assert_eq!(verify("mailgun", &mailgun("54321", &seconds(0), &[])), Err(Denied::Wrong));
    let mut rotating = channel("mailgun");
    rotating.secrets.insert(0, "54321".to_owned().into());
    for secret in [SECRET, "54321"] {
        assert_eq!((the("mailgun").verify)(&mailgun(secret, &seconds(0), &[]), &rotating), Ok(()));
    }
    rotating.secrets.clear();
    let unset = (the("mailgun").verify)(&mailgun(SECRET, &seconds(0), &[]), &rotating);
    assert_eq!(unset, Err(Denied::Misconfigured));
    for body in ["", "timestamp=1&token=2", "signature=%00", "=&=&%"] {
        assert_eq!(verify("mailgun", &post(&[("content-type", FORM)], body)), Err(Denied::Wrong), "{body}");
    }
    let mut upper = recorded("mailgun", "event");
    upper.body = String::from_utf8(upper.body.to_vec()).unwrap().to_uppercase().into();
    assert_eq!(verify("mailgun", &upper), Err(Denied::Wrong));
}

#[test]
fn a_signature_of_mailgun_is_good_as_long_as_it_tries_or_as_the_channel_says() {
    const HOUR: i64 = 3600;
    let strict =
        Channel { settings: BTreeMap::from([("signature_age", vec!["5m".to_owned().into()])]), ..channel("mailgun") };
    for (ago, patient, hasty) in [
        (8 * HOUR, Ok(()), Err(Denied::Stale)),
        (360, Ok(()), Err(Denied::Stale)),
        (240, Ok(()), Ok(())),
        (10 * HOUR, Err(Denied::Stale), Err(Denied::Stale)),
        (-240, Ok(()), Ok(())),
        (-360, Err(Denied::Stale), Err(Denied::Stale)),
    ] {
        let request = mailgun(SECRET, &seconds(ago), &[]);
        assert_eq!(verify("mailgun", &request), patient, "{ago}");
        assert_eq!((the("mailgun").verify)(&request, &strict), hasty, "{ago}");
    }
    for odd in ["NaN", "17952552601795255260", "", "-1"] {
        assert_eq!(verify("mailgun", &mailgun(SECRET, odd, &[])), Err(Denied::Wrong), "{odd}");
    }
}

#[test]
fn a_head_that_names_mailguns_fields_does_not_speak_for_mailgun() {
    let smuggled =
        [("signature", "00"), ("timestamp", "1"), ("recipient", "x@else.example"), ("recipient", "a@b.example")];
    let request = mailgun(SECRET, &seconds(0), &[&smuggled[..], &[("sender", "anna@example.com")]].concat());
    assert_eq!(verify("mailgun", &request), Ok(()));
    let reading = read("mailgun", &request).unwrap();
    assert_eq!(touch(&reading).attributes["envelope_to"], "a@b.example");
}

#[test]
fn a_mail_of_mailgun_that_says_nothing_is_kept_aside() {
    for fields in [&[("hello", "world")][..], &[("body-mime", "")], &[("message-headers", "[[\"From\"]]")]] {
        let reading = read("mailgun", &mailgun(SECRET, &seconds(0), fields));
        assert!(matches!(reading, Err(Refusal::Unreadable(_))), "{fields:?}");
    }
    let wrong = post(&[("content-type", "text/xml")], "<a/>");
    assert_eq!(read("mailgun", &wrong).err(), Some(Refusal::MediaType));
}

#[test]
fn a_mail_of_mailgun_with_very_many_fields_is_refused() {
    let many = "a=1&".repeat(100_000);
    assert!(matches!(read("mailgun", &post(&[("content-type", FORM)], many)), Err(Refusal::Unreadable(_))));
    let many = parts(&vec![("a", "1"); 1001]);
    assert!(matches!(read("mailgun", &post(&[("content-type", MULTIPART)], many)), Err(Refusal::TooLarge(_))));
    let enough: Vec<(&str, &str)> = vec![("X-A", "1"); 900].into_iter().chain([("from", "anna@example.com")]).collect();
    assert!(read("mailgun", &post(&[("content-type", MULTIPART)], parts(&enough))).is_ok());
}

// --- SendGrid

/// Signed with `cryptography` 50.0.2 and found good by `EventWebhook.verify_signature` of the PyPI package `sendgrid`
/// 6.12.5.
#[derive(Deserialize)]
struct Vectors {
    public_key: String,
    other_key: String,
    body: String,
    signed: BTreeMap<String, Signed>,
}

#[derive(Deserialize)]
struct Signed {
    timestamp: String,
    signature: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/sendgrid.json")).unwrap()
}

fn keyed(key: &str) -> Channel {
    Channel { settings: BTreeMap::from([("public_key", vec![key.to_owned().into()])]), ..channel("sendgrid") }
}

fn sendgrid(body: &str, signed: &Signed) -> Request {
    let mut request = post(&[("content-type", MULTIPART)], body);
    set(&mut request, "x-twilio-email-event-webhook-signature", &signed.signature);
    set(&mut request, "x-twilio-email-event-webhook-timestamp", &signed.timestamp);
    request
}

#[test]
fn sendgrids_own_signatures_are_believed_while_they_are_fresh() {
    let vectors = vectors();
    let channel = keyed(&vectors.public_key);
    for (name, result) in [
        ("now", Ok(())),
        ("two_days_old", Ok(())),
        ("five_days_old", Err(Denied::Stale)),
        ("ahead", Err(Denied::Stale)),
        ("no_number", Err(Denied::Wrong)),
        ("twenty_digits", Err(Denied::Wrong)),
    ] {
        let request = sendgrid(&vectors.body, &vectors.signed[name]);
        assert_eq!((the("sendgrid").verify)(&request, &channel), result, "{name}");
    }
    let reading = read("sendgrid", &sendgrid(&vectors.body, &vectors.signed["now"])).unwrap();
    assert_eq!(touch(&reading).name.as_deref(), Some("Анна"));
    assert_eq!(touch(&reading).text.as_deref(), Some("Сколько стоит? 🏡"));
}

#[test]
fn any_other_signature_is_not_sendgrids() {
    let vectors = vectors();
    let now = &vectors.signed["now"];
    let check = |request: &Request, key: &str| (the("sendgrid").verify)(request, &keyed(key));
    let genuine = sendgrid(&vectors.body, now);
    assert_eq!(check(&genuine, &vectors.other_key), Err(Denied::Wrong));
    assert_eq!(check(&sendgrid(&vectors.body.replace("Анна", "Инна"), now), &vectors.public_key), Err(Denied::Wrong));
    let older = Signed { timestamp: "1795255199".to_owned(), signature: now.signature.clone() };
    assert_eq!(check(&sendgrid(&vectors.body, &older), &vectors.public_key), Err(Denied::Wrong));
    for signature in ["", "x", "AAAA", "MEUCIQ=="] {
        let odd = Signed { timestamp: now.timestamp.clone(), signature: signature.to_owned() };
        assert_eq!(check(&sendgrid(&vectors.body, &odd), &vectors.public_key), Err(Denied::Wrong), "{signature}");
    }
    for key in ["", "MFkw", "!"] {
        assert_eq!(check(&genuine, key), Err(Denied::Misconfigured), "{key}");
    }
}

#[test]
fn with_a_public_key_only_a_signature_or_the_secret_opens() {
    let vectors = vectors();
    let mut channel = keyed(&vectors.public_key);
    let unsigned = post(&[("content-type", MULTIPART)], vectors.body.clone());
    let shown = post(&[("content-type", MULTIPART), ("authorization", BASIC)], vectors.body.clone());
    assert_eq!((the("sendgrid").verify)(&unsigned, &channel), Err(Denied::Missing));
    assert_eq!((the("sendgrid").verify)(&shown, &channel), Ok(()));
    channel.secrets.clear();
    channel.url_key = Some("a-key-of-the-address".to_owned().into());
    assert_eq!((the("sendgrid").verify)(&unsigned, &channel), Err(Denied::Missing));
    assert_eq!((the("sendgrid").verify)(&shown, &channel), Err(Denied::Wrong));
}

#[test]
fn what_sendgrid_would_drop_for_good_is_kept_aside_instead() {
    for (kind, body) in
        [("text/plain", "x"), ("multipart/form-data", "x"), (MULTIPART, "--xYzZY"), (MULTIPART, ""), (FORM, "a=1")]
    {
        let request = post(&[("content-type", kind), ("authorization", BASIC)], body);
        assert_eq!(verify("sendgrid", &request), Ok(()));
        assert!(matches!(read("sendgrid", &request), Err(Refusal::Unreadable(_))), "{kind}: {body}");
    }
}

#[test]
fn odd_notes_of_sendgrid_do_not_lose_the_mail() {
    for (charsets, envelope) in
        [("[]", "x"), ("{\"text\": 5}", "{\"to\": 1}"), ("{\"text\": \"no-such\"}", "{}"), ("", "")]
    {
        let fields = [("from", "a@b.example"), ("text", "Привет"), ("charsets", charsets), ("envelope", envelope)];
        let request = post(&[("content-type", MULTIPART), ("authorization", BASIC)], parts(&fields));
        let reading = read("sendgrid", &request).unwrap();
        assert_eq!(touch(&reading).text.as_deref(), Some("Привет"), "{charsets} {envelope}");
    }
}

#[test]
fn a_mail_of_many_pieces_keeps_every_byte() {
    let words: String = (0..40_000).map(|number| format!("{number} ")).collect();
    let mail = format!("From: a@b.example\r\nMessage-ID: <1@x>\r\n\r\n{words}end");
    let request =
        post(&[("content-type", MULTIPART), ("authorization", BASIC)], parts(&[("email", &mail), ("to", "x")]));
    let reading = read("sendgrid", &request).unwrap();
    let text = touch(&reading).text.clone().unwrap();
    assert!(words.starts_with(&text) && text.len() > 60 * 1024 && touch(&reading).flags.contains("cut"));
    let html = format!("<p>{}</p>", "wide ".repeat(30_000));
    let request =
        post(&[("content-type", MULTIPART)], parts(&[("from", "a@b.example"), ("html", &html), ("text", "short")]));
    assert_eq!(touch(&read("sendgrid", &request).unwrap()).text.as_deref(), Some("short"));
}

// --- Postmark

fn postmark(body: &str) -> Request {
    post(&[("content-type", "application/json"), ("authorization", BASIC)], body)
}

#[test]
fn postmark_shows_its_password_or_its_address_is_secret() {
    let request = postmark("{}");
    assert_eq!(verify("postmark", &request), Ok(()));
    let bare = post(&[("content-type", "application/json")], "{}");
    assert_eq!(verify("postmark", &bare), Err(Denied::Missing));
    let wrong = format!("Basic {}", BASE64.encode(b"leadgate:54321"));
    assert_eq!(verify("postmark", &post(&[("authorization", &wrong)], "{}")), Err(Denied::Wrong));
    let mut channel = channel("postmark");
    channel.secrets.clear();
    assert_eq!((the("postmark").verify)(&request, &channel), Err(Denied::Misconfigured), "an open door is a mistake");
    channel.url_key = Some("a-key-of-the-address".to_owned().into());
    assert_eq!((the("postmark").verify)(&bare, &channel), Ok(()));
}

#[test]
fn what_is_no_mail_of_postmark_is_kept_aside() {
    for body in [
        "",
        "[]",
        "{}",
        "{\"From\": 5}",
        "{\"From\": \"a@b.example\", \"From\": \"c@d.example\"}",
        "{\"Headers\": [[]]}",
        "{\"From\": \"a@b.example\"} {}",
        "{\"From\": \"\\ud800\"}",
    ] {
        assert!(matches!(read("postmark", &postmark(body)), Err(Refusal::Unreadable(_))), "{body}");
    }
    let plain = post(&[("content-type", "text/plain")], "{}");
    assert_eq!(read("postmark", &plain).err(), Some(Refusal::MediaType));
}

#[test]
fn a_mail_of_postmark_with_very_many_keys_is_still_a_mail() {
    let keys: String = (0..100_000).map(|key| format!("\"k{key}\": [1, \"emoji 🏡\"], ")).collect();
    let reading = read("postmark", &postmark(&format!("{{{keys}\"From\": \"anna@example.com\"}}"))).unwrap();
    assert_eq!(touch(&reading).emails, ["anna@example.com"]);
    let headers = "{\"Name\": \"X-A\", \"Value\": \"b\"}, ".repeat(100_000);
    let body =
        format!("{{\"Headers\": [{headers}{{\"Name\": \"X-B\", \"Value\": \"c\"}}], \"From\": \"anna@example.com\"}}");
    assert!(read("postmark", &postmark(&body)).is_ok());
}

// --- all

#[test]
fn a_mail_reads_the_same_whole_and_apart() {
    let said = |source: &'static str, name: &str| {
        let reading = read(source, &recorded(source, name)).unwrap();
        let touch = touch(&reading);
        (touch.emails.clone(), touch.text_phones.clone(), touch.occurred_at, touch.attributes["subject"].clone())
    };
    let whole = said("mailgun", "mime");
    for (source, name) in [
        ("mailgun", "mime_in_parts"),
        ("mailgun", "fields"),
        ("sendgrid", "raw"),
        ("sendgrid", "each_field_in_its_letters"),
        ("postmark", "raw_email"),
        ("ses", "base64"),
    ] {
        assert_eq!(said(source, name), whole, "{source}/{name}");
    }
}

#[test]
fn machines_and_colleagues_are_known_in_every_mail() {
    for source in ["mailgun", "sendgrid", "postmark", "ses"] {
        let reading = read(source, &recorded(source, "reply_of_a_colleague")).unwrap();
        let Signal::Reply(reply) = &reading.signals[0].signal else { panic!("{source}: no reply") };
        assert_eq!(
            (&reply.to_emails[..], reply.by.as_deref()),
            (&["anna@example.com".to_owned()][..], Some("ivan@company.example"))
        );
        let bounce = if source == "postmark" { "bounce_report" } else { "bounce" };
        let reading = read(source, &recorded(source, bounce)).unwrap();
        assert_eq!(touch(&reading).junk.as_deref(), Some("mail.bounce"), "{source}");
    }
    for source in ["mailgun", "sendgrid", "ses"] {
        assert!(matches!(read(source, &recorded(source, "forged_colleague")), Err(Refusal::Unreadable(_))), "{source}");
    }
}

/// The words of RFC 8601 under three names, whoever found it out and however he writes it.
#[test]
fn what_a_provider_found_out_about_a_sender_has_one_name() {
    let sendgrid = |spf: &str, dkim: &str| {
        let fields = [("from", "a@x.example"), ("text", "hi"), ("SPF", spf), ("dkim", dkim)];
        ("sendgrid", post(&[("content-type", MULTIPART)], parts(&fields)))
    };
    let mailgun = |spf: &str, dkim: &str| {
        let head = format!(
            "[[\"X-Mailgun-Spf\", {spf:?}], [\"X-Mailgun-Dkim-Check-Result\", {dkim:?}], [\"X-Mailgun-Spf\", \"Pass\"]]"
        );
        ("mailgun", mailgun(SECRET, &seconds(0), &[("from", "a@x.example"), ("message-headers", &head)]))
    };
    let postmark = |spf: &str, rules: &str| {
        let lines = [("X-Spam-Tests", rules), ("Received-SPF", spf), ("Received-SPF", "Pass")];
        let lines = lines.map(|(name, value)| format!("{{\"Name\": {name:?}, \"Value\": {value:?}}}")).join(",");
        ("postmark", postmark(&format!("{{\"From\": \"a@x.example\", \"Headers\": [{lines}]}}")))
    };
    let ses = |verdict: [&str; 3]| {
        let [spf, dkim, dmarc] = verdict.map(|status| serde_json::json!({"status": status}));
        let receipt = serde_json::json!({"spfVerdict": spf, "dkimVerdict": dkim, "dmarcVerdict": dmarc});
        let notice =
            serde_json::json!({"notificationType": "Received", "mail": {"source": "a@x.example"}, "receipt": receipt});
        let envelope = serde_json::json!({"Type": "Notification", "Message": notice.to_string()});
        ("ses", post(&[("content-type", "text/plain")], envelope.to_string()))
    };
    for ((source, request), expected) in [
        (sendgrid("pass", "{@x.example : pass}"), ["pass", "pass", "-"]),
        (sendgrid("SoftFail", "{@x.example : fail, @y.example : pass}"), ["softfail", "pass", "-"]),
        (sendgrid("fail", "{@x.example : fail}"), ["fail", "fail", "-"]),
        (sendgrid("", "none"), ["-", "none", "-"]),
        (mailgun("Pass", "Pass"), ["pass", "pass", "-"]),
        (mailgun("Neutral", "Fail"), ["neutral", "fail", "-"]),
        (postmark("Pass (sender SPF authorized) identity=mailfrom", "DKIM_SIGNED,DKIM_VALID"), ["pass", "pass", "-"]),
        (postmark("softfail (x)", "DKIM_SIGNED, DKIM_INVALID"), ["softfail", "fail", "-"]),
        (postmark("None", "HTML_MESSAGE"), ["none", "-", "-"]),
        (ses(["PASS", "GRAY", "PASS"]), ["pass", "none", "pass"]),
        (ses(["FAIL", "PROCESSING_FAILED", "FAIL"]), ["fail", "temperror", "fail"]),
    ] {
        let reading = read(source, &request).unwrap();
        let found = touch(&reading);
        let words =
            ["spf", "dkim", "dmarc"].map(|name| found.attributes.get(name).map_or("-", |word| word.as_str().unwrap()));
        assert_eq!(words, expected, "{source}");
        assert_eq!(found.flags.contains("dmarc_failed"), expected[2] == "fail", "{source}");
    }
}

#[test]
fn every_mail_is_answered_200() {
    for source in ["mailgun", "sendgrid", "postmark", "ses"] {
        assert_eq!((the(source).answer)(&post(&[], ""), &channel(source), Some("uid")), Answer::Accepted);
    }
}
