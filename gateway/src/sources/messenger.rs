//! How does a message to a Facebook page or an Instagram account become a touch, and the page's answer a reply?
//!
//! Read in Meta's reference of the Messenger Platform's webhook events and of Instagram's
//! (developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events):
//! - The sender's id is known to this page only; there is neither phone nor name.
//! - Whatever the page sends comes back as an echo with the `app_id` it was sent through. Neither the id under which the
//!   inbox sends nor what an absent one means is documented, so both are settings; what went through any other app stops
//!   no clock.
//! - While another app has the conversation, the same events come as `standby`.
//! - The *Test* button of the app's dashboard sends an event as a change of a field.

use super::shared::item::Item;
use super::shared::talk::{self, Told};
use super::shared::{fields, meta};
use super::{BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Kind, Touch};
use lead::time::At;
use serde_json::json;
use serde_json::value::RawValue;

pub const SOURCE: Source = Source {
    name: "messenger",
    kind: Kind::Chat,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[meta::VERIFY_TOKEN, HUMAN_APPS, UNNAMED_ECHOES],
    methods: &[Method::POST, Method::GET],
    verify: meta::verify,
    read,
    answer: meta::answer,
    sample,
    help: include_str!("messenger.md"),
};

const HUMAN_APPS: Setting = Setting::optional(
    "human_apps",
    Value::Texts,
    "a list of app ids through which people answer, like [\"263902037430900\"]",
);

const UNNAMED_ECHOES: Setting =
    Setting::optional("unnamed_echoes", Value::Word(&["human", "bot"]), "\"human\" or \"bot\"");

/// What has a place of its own in a touch.
const PLACED: [&str; 10] = [
    "sender",
    "recipient",
    "timestamp",
    "message.mid",
    "message.text",
    "postback.mid",
    "postback.title",
    "message_edit.mid",
    "message_edit.text",
    "message.is_unsupported",
];

/// The name in the campaign, and where a referral says it.
const REFERRAL: [(&str, &str); 4] =
    [("ref", "ref"), ("ad_id", "ad_id"), ("ref_source", "source"), ("ad_title", "ads_context_data.ad_title")];

/// What is neither said by the customer nor an answer to him.
const OTHER: [(&str, &str); 10] = [
    ("read", "messenger.read"),
    ("delivery", "messenger.delivery"),
    ("reaction", "messenger.reaction"),
    ("optin", "messenger.optin"),
    ("account_linking", "messenger.account_linking"),
    ("policy_enforcement", "messenger.policy"),
    ("pass_thread_control", "messenger.handover"),
    ("take_thread_control", "messenger.handover"),
    ("request_thread_control", "messenger.handover"),
    ("app_roles", "messenger.handover"),
];

/// One conversation partner's side: the network, and our own id there.
#[derive(Copy, Clone)]
struct Side<'a> {
    network: &'static str,
    page: &'a str,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.method == Method::GET {
        return Ok(Reading::ignored("messenger.challenge"));
    }
    let notice = meta::read(request)?;
    let network = match &*notice.object {
        "page" => "messenger",
        "instagram" => "instagram",
        _ => return Ok(Reading::ignored("messenger.other_object")),
    };
    let mut reading = Reading::default();
    for entry in &notice.entry {
        let side = Side { network, page: entry.id() };
        for event in entry.messaging.iter().chain(&entry.standby) {
            talk::add(&mut reading, told(event, side, channel)?);
        }
        for change in &entry.changes {
            let is_message = change.field.starts_with("messag");
            let told = if is_message { told(change.value, side, channel)? } else { Err("messenger.other_field") };
            talk::add(&mut reading, told);
        }
    }
    Ok(reading)
}

fn told(event: &RawValue, side: Side<'_>, channel: &Channel) -> Result<Told, Refusal> {
    let item = Item::of(event.get().as_bytes())?;
    let from_us = item.is("message.is_echo") || item.get("sender.id") == Some(side.page);
    Ok(if from_us { echo(&item, side, channel) } else { said(&item, side, channel) })
}

