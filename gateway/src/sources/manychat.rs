//! How does a step of a ManyChat flow become a touch?
//!
//! An *External Request* is no feed: whoever built the flow decides where it asks us and with which fields, usually the
//! full contact. There is no event id, so a post is known again by its content, or by `leadgate_id` where the builder
//! put one. What was filled with nothing, like `{{phone}}`, is no value.
//!
//! From ManyChat's help on External Requests and its reference of dynamic blocks (manychat.github.io).

use super::shared::renamed::{self, Names, Person};
use super::shared::{fields, json, shown};
use super::{Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;

pub const SOURCE: Source = Source {
    name: "manychat",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST, Method::PUT],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("manychat.md"),
};

const NAMES: &Names = &[
    ("custom_fields.", ""),
    ("last_input_text", "message"),
    ("whatsapp_phone", "phone"),
    ("optin_phone", "phone_consent"),
    ("key", ""),
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let mut pairs = json::read(request.json()?)?;
    if pairs.is_empty() {
        // The step was tried before anything was put into its body.
        return Ok(Reading::ignored("manychat.empty"));
    }
    let id = renamed::take(&mut pairs, "id");
    let occurred_at = fields::get(&pairs, "last_interaction").and_then(At::parse);
    let person = Person { kind: Kind::Chat, network: SOURCE.name, id };
    let (mut touch, post) = person
        .touch(renamed::rename(pairs, NAMES, channel), channel)
        .ok_or(Refusal::Unreadable("the request names no contact"))?;
    touch.occurred_at = touch.occurred_at.or(occurred_at);
    Ok(Reading::of([Read::touch(post, SOURCE.name, touch)]))
}

/// A dynamic block that says nothing: the flow goes on as it was built.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Body(r#"{"version":"v2","content":{"messages":[]}}"#.to_owned(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let at = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default().to_rfc3339();
    let body = serde_json::json!({
        "id": sample.nonce,
        "name": sample.name(),
        "phone": sample.phone,
        "email": sample.email,
        "last_input_text": sample.text,
        "last_interaction": at,
        "custom_fields": {"leadgate_id": sample.nonce},
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
