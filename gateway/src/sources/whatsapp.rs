//! How does a message to a WhatsApp business number become a touch, and an answer from the phone a reply?
//!
//! Read in Meta's webhook reference (developers.facebook.com/documentation/business-messaging/whatsapp/webhooks) and its
//! page on business-scoped user ids:
//! - Who has taken a user name may come without a phone. The business-scoped id is then all there is, so it is the
//!   handle wherever it is known.
//! - A message that the Cloud API cannot show (`unsupported`) is still a person who writes: that happens to the first
//!   message to a number that also has the Business App.
//! - The shared card of somebody is his phone, not the sender's, unless the card answers our request for it.
//! - What was written in the Business App comes back as `smb_message_echoes`. Meta does not say which of them are the
//!   app's automatic greetings, so a channel may leave them out.

use super::shared::item::Item;
use super::shared::talk::{self, Told};
use super::shared::{fields, json, meta, number};
use super::{BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Handle, Kind, Touch};
use lead::time::At;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

pub const SOURCE: Source = Source {
    name: "whatsapp",
    kind: Kind::Chat,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[meta::VERIFY_TOKEN, NUMBER, ECHOES],
    methods: &[Method::POST, Method::GET],
    verify: meta::verify,
    read,
    answer: meta::answer,
    sample,
    help: include_str!("whatsapp.md"),
};

const NUMBER: Setting =
    Setting::optional("phone_number_id", Value::Text, "the id that Meta gave to the number, as in \"106540352242922\"");

const ECHOES: Setting = Setting::optional("echoes", Value::Word(&["human", "ignore"]), "\"human\" or \"ignore\"");

/// What has a place of its own in a touch.
const PLACED: [&str; 12] = [
    "id",
    "type",
    "timestamp",
    "from",
    "from_user_id",
    "referral.ctwa_clid",
    "referral.source_id",
    "referral.source_url",
    "referral.headline",
    "interactive.type",
    "interactive.nfm_reply.response_json",
    "edit.message",
];

/// Where the words are, whatever was sent.
const WORDS: [&str; 8] = [
    "text.body",
    "button.text",
    "interactive.button_reply.title",
    "interactive.list_reply.title",
    "image.caption",
    "video.caption",
    "document.caption",
    "order.text",
];

/// What has happened to one number.
#[derive(Deserialize)]
struct News<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    contacts: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    message_echoes: Vec<&'a RawValue>,
    #[serde(default)]
    statuses: Vec<IgnoredAny>,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.method == Method::GET {
        return Ok(Reading::ignored("whatsapp.challenge"));
    }
    let notice = meta::read(request)?;
    if notice.object != "whatsapp_business_account" {
        return Ok(Reading::ignored("whatsapp.other_object"));
    }
    let mut reading = Reading::default();
    for change in notice.entry.iter().flat_map(|entry| &entry.changes) {
        match &*change.field {
            "messages" | "smb_message_echoes" => {
                told(&mut reading, &json::typed(change.value.get().as_bytes())?, channel)?;
            }
            "calls" => reading.ignored.push("whatsapp.call"),
            _ => reading.ignored.push("whatsapp.other_field"),
        }
    }
    Ok(reading)
}

fn told(reading: &mut Reading, news: &News<'_>, channel: &Channel) -> Result<(), Refusal> {
    if !is_ours(news, channel)? {
        reading.ignored.push("whatsapp.other_number");
        return Ok(());
    }
    let contacts = items(&news.contacts)?;
    for message in items(&news.messages)? {
        talk::add(reading, message_told(&message, &contacts, channel));
    }
    for echo in items(&news.message_echoes)? {
        talk::add(reading, echo_told(&echo, channel));
    }
    if !news.statuses.is_empty() {
        reading.ignored.push("whatsapp.status");
    } else if news.messages.is_empty() && news.message_echoes.is_empty() {
        reading.ignored.push("whatsapp.other_event");
    }
    Ok(())
}

fn items<'a>(raw: &[&'a RawValue]) -> Result<Vec<Item<'a>>, Refusal> {
    raw.iter().map(|one| Item::of(one.get().as_bytes())).collect()
}

/// One webhook serves all numbers of a business account.
fn is_ours(news: &News<'_>, channel: &Channel) -> Result<bool, Refusal> {
    let (Some(ours), Some(metadata)) = (channel.setting(NUMBER.name), news.metadata) else { return Ok(true) };
    Ok(Item::of(metadata.get().as_bytes())?.get(NUMBER.name) == Some(ours))
}

fn message_told(item: &Item<'_>, contacts: &[Item<'_>], channel: &Channel) -> Told {
    match item.get("type") {
        _ if item.holds("group_id") => return Err("whatsapp.group"),
        Some("reaction") => return Err("whatsapp.reaction"),
        Some("system") => return Err("whatsapp.system"),
        Some("revoke") => return Err("whatsapp.deleted"),
        Some("request_welcome") => return Err("whatsapp.opened"),
        _ => {}
    }
    let id = item.get("id").map(|id| (id.to_owned(), "message".to_owned()));
    talk::touched(id, touch(item, contacts, channel))
}

