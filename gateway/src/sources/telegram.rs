//! How does a message to a Telegram bot become a touch, and the owner's answer a reply?
//!
//! Only private chats are read. A contact card is the sender's phone only if it is his own; anyone can forward the
//! card of somebody else. A business account's own message is a human reply unless Telegram or a bot wrote it.
//!
//! A text that the customer has edited is a touch of its own, see [`talk`]. Edits without a text are no words of his:
//! a location that is shared live comes as an edit every few seconds.

use super::shared::fields::{self, attribute};

use super::shared::talk::{self, Told};

use super::shared::{json, number, signature};
use super::{Answer, BodyLimit, Denied, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::{Method, StatusCode};

use lead::entry::{Handle, Kind, Touch};

use lead::text::cut;
use lead::time::At;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "telegram",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Empty,
    sample,
    help: include_str!("telegram.md"),
};

const TOKEN: &str = "x-telegram-bot-api-secret-token";

/// What is wrong with a secret that Telegram would not take: <https://core.telegram.org/bots/api#setwebhook>,
/// `secret_token`.
pub fn refuses(secret: &str) -> Option<&'static str> {
    let taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fits = (1..=256).contains(&secret.len()) && secret.chars().all(taken);
    (!fits).then_some("1 to 256 characters of A-Z a-z 0-9 _ -: Telegram takes no others")
}

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::in_header(request, channel, TOKEN, <[u8]>::to_vec)
}

#[derive(Deserialize)]
struct Update<'a> {
    update_id: i64,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    business_message: Option<Message<'a>>,
    #[serde(borrow)]
    edited_message: Option<Message<'a>>,
    #[serde(borrow)]
    edited_business_message: Option<Message<'a>>,
    deleted_business_messages: Option<IgnoredAny>,
    callback_query: Option<IgnoredAny>,
    channel_post: Option<IgnoredAny>,
    edited_channel_post: Option<IgnoredAny>,
    my_chat_member: Option<IgnoredAny>,
    chat_member: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Message<'a> {
    date: Option<i64>,
    edit_date: Option<i64>,
    #[serde(borrow)]
    chat: Chat<'a>,
    #[serde(borrow)]
    from: Option<User<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    caption: Option<Cow<'a, str>>,
    #[serde(borrow)]
    contact: Option<Contact<'a>>,
    sender_business_bot: Option<IgnoredAny>,
    is_from_offline: Option<bool>,
    photo: Option<IgnoredAny>,
    voice: Option<IgnoredAny>,
    video: Option<IgnoredAny>,
    video_note: Option<IgnoredAny>,
    audio: Option<IgnoredAny>,
    document: Option<IgnoredAny>,
    sticker: Option<IgnoredAny>,
    location: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Chat<'a> {
    id: i64,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct User<'a> {
    id: i64,
    #[serde(default)]
    is_bot: bool,
    #[serde(borrow)]
    first_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    username: Option<Cow<'a, str>>,
    #[serde(borrow)]
    language_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
    #[serde(borrow)]
    first_name: Option<Cow<'a, str>>,
    user_id: Option<i64>,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let update: Update<'_> = json::typed(request.json()?)?;
    let id = Some((update.update_id.to_string(), "update".to_owned()));
    let business = update.business_message.is_some() || update.edited_business_message.is_some();
    let said = update.message.as_ref().or(update.business_message.as_ref());
    let edited = update.edited_message.as_ref().or(update.edited_business_message.as_ref());
    Ok(talk::reading(match (said, edited) {
        (Some(message), _) => told(message, business, id, channel),
        (None, Some(message)) if message.words().is_empty() || message.is_by_owner(business) => {
            Err("telegram.edited_message")
        }
        (None, Some(message)) => told(message, business, id, channel),
        (None, None) => Err(other_kind(&update)),
    }))
}

impl Message<'_> {
    fn words(&self) -> &str {
        self.text.as_deref().or(self.caption.as_deref()).map(str::trim).unwrap_or_default()
    }

    /// In a business account's chat either side may write; the chat is named after the customer.
    fn is_by_owner(&self, business: bool) -> bool {
        business && self.from.as_ref().is_some_and(|from| from.id != self.chat.id)
    }
}