fn said(item: &Item<'_>, side: Side<'_>, channel: &Channel) -> Told {
    let Some(sender) = item.any(&["sender.id", "sender.user_ref"]) else { return Err("messenger.no_sender") };
    if item.is("message.is_deleted") {
        return Err("messenger.deleted");
    }
    let id = event_id(item, sender).ok_or_else(|| other(item))?;
    let mut touch = talk::touch(Some(talk::handle(side.network, sender)), item.at("timestamp"));
    let text = item.any(&["message.text", "postback.title", "message_edit.text"]);
    talk::say(&mut touch, text, media(item), channel.region);
    came_from(&mut touch, item);
    let mut rest = item.without(&PLACED);
    rest.retain(|(path, _)| !is_referral(path));
    fields::fill(&mut touch, rest, channel);
    if item.holds("message_edit") {
        fields::attribute(&mut touch, "edited", "true");
    }
    talk::touched(Some(id), touch)
}

/// A message has an id; older postbacks and referrals are known by who, when and what.
fn event_id(item: &Item<'_>, sender: &str) -> Option<(String, String)> {
    let of = |id: &str, phase: &str| Some((id.to_owned(), phase.to_owned()));
    let made = |phase| {
        let parts = [Some(sender), item.get("timestamp"), item.any(&["postback.payload", "referral.ref"])];
        of(&parts.map(Option::unwrap_or_default).join("/"), phase)
    };
    if let Some(mid) = item.get("message.mid") {
        return of(mid, "message");
    }
    if let Some(mid) = item.get("message_edit.mid") {
        return of(mid, &format!("edit {}", item.get("message_edit.num_edit").unwrap_or_default()));
    }
    match item.get("postback.mid") {
        Some(mid) => of(mid, "postback"),
        None if item.holds("postback") => made("postback"),
        None if item.holds("referral") => made("referral"),
        None => None,
    }
}

fn other(item: &Item<'_>) -> &'static str {
    let known = OTHER.iter().find(|(path, _)| item.holds(path));
    known.map_or("messenger.other_event", |(_, name)| *name)
}

fn media<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    let unsupported = item.is("message.is_unsupported").then_some("unsupported");
    item.get("message.attachments.0.type").or(unsupported)
}

/// An `m.me` link, an advertisement, a product.
fn came_from(touch: &mut Touch, item: &Item<'_>) {
    for place in ["message.referral", "postback.referral", "referral"] {
        for (name, inner) in REFERRAL {
            if let Some(value) = item.get(&format!("{place}.{inner}")) {
                fields::campaign(touch, name, value);
            }
        }
    }
}

fn is_referral(path: &str) -> bool {
    path.split_once("referral.").is_some_and(|(_, inner)| REFERRAL.iter().any(|(_, known)| *known == inner))
}

fn echo(item: &Item<'_>, side: Side<'_>, channel: &Channel) -> Told {
    let mid = item.get("message.mid").ok_or_else(|| other(item))?;
    let to = item.get("recipient.id").ok_or("messenger.echo_to_nobody")?;
    if item.is("message.is_deleted") {
        return Err("messenger.deleted");
    }
    if !by_a_person(item, channel) {
        return Err("messenger.bot_echo");
    }
    let id = Some((mid.to_owned(), "echo".to_owned()));
    talk::replied(id, talk::touch(Some(talk::handle(side.network, to)), item.at("timestamp")), None)
}

fn by_a_person(item: &Item<'_>, channel: &Channel) -> bool {
    match item.get("message.app_id") {
        Some(app) => channel.each_setting(HUMAN_APPS.name).any(|known| known == app),
        None => channel.setting(UNNAMED_ECHOES.name) != Some("bot"),
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = sample.number();
    let page = channel.address.as_deref().unwrap_or("1");
    let event = json!({
        "sender": {"id": number.to_string()},
        "recipient": {"id": page},
        "timestamp": now.millis(),
        "message": {
            "mid": format!("m_sample{number}"),
            "text": sample.words(&[&sample.name, &sample.phone, &sample.email]),
        },
    });
    let body = json!({"object": "page", "entry": [{"id": page, "time": now.millis(), "messaging": [event]}]});
    SampleRequest::json(&body).signed(|body| meta::header(channel, body))
}
