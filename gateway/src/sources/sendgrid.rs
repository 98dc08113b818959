//! How does a mail that SendGrid received become a touch, and our own answer a reply?
//!
//! - It comes whole in the field `email`, or taken apart, with each field in letters of its own that `charsets` names.
//! - The signature of a security policy covers the timestamp and the raw body (ECDSA, P-256, SHA-256). A request that
//!   is sent again within the three days of SendGrid's patience is known by its Message-ID.
//! - SendGrid drops a mail for good at any 4xx, so what is genuine and cannot be read is kept aside, never refused.
//!
//! From the vendor's documentation of Inbound Parse, its security policies, and its Python SDK.

use super::shared::carried::{self, Carried, Head};
use super::shared::posted::{self, Posted};
use super::shared::verdicts::{self, Verdicts};
use super::shared::{shown, signature};
use super::{
    Answer, BodyLimit, Denied, JSON_TYPE, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source,
    Value, mail,
};
use crate::channel::Channel;
use crate::room;
use data_encoding::BASE64;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

pub const SOURCE: Source = Source {
    name: "sendgrid",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::Open,
    settings: &[PUBLIC_KEY],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("sendgrid.md"),
};

const PUBLIC_KEY: Setting = Setting::optional(
    "public_key",
    Value::Text,
    "the public key of the security policy, as SendGrid shows it: base64 that begins with MFkw",
);
const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
/// SendGrid tries for three days.
const OLDEST: Duration = Duration::from_secs(4 * 24 * 60 * 60);

/// Where a public key is configured the address's own key is not enough; the secret is, which samples show.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let Some(key) = channel.setting(PUBLIC_KEY.name) else { return shown::verify(request, channel) };
    match (request.header(SIGNATURE), request.header(TIMESTAMP)) {
        (Some(proof), Some(timestamp)) => signed(request, key, proof, timestamp),
        _ => shown::prove(request, channel),
    }
}

fn signed(request: &Request, key: &str, proof: &str, timestamp: &str) -> Result<(), Denied> {
    let key = point(key).ok_or(Denied::Misconfigured)?;
    let proof = BASE64.decode(proof.as_bytes()).map_err(|_| Denied::Wrong)?;
    let mut whole = room::of(timestamp.len() + request.body.len());
    whole.extend_from_slice(timestamp.as_bytes());
    whole.extend_from_slice(&request.body);
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
    key.verify(&whole, &proof).map_err(|_| Denied::Wrong)?;
    let signed_at = signature::moment(timestamp).ok_or(Denied::Wrong)?;
    signature::fresh(signed_at, request, OLDEST)
}

/// The point in a `SubjectPublicKeyInfo` of P-256 (RFC 5480), which is always written in the same bytes before it.
fn point(key: &str) -> Option<Vec<u8>> {
    const BEFORE: &[u8] =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    let whole = BASE64.decode(key.trim().as_bytes()).ok()?;
    let point = whole.strip_prefix(BEFORE)?;
    (point.len() == 65).then(|| point.to_vec())
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.is(JSON_TYPE) {
        // Deliveries, opens, clicks of what we sent: the event webhook, entered at the wrong address.
        return Ok(Reading::ignored("sendgrid.event"));
    }
    let mut posted = Posted::of(request).map_err(|_| Refusal::Unreadable("the body is not a post of Inbound Parse"))?;
    let envelope = envelope(&posted);
    let carried = Carried {
        sender: envelope.from.map(Cow::Owned),
        recipient: Some(envelope.to.join(", ").into()),
        forged: is_forged(&posted),
        verdicts: verdicts(&posted),
        ..Carried::default()
    };
    if let Some(raw) = posted.take("email") {
        return mail::letter(&Carried { raw, ..carried }, channel);
    }
    mail::letter(&Carried { raw: Cow::Owned(apart(&posted)), files: posted.files.clone(), ..carried }, channel)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    to: Vec<String>,
    from: Option<String>,
}

fn envelope(posted: &Posted<'_>) -> Envelope {
    posted.bytes("envelope").and_then(|said| serde_json::from_slice(said).ok()).unwrap_or_default()
}

/// The message, from its fields.
fn apart(posted: &Posted<'_>) -> Vec<u8> {
    let charsets = posted.bytes("charsets").and_then(|said| serde_json::from_slice(said).ok());
    let charsets: HashMap<String, String> = charsets.unwrap_or_default();
    let text = |name: &str| {
        let charset = charsets.get(name).map(String::as_str);
        posted.bytes(name).map(|bytes| posted::text(bytes, charset)).unwrap_or_default()
    };
    let headers = text("headers");
    let mut head: Head<'_> = carried::head(&headers);
    for (name, field) in [("From", "from"), ("To", "to"), ("Subject", "subject")] {
        carried::add(&mut head, name, text(field));
    }
    carried::write(&head, &text("text"), &text("html"))
}

fn is_forged(posted: &Posted<'_>) -> bool {
    let said = |name| posted.text(name).unwrap_or_default().trim().to_ascii_lowercase();
    said("SPF") == "fail" && !said("dkim").contains("pass")
}

/// `SPF` is a word; `dkim` is `none`, or `{@a.example : pass, @b.example : fail}`.
fn verdicts(posted: &Posted<'_>) -> Verdicts {
    let said = |name| posted.text(name).unwrap_or_default().into_owned();
    let dkim = said("dkim");
    let words = dkim.split([':', ',', '{', '}']).filter_map(verdicts::word);
    Verdicts { spf: verdicts::word(&said("SPF")), dkim: verdicts::best(words), dmarc: None }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let to = channel.address.as_deref().unwrap_or("sales@company.example");
    let from = sample.email();
    let envelope = serde_json::json!({"to": [to], "from": from}).to_string();
    let mail = mail::written(channel, sample, now);
    SampleRequest::multipart(&[("email", &mail), ("envelope", &envelope)]).with(shown::header(channel))
}
