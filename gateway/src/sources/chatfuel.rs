//! How does a block of a Chatfuel flow become a touch?
//!
//! The *JSON API* card asks us with the attributes that the builder chose: in the query, as a form or as JSON. There is
//! no event id, so a request is known again by its content, or by the attribute `leadgate_id`. An attribute that is not
//! set is no value.
//!
//! From Chatfuel's documentation of the JSON API (docs.chatfuel.com).

use super::shared::renamed::{self, Names, Person};
use super::shared::shown;
use super::{Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;

pub const SOURCE: Source = Source {
    name: "chatfuel",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST, Method::GET],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("chatfuel.md"),
};

/// Who it is, by the network the bot speaks in.
const IDS: [&str; 5] =
    ["messenger user id", "instagram user id", "whatsapp user id", "telegram user id", "chatfuel user id"];
const NAMES: &Names = &[("last user freeform input", "message"), ("whatsapp phone number", "phone"), (shown::KEY, "")];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let mut pairs = request.pairs()?;
    pairs.retain(|(path, _)| path != shown::KEY);
    if pairs.is_empty() {
        // The card was tried before any attribute was added.
        return Ok(Reading::ignored("chatfuel.empty"));
    }
    let ids = IDS.map(|name| renamed::take(&mut pairs, name));
    let person = Person { kind: Kind::Chat, network: SOURCE.name, id: ids.into_iter().flatten().next() };
    let (touch, post) = person
        .touch(renamed::rename(pairs, NAMES, channel), channel)
        .ok_or(Refusal::Unreadable("the request names no user"))?;
    Ok(Reading::of([Read::touch(post, SOURCE.name, touch)]))
}

/// Nothing to say: the flow goes on as it was built.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Body(r#"{"messages":[]}"#.to_owned(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let body = serde_json::json!({
        "messenger user id": sample.nonce,
        "first name": sample.name(),
        "phone": sample.phone,
        "email": sample.email,
        "last user freeform input": sample.text,
        "leadgate_id": sample.nonce,
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
