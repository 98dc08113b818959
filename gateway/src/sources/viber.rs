//! How does a message to a Viber bot become a touch?
//!
//! Read in Viber's REST bot API (developers.viber.com/docs/api/rest-bot-api) and its Python library:
//! - `X-Viber-Content-Signature` is the HMAC-SHA256 of the body in lower-case hex, keyed with the bot's token.
//! - `set_webhook` succeeds only if its own `webhook` event is answered with 200. The answer to `conversation_started` may
//!   be a welcome message, so ours has no body.
//! - A contact card does not say whose it is: its phone counts as one found in the text.
//! - What operators answer is sent through the API and never comes back.

use super::shared::item::Item;
use super::shared::talk::{self, Told};

use super::shared::{fields, number, signature};
use super::{
    Answer, BodyLimit, Denied, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "viber",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[OPENED],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("viber.md"),
};

const OPENED: Setting = Setting::optional("opened", Value::Word(&["lead", "ignore"]), "\"lead\" or \"ignore\"");

const SIGNATURE: &str = "x-viber-content-signature";

/// What has a place of its own in a touch, or says nothing of the customer.
const PLACED: [&str; 9] = [
    "event",
    "type",
    "timestamp",
    "message_token",
    "chat_hostname",
    "silent",
    "message.type",
    "message.text",
    "context",
];

/// What the bot learns besides.
const OTHER: [(&str, &str); 7] = [
    ("webhook", "viber.webhook"),
    ("subscribed", "viber.subscribed"),
    ("unsubscribed", "viber.unsubscribed"),
    ("delivered", "viber.delivered"),
    ("seen", "viber.seen"),
    ("failed", "viber.failed"),
    ("client_status", "viber.client_status"),
];

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::in_header(request, channel, SIGNATURE, |token| sign(token, &request.body))
}

fn sign(token: &[u8], body: &[u8]) -> String {
    HEXLOWER.encode(&signature::hmac_sha256(token, &[body]))
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let item = Item::of(request.json()?)?;
    let Some(event) = item.get("event") else { return Err(Refusal::Unreadable("the request has no event")) };
    Ok(talk::reading(match event {
        "message" => said(&item, event, "sender", channel),
        "conversation_started" if channel.setting(OPENED.name) == Some("ignore") => Err("viber.conversation_started"),
        "conversation_started" => said(&item, event, "user", channel),
        _ => Err(OTHER.iter().find(|(name, _)| *name == event).map_or("viber.other_event", |(_, name)| name)),
    }))
}

/// `who` is where the person stands.
fn said(item: &Item<'_>, event: &str, who: &str, channel: &Channel) -> Told {
    let person = item.below(who);
    let mut touch = talk::touch(person.get("id").map(|id| talk::handle("viber", id)), item.at("timestamp"));
    let media = item.get("message.type").filter(|kind| *kind != "text");
    talk::say(&mut touch, item.get("message.text"), media, channel.region);
    touch.text_phones.extend(item.get("message.contact.phone_number").map(number::with_country));
    if let Some(context) = item.get("context") {
        fields::campaign(&mut touch, "start", context);
    }
    let mut rest = person.without(&["id", "name", "avatar", "api_version"]);
    rest.extend(item.without(&PLACED).into_iter().filter(|(path, _)| !path.starts_with(who)));
    fields::fill(&mut touch, rest, channel);
    talk::known_as(&mut touch, person.get("name"));
    let id = item.get("message_token").map(|token| (token.to_owned(), event.to_owned()));
    talk::touched(id, touch)
}

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("")
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = sample.number();
    let body = json!({
        "event": "message",
        "timestamp": now.millis(),
        "message_token": number,
        "sender": {"id": format!("sample{number}=="), "name": sample.name()},
        "message": {"type": "text", "text": sample.words(&[&sample.phone, &sample.email])},
    });
    let proof = |body: &[u8]| {
        let token = signature::current(&channel.secrets);
        token.map(|token| (SIGNATURE.to_owned(), sign(token.as_bytes(), body)))
    };
    SampleRequest::json(&body).signed(proof)
}