fn told(message: &Message<'_>, business: bool, id: Option<(String, String)>, channel: &Channel) -> Told {
    let from = message.from.as_ref().ok_or("telegram.no_sender")?;
    if message.chat.kind != "private" {
        return Err("telegram.not_private");
    }
    if from.is_bot || message.sender_business_bot.is_some() || message.is_from_offline == Some(true) {
        return Err("telegram.automatic");
    }
    if message.is_by_owner(business) {
        let name = from.username.as_deref().map_or_else(|| from.id.to_string(), str::to_owned);
        return talk::replied(id, talk::touch(Some(handle(message.chat.id)), at(message)), Some(&name));
    }
    talk::touched(id, touch(message, from, channel))
}

fn at(message: &Message<'_>) -> Option<At> {
    message.edit_date.or(message.date).map(At::from_secs)
}

fn other_kind(update: &Update<'_>) -> &'static str {
    if update.callback_query.is_some() {
        "telegram.callback_query"
    } else if update.channel_post.is_some() || update.edited_channel_post.is_some() {
        "telegram.channel_post"
    } else if update.my_chat_member.is_some() || update.chat_member.is_some() {
        "telegram.membership"
    } else if update.deleted_business_messages.is_some() {
        "telegram.deleted"
    } else {
        "telegram.other_update"
    }
}

fn handle(id: i64) -> Handle {
    talk::handle("telegram", &id.to_string())
}

fn touch(message: &Message<'_>, from: &User<'_>, channel: &Channel) -> Touch {
    let mut touch = talk::touch(Some(handle(from.id)), at(message));
    touch.name = name(from);
    if message.edit_date.is_some() {
        attribute(&mut touch, "edited", "true");
    }
    for (key, value) in [("username", &from.username), ("language_code", &from.language_code)] {
        if let Some(value) = value {
            attribute(&mut touch, key, value);
        }
    }
    if let Some(contact) = &message.contact {
        share(&mut touch, contact, from);
    }
    said(&mut touch, message, channel);
    touch
}

fn name(user: &User<'_>) -> Option<String> {
    let parts = [&user.first_name, &user.last_name].into_iter().flatten().map(|part| cut(part.trim(), 512));
    let name = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

fn share(touch: &mut Touch, contact: &Contact<'_>, from: &User<'_>) {
    let number = number::with_country(&contact.phone_number);
    if contact.user_id == Some(from.id) {
        touch.phones.push(number);
        return;
    }
    attribute(touch, "contact.phone_number", &number);
    if let Some(name) = &contact.first_name {
        attribute(touch, "contact.first_name", name);
    }
}

/// `/start PAYLOAD` is how a link says where the person came from.
fn said(touch: &mut Touch, message: &Message<'_>, channel: &Channel) {
    match start(message.words()) {
        Some("") => {}
        Some(payload) => fields::campaign(touch, "start", payload),
        None => talk::say(touch, Some(message.words()), media(message), channel.region),
    }
}

fn start(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("/start")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

fn media(message: &Message<'_>) -> Option<&'static str> {
    let kinds = [
        (&message.photo, "photo"),
        (&message.voice, "voice"),
        (&message.video, "video"),
        (&message.video_note, "video_note"),
        (&message.audio, "audio"),
        (&message.document, "document"),
        (&message.sticker, "sticker"),
        (&message.location, "location"),
    ];
    kinds.into_iter().find(|(part, _)| part.is_some()).map(|(_, name)| name)
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = sample.number();
    let user = number % 1_000_000_000;
    let mut message = json!({
        "message_id": 1,
        "date": now.millis() / 1000,
        "chat": {"id": user, "type": "private"},
        "from": {"id": user, "is_bot": false, "first_name": sample.name()},
        "text": sample.words(&[&sample.email]),
    });
    if let Some(phone) = &sample.phone {
        message["contact"] = json!({"phone_number": phone, "first_name": sample.name, "user_id": user});
    }
    let body = json!({"update_id": number, "message": message});
    let secret = signature::current(&channel.secrets).map(|secret| (TOKEN.to_owned(), secret.to_owned()));
    SampleRequest::json(&body).with(secret).answered(StatusCode::NO_CONTENT)
}
