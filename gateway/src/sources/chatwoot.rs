//! How does a message in Chatwoot become a touch, and an agent's answer a reply?
//!
//! Read in Chatwoot's code (`app/models/message.rb`, `app/presenters/conversations/event_data_presenter.rb`) and in pull
//! requests 13573 and 13892, which brought signatures in 4.11.2 (account webhooks) and 4.13.0 (API inboxes, bots):
//! - `X-Chatwoot-Signature` is `sha256=` and the HMAC-SHA256 of timestamp, dot and body in lower-case hex. An older
//!   server signs nothing; then the address itself must be the secret.
//! - An agent is a sender of type `user`. Automation rules send without one, campaigns in an agent's name, and what was
//!   written on the phone that is connected to the inbox comes without a sender as `external_echo`.
//! - What a visitor fills into a form or mail box of the chat arrives as an update of the message that asked.

use super::shared::fields::Pairs;
use super::shared::item::{Item, moment};

use super::shared::talk::{self, Told};

use super::shared::{fields, shown, signature};
use super::{Answer, BodyLimit, Denied, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::{Handle, Kind, Touch};

use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "chatwoot",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    // Chatwoot hears nothing but the status.
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("chatwoot.md"),
};

const SIGNATURE: &str = "x-chatwoot-signature";
const TIMESTAMP: &str = "x-chatwoot-timestamp";

/// The person of the conversation, in every event.
const CONTACT: &str = "conversation.meta.sender";
/// Who has written instead of an agent in whose name it may be.
const MACHINES: [&str; 3] =
    ["content_attributes.automation_rule_id", "additional_attributes.campaign_id", "content_attributes.campaign_id"];
/// Boxes of one form.
const MOST_BOXES: usize = 50;

/// What the desk does besides.
const OTHER: [(&str, &str); 8] = [
    ("conversation_created", "chatwoot.conversation"),
    ("conversation_updated", "chatwoot.conversation"),
    ("conversation_status_changed", "chatwoot.conversation"),
    ("contact_created", "chatwoot.contact"),
    ("contact_updated", "chatwoot.contact"),
    ("webwidget_triggered", "chatwoot.widget"),
    ("conversation_typing_on", "chatwoot.typing"),
    ("conversation_typing_off", "chatwoot.typing"),
];

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if shown::by_address(channel) {
        return Ok(());
    }
    let stamp = request.header(TIMESTAMP).ok_or(Denied::Missing)?;
    signature::in_header(request, channel, SIGNATURE, |secret| sign(secret, stamp, &request.body))?;
    let sent_at = signature::moment(stamp).ok_or(Denied::Wrong)?;
    signature::fresh(sent_at, request, signature::CLOCKS)
}

fn sign(secret: &[u8], stamp: &str, body: &[u8]) -> String {
    let parts: [&[u8]; 3] = [stamp.as_bytes(), b".", body];
    format!("sha256={}", HEXLOWER.encode(&signature::hmac_sha256(secret, &parts)))
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let item = Item::of(request.json()?)?;
    let Some(event) = item.get("event") else { return Err(Refusal::Unreadable("the request has no event")) };
    Ok(talk::reading(match event {
        "message_created" => created(&item, channel),
        "message_updated" => updated(&item, channel),
        _ => Err(OTHER.iter().find(|(name, _)| *name == event).map_or("chatwoot.other_event", |(_, name)| name)),
    }))
}

/// Message types come as words; inside conversations, and from old servers, as numbers.
fn created(item: &Item<'_>, channel: &Channel) -> Told {
    match item.get("message_type") {
        _ if item.is("private") => Err("chatwoot.private_note"),
        Some("incoming" | "0") => {
            let mut touch = touch(item, "sender", channel);
            talk::say(&mut touch, item.get("content"), item.get("attachments.0.file_type"), channel.region);
            talk::touched(id(item, "message"), touch)
        }
        Some("outgoing" | "1") => answered(item),
        Some("template" | "3") => Err("chatwoot.template"),
        _ => Err("chatwoot.activity"),
    }
}

