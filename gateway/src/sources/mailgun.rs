//! How does a mail that Mailgun received become a touch, and our own answer a reply?
//!
//! - A route whose address ends in `mime` posts the message whole; any other posts it taken apart, and it is put
//!   together again.
//! - The signature covers a timestamp and a token, not the mail. So the timestamp is bounded, and of a field that
//!   comes twice the last counts: a header that the sender named `signature` comes before Mailgun's own.
//! - Mailgun sends a mail again for eight hours, as far as is known under the first signature, so that is how long one
//!   is good; `signature_age` shortens it.
//!
//! From the vendor's documentation of routes and webhook security (documentation.mailgun.com).

use super::shared::carried::{self, Carried, Head};
use super::shared::posted::Posted;
use super::shared::verdicts::{self, Verdicts};
use super::shared::{json, signature};
use super::{
    Answer, BodyLimit, Denied, JSON_TYPE, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source,
    Value, mail,
};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use std::borrow::Cow;
use std::time::Duration;

pub const SOURCE: Source = Source {
    name: "mailgun",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[AGE],
    methods: &[Method::POST],
    verify,
    read,
    // Anything but 200 is sent again, and 406 is never sent again.
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("mailgun.md"),
};

const AGE: Setting = Setting::optional(
    "signature_age",
    Value::Word(&["9h", "5m"]),
    "how long a signature of Mailgun is good: \"9h\" as it sends again for eight hours, or \"5m\"",
);

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    let proof = proof(request).ok_or(Denied::Wrong)?;
    signature::prove(channel, |secret| {
        let ours = signature::hmac_sha256(secret, &[proof.timestamp.as_bytes(), proof.token.as_bytes()]);
        signature::same(HEXLOWER.encode(&ours).as_bytes(), proof.signature.as_bytes())
    })?;
    let signed_at = signature::moment(&proof.timestamp).ok_or(Denied::Wrong)?;
    signature::fresh(signed_at, request, age(channel))
}

fn age(channel: &Channel) -> Duration {
    const HOUR: u64 = 60 * 60;
    Duration::from_secs(if channel.setting(AGE.name) == Some("5m") { 5 * 60 } else { 9 * HOUR })
}

struct Signed {
    timestamp: String,
    token: String,
    signature: String,
}

fn proof(request: &Request) -> Option<Signed> {
    if request.is(JSON_TYPE) {
        let pairs = json::read(&request.body).ok()?;
        let get = |name| pairs.iter().find(|(path, _)| path == name).map(|(_, value)| value.clone().into_owned());
        let (timestamp, token) = (get("signature.timestamp")?, get("signature.token")?);
        return Some(Signed { timestamp, token, signature: get("signature.signature")? });
    }
    let posted = Posted::of(request).ok()?;
    let get = |name| posted.text(name).map(Cow::into_owned);
    Some(Signed { timestamp: get("timestamp")?, token: get("token")?, signature: get("signature")? })
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.is(JSON_TYPE) {
        // Deliveries, bounces, clicks of what we sent: another hook, entered at the wrong address.
        return Ok(Reading::ignored("mailgun.event"));
    }
    let mut posted = Posted::of(request)?;
    let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
    let head = head(&posted);
    let carried = Carried {
        sender: owned(posted.text("sender")),
        recipient: owned(posted.text("recipient")),
        forged: is_forged(&head),
        verdicts: verdicts(&head),
        id: posted.text("token").map(Cow::into_owned),
        ..Carried::default()
    };
    if let Some(raw) = posted.take("body-mime") {
        return mail::letter(&Carried { raw, ..carried }, channel);
    }
    let (plain, html) = (posted.text("body-plain").unwrap_or_default(), posted.text("body-html").unwrap_or_default());
    let raw = Cow::Owned(carried::write(&head, &plain, &html));
    mail::letter(&Carried { raw, files: posted.files.clone(), ..carried }, channel)
}

fn head(posted: &Posted<'_>) -> Head<'static> {
    let listed = posted.bytes("message-headers").and_then(|list| serde_json::from_slice(list).ok());
    let listed: Vec<(String, String)> = listed.unwrap_or_default();
    let listed = listed.into_iter().take(carried::MOST_LINES);
    let mut head: Head<'static> = listed.map(|(name, value)| (name.into(), value.into())).collect();
    for (name, field) in [("From", "from"), ("Subject", "subject"), ("Message-Id", "Message-Id"), ("Date", "Date")] {
        carried::add(&mut head, name, posted.text(field).unwrap_or_default().into_owned());
    }
    carried::add(&mut head, "From", posted.text("sender").unwrap_or_default().into_owned());
    carried::add(&mut head, "To", posted.text("recipient").unwrap_or_default().into_owned());
    head
}

/// Mailgun writes what it checked into the head.
fn is_forged(head: &Head<'_>) -> bool {
    let says = |name: &str, what: &str| {
        let mut said = head.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        said.any(|(_, value)| value.trim().eq_ignore_ascii_case(what))
    };
    says("x-mailgun-spf", "fail") && !says("x-mailgun-dkim-check-result", "pass")
}

fn verdicts(head: &Head<'_>) -> Verdicts {
    let said = |name| carried::first(head, name).and_then(verdicts::word);
    Verdicts { spf: said("x-mailgun-spf"), dkim: said("x-mailgun-dkim-check-result"), dmarc: None }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let timestamp = (now.millis() / 1000).to_string();
    let token = sample.id();
    let secret = signature::current(&channel.secrets).unwrap_or_default();
    let proof = signature::hmac_sha256(secret.as_bytes(), &[timestamp.as_bytes(), token.as_bytes()]);
    let fields = [
        ("recipient", channel.address.as_deref().unwrap_or("sales@company.example")),
        ("sender", sample.email()),
        ("body-mime", &mail::written(channel, sample, now)),
        ("timestamp", &timestamp),
        ("token", &token),
        ("signature", &HEXLOWER.encode(&proof)),
    ];
    SampleRequest::form(&fields).below("/mime")
}
