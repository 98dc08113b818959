//! How does a message of any chat become a touch, when the chat speaks our own JSON? The contract is
//! `docs/chat-json.md`.
//!
//! - A body is one message: `"type": "message"` by a customer, `"type": "reply"` by one of us; `"bot": true` says that a
//!   machine has written, which is nobody's approach and nobody's answer.
//! - `id` makes a message sent twice one message. Without it the content is compared.
//! - `chat` is who it is with, as the chat knows him; everything else is read by name, like the fields of a form.

use super::shared::item::Item;
use super::shared::talk::{self, Told};

use super::shared::{fields, shown};
use super::{Answer, BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Handle, Kind, Touch};

use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "chat",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("chat.md"),
};

/// What has a place of its own; the rest is read by name.
const PLACED: [&str; 8] = ["type", "id", "network", "chat", "at", "by", "bot", "media"];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let item = Item::of(request.json()?)?;
    let Some(kind) = item.get("type") else { return Err(Refusal::Unreadable("the message has no type")) };
    let id = item.get("id").map(|id| (id.to_owned(), kind.to_owned()));
    match kind {
        "message" | "reply" if item.is("bot") => Ok(Reading::ignored("chat.bot")),
        "message" => Ok(talk::reading(message(&item, id, channel))),
        "reply" => reply(&item, id, channel),
        _ => Ok(Reading::ignored("chat.other_type")),
    }
}

/// The network's own name joins a person who also writes by another way to the same network.
fn partner(item: &Item<'_>) -> Option<Handle> {
    item.get("chat").map(|chat| talk::handle(item.get("network").unwrap_or("chat"), chat))
}

fn message(item: &Item<'_>, id: Option<(String, String)>, channel: &Channel) -> Told {
    let mut touch = touch(item, channel);
    let text = touch.text.take();
    talk::say(&mut touch, text.as_deref(), item.get("media"), channel.region);
    talk::touched(id, touch)
}

fn touch(item: &Item<'_>, channel: &Channel) -> Touch {
    let mut touch = talk::touch(partner(item), None);
    fields::fill(&mut touch, item.without(&PLACED), channel);
    touch.occurred_at = item.at("at").or(touch.occurred_at);
    touch
}

/// To whom is said as in a message: by the chat, a phone or a mail address.
fn reply(item: &Item<'_>, id: Option<(String, String)>, channel: &Channel) -> Result<Reading, Refusal> {
    let to = touch(item, channel);
    if to.handles.is_empty() && to.phones.is_empty() && to.emails.is_empty() {
        return Err(Refusal::Unreadable("the reply does not say to whom"));
    }
    Ok(talk::reading(talk::replied(id, to, item.get("by"))))
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let body = json!({
        "type": "message",
        "id": sample.nonce,
        "chat": format!("sample-{}", sample.nonce),
        "at": now.to_string(),
        "text": sample.words(&[]),
        "customer": {"name": sample.name, "phone": sample.phone, "email": sample.email},
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