/// An update that brings what the visitor was asked for.
fn updated(item: &Item<'_>, channel: &Channel) -> Told {
    if filled_in(item).is_empty() {
        return Err("chatwoot.message_updated");
    }
    talk::touched(id(item, "filled in"), touch(item, CONTACT, channel))
}

fn answered(item: &Item<'_>) -> Told {
    if MACHINES.iter().any(|path| item.holds(path)) {
        return Err("chatwoot.automatic");
    }
    if item.get("sender.type") != Some("user") && !item.is("content_attributes.external_echo") {
        return Err("chatwoot.bot");
    }
    let mut customer = talk::touch(contact(item, CONTACT), item.at("created_at"));
    let said = |name: &str| item.get(&format!("{CONTACT}.{name}")).map(str::to_owned);
    customer.phones.extend(said("phone_number"));
    customer.emails.extend(said("email"));
    talk::replied(id(item, "message"), customer, item.any(&["sender.email", "sender.name"]))
}

/// Ids count within one account.
fn in_account(item: &Item<'_>, id: &str) -> String {
    format!("{}/{id}", item.get("account.id").unwrap_or_default())
}

fn id(item: &Item<'_>, phase: &str) -> Option<(String, String)> {
    Some((in_account(item, item.get("id")?), phase.to_owned()))
}

fn contact(item: &Item<'_>, place: &str) -> Option<Handle> {
    let id = item.any(&[&format!("{place}.id"), &format!("{CONTACT}.id")])?;
    Some(talk::handle("chatwoot", &in_account(item, id)))
}

/// Everything but the words.
fn touch(item: &Item<'_>, place: &str, channel: &Channel) -> Touch {
    let mut touch = talk::touch(contact(item, place), item.any(&["updated_at", "created_at"]).and_then(moment));
    let mut known = filled_in(item);
    for name in ["name", "email", "phone_number", "identifier"] {
        let value = item.any(&[&format!("{place}.{name}"), &format!("{CONTACT}.{name}")]);
        known.extend(value.map(|value| (name.into(), value.into())));
    }
    for place in [place, "conversation"] {
        known.extend(item.fields_below(&format!("{place}.additional_attributes")));
        known.extend(item.fields_below(&format!("{place}.custom_attributes")));
    }
    for (name, path) in
        [("inbox", "inbox.name"), ("conversation", "conversation.id"), ("network", "conversation.channel")]
    {
        known.extend(item.get(path).map(|value| (name.into(), value.into())));
    }
    // The page with the chat, not the one before it.
    known.iter_mut().filter(|(path, _)| path == "referer").for_each(|(path, _)| *path = "page".into());
    fields::fill(&mut touch, known, channel);
    touch
}

/// What a visitor has typed into boxes, or chosen.
fn filled_in<'i>(item: &'i Item<'_>) -> Pairs<'i> {
    let mut boxes: Pairs<'_> = Vec::new();
    boxes.extend(item.get("content_attributes.submitted_email").map(|email| ("email".into(), email.into())));
    for index in 0..MOST_BOXES {
        let get = |what: &str| item.get(&format!("content_attributes.submitted_values.{index}.{what}"));
        match (get("name"), get("title"), get("value")) {
            (None, None, None) => break,
            (Some(name), _, Some(value)) => boxes.push((name.into(), value.into())),
            (_, title, value) => boxes.extend(title.or(value).map(|chosen| ("answer".into(), chosen.into()))),
        }
    }
    boxes
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = sample.number();
    let person = json!({"id": number, "name": sample.name, "email": sample.email, "phone_number": sample.phone});
    let body = json!({
        "event": "message_created",
        "id": number,
        "message_type": "incoming",
        "private": false,
        "content": sample.words(&[]),
        "created_at": now.to_string(),
        "sender": person,
        "conversation": {"id": 1, "meta": {"sender": person}},
        "account": {"id": 1},
    });
    let stamp = (now.millis() / 1000).to_string();
    let proof = |body: &[u8]| {
        let sign = |secret: &str| (SIGNATURE.to_owned(), sign(secret.as_bytes(), &stamp, body));
        let signature = signature::current(&channel.secrets).map(sign);
        signature.into_iter().chain([(TIMESTAMP.to_owned(), stamp.clone())])
    };
    SampleRequest::json(&body).signed(proof)
}