fn touch(item: &Item<'_>, contacts: &[Item<'_>], channel: &Channel) -> Touch {
    let who = contact(item, contacts);
    let known = |path: &str| who.and_then(|who| who.get(path));
    let phone = item.get("from").or(known("wa_id"));
    let person = item.get("from_user_id").or(known("user_id")).or(phone);
    let mut touch = talk::touch(person.map(handle), item.at("timestamp"));
    touch.phones.extend(phone.into_iter().chain(own_card(item)).map(number::with_country));
    touch.phones.dedup();
    let edited = item.below("edit.message");
    let is_edit = item.get("type") == Some("edit");
    let latest = if is_edit { &edited } else { item };
    talk::say(&mut touch, latest.any(&WORDS), media(latest), channel.region);
    came_from(&mut touch, item);
    let mut fields = latest.get("interactive.nfm_reply.response_json").map(flow).unwrap_or_default();
    fields.extend(item.without(&PLACED));
    if is_edit {
        fields.extend(edited.without(&PLACED));
        fields.push(("edited".into(), "true".into()));
    }
    fields.retain(|(path, _)| !WORDS.contains(&&**path));
    fields::fill(&mut touch, fields, channel);
    if let Some(username) = known("profile.username") {
        fields::attribute(&mut touch, "username", username);
    }
    talk::known_as(&mut touch, known("profile.name"));
    touch
}

fn handle(id: &str) -> Handle {
    talk::handle("whatsapp", id)
}

/// Who wrote this message of a batch. A phone may be spelled otherwise than the account's id, so the only contact is
/// the sender, unless his id says that he is somebody else.
fn contact<'i, 'a>(item: &Item<'_>, contacts: &'i [Item<'a>]) -> Option<&'i Item<'a>> {
    let same = |who: &Item<'_>, theirs: &str, ours: &str| item.get(ours).is_some_and(|id| who.get(theirs) == Some(id));
    let his = |who: &&Item<'_>| same(who, "user_id", "from_user_id") || same(who, "wa_id", "from");
    let another = |who: &Item<'_>| item.get("from_user_id").is_some() && who.get("user_id").is_some();
    contacts.iter().find(his).or_else(|| contacts.first().filter(|who| contacts.len() == 1 && !another(who)))
}

/// The number of a person who was asked for it and pressed the button.
fn own_card<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    item.get("contacts.0.phones.0.phone").filter(|_| item.get("origin") == Some("contact_request"))
}

fn media<'i>(item: &'i Item<'_>) -> Option<&'i str> {
    match item.get("type").unwrap_or("unknown") {
        "text" | "button" | "interactive" => None,
        "audio" if item.is("audio.voice") => Some("voice"),
        kind => Some(kind),
    }
}

/// The fields of a form inside WhatsApp ("flow"); one that cannot be read is kept as it is.
fn flow(answers: &str) -> fields::Pairs<'_> {
    json::read(answers.as_bytes()).unwrap_or_else(|_| vec![("response_json".into(), answers.into())])
}

/// The advertisement that was clicked.
fn came_from(touch: &mut Touch, item: &Item<'_>) {
    let ad = item.get("referral.source_type") != Some("post");
    let names = [
        ("ctwa_clid", "referral.ctwa_clid"),
        (if ad { "ad_id" } else { "post_id" }, "referral.source_id"),
        (if ad { "ad_url" } else { "post_url" }, "referral.source_url"),
        ("ad_title", "referral.headline"),
    ];
    for (name, path) in names {
        if let Some(value) = item.get(path) {
            fields::campaign(touch, name, value);
        }
    }
}

fn echo_told(item: &Item<'_>, channel: &Channel) -> Told {
    match item.get("type") {
        _ if channel.setting(ECHOES.name) == Some("ignore") => return Err("whatsapp.echo"),
        Some("edit" | "revoke" | "reaction") => return Err("whatsapp.echo_changed"),
        _ => {}
    }
    let phone = item.get("to");
    let to = item.get("to_user_id").or(phone).ok_or("whatsapp.echo_to_nobody")?;
    let id = item.get("id").map(|id| (id.to_owned(), "echo".to_owned()));
    let mut customer = talk::touch(Some(handle(to)), item.at("timestamp"));
    customer.phones.extend(phone.map(number::with_country));
    talk::replied(id, customer, None)
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = sample.number();
    let user = format!("ZZ.{number}");
    let mut message = json!({
        "from_user_id": user,
        "id": format!("wamid.sample{number}"),
        "timestamp": (now.millis() / 1000).to_string(),
        "type": "text",
        "text": {"body": sample.words(&[&sample.email])},
    });
    if let Some(phone) = &sample.phone {
        message["from"] = phone.trim_start_matches('+').into();
    }
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": channel.setting(NUMBER.name).unwrap_or("1")},
        "contacts": [{"profile": {"name": sample.name()}, "user_id": user}],
        "messages": [message],
    });
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    });
    SampleRequest::json(&body).signed(|body| meta::header(channel, body))
}
