//! How does a message to a Telegram bot become a touch, and the owner's answer a reply?
//!
//! Only private chats are read. A contact card is the sender's phone only if it is his own; anyone can forward the
//! card of somebody else. A business account's own message is a human reply unless Telegram or a bot wrote it.

use super::fields::{self, LONGEST_TEXT, attribute};
use super::{
    Answer, BodyLimit, Denied, JSON_TYPE, Read, Reading, Refusal, Request, Sample, SampleRequest, Source, json,
    signature,
};
use crate::channel::Channel;
use http::{Method, StatusCode};
use lead::entry::{Handle, Kind, Reply, Signal, Touch};
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
    needs_secret: true,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: HELP,
};

const TOKEN: &str = "x-telegram-bot-api-secret-token";

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if channel.secrets.is_empty() {
        return Err(Denied::Misconfigured);
    }
    let given = request.header(TOKEN).ok_or(Denied::Missing)?;
    if signature::is_secret(&channel.secrets, given.as_bytes()) { Ok(()) } else { Err(Denied::Wrong) }
}

#[derive(Deserialize)]
struct Update<'a> {
    update_id: i64,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    business_message: Option<Message<'a>>,
    edited_message: Option<IgnoredAny>,
    edited_business_message: Option<IgnoredAny>,
    callback_query: Option<IgnoredAny>,
    channel_post: Option<IgnoredAny>,
    edited_channel_post: Option<IgnoredAny>,
    my_chat_member: Option<IgnoredAny>,
    chat_member: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Message<'a> {
    date: Option<i64>,
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
    if !request.is(JSON_TYPE) {
        return Err(Refusal::MediaType);
    }
    let update: Update<'_> = json::typed(&request.body)?;
    let business = update.business_message.is_some();
    let Some(message) = update.message.as_ref().or(update.business_message.as_ref()) else {
        return Ok(ignored(other_kind(&update)));
    };
    let Some(from) = message.from.as_ref() else { return Ok(ignored("telegram.no_sender")) };
    if message.chat.kind != "private" {
        return Ok(ignored("telegram.not_private"));
    }
    if from.is_bot || message.sender_business_bot.is_some() || message.is_from_offline == Some(true) {
        return Ok(ignored("telegram.automatic"));
    }
    let signal = if business && from.id != message.chat.id {
        Signal::Reply(Box::new(reply(message, from)))
    } else {
        Signal::Touch(Box::new(touch(message, from, channel)))
    };
    let id = Some((update.update_id.to_string(), "update".to_owned()));
    Ok(Reading { signals: vec![Read { id, signal }], ignored: Vec::new() })
}

fn ignored(what: &'static str) -> Reading {
    Reading { signals: Vec::new(), ignored: vec![what] }
}

fn other_kind(update: &Update<'_>) -> &'static str {
    if update.edited_message.is_some() || update.edited_business_message.is_some() {
        "telegram.edited_message"
    } else if update.callback_query.is_some() {
        "telegram.callback_query"
    } else if update.channel_post.is_some() || update.edited_channel_post.is_some() {
        "telegram.channel_post"
    } else if update.my_chat_member.is_some() || update.chat_member.is_some() {
        "telegram.membership"
    } else {
        "telegram.other_update"
    }
}

fn handle(id: i64) -> Handle {
    Handle { kind: "telegram".to_owned(), id: id.to_string() }
}

/// The owner of a business account wrote; the chat is with the customer.
fn reply(message: &Message<'_>, owner: &User<'_>) -> Reply {
    let name = owner.username.as_deref().map_or_else(|| owner.id.to_string(), str::to_owned);
    Reply {
        to_phones: Vec::new(),
        to_emails: Vec::new(),
        to_handles: vec![handle(message.chat.id)],
        by: Some(name),
        occurred_at: message.date.map(At::from_secs),
    }
}

fn touch(message: &Message<'_>, from: &User<'_>, channel: &Channel) -> Touch {
    let mut touch = Touch::new(Kind::Chat);
    touch.handles.push(handle(from.id));
    touch.name = name(from);
    touch.occurred_at = message.date.map(At::from_secs);
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

/// Telegram writes a phone in international form, sometimes without the plus.
fn share(touch: &mut Touch, contact: &Contact<'_>, from: &User<'_>) {
    let number = cut(contact.phone_number.trim(), 64);
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { format!("+{number}") } else { number.to_owned() };
    if contact.user_id == Some(from.id) {
        touch.phones.push(number);
        return;
    }
    attribute(touch, "contact.phone_number", &number);
    if let Some(name) = &contact.first_name {
        attribute(touch, "contact.first_name", name);
    }
}

/// The words, or a placeholder for what has none. `/start PAYLOAD` is how a link says where the person came from.
fn said(touch: &mut Touch, message: &Message<'_>, channel: &Channel) {
    let text = message.text.as_deref().or(message.caption.as_deref()).map(str::trim).unwrap_or_default();
    if let Some(payload) = start(text) {
        if !payload.is_empty() {
            fields::campaign(touch, "start", payload);
        }
        return;
    }
    let media = media(message);
    if let Some(media) = media {
        attribute(touch, "media", media);
    }
    if text.len() > LONGEST_TEXT {
        touch.flags.insert("cut".to_owned());
    }
    touch.text_phones = fields::phones_in(text, channel.region);
    touch.text = match media {
        Some(media) if text.is_empty() => Some(format!("[{media}]")),
        _ => Some(cut(text, LONGEST_TEXT).to_owned()).filter(|text| !text.is_empty()),
    };
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

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Empty
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let number = number_of(&sample.nonce);
    let user = number % 1_000_000_000;
    let mut message = json!({
        "message_id": 1,
        "date": now.millis() / 1000,
        "chat": {"id": user, "type": "private"},
        "from": {"id": user, "is_bot": false, "first_name": sample.name.as_deref().unwrap_or("Test")},
        "text": said_in_sample(sample),
    });
    if let Some(phone) = &sample.phone {
        message["contact"] = json!({"phone_number": phone, "first_name": sample.name, "user_id": user});
    }
    let mut headers = vec![("content-type".to_owned(), JSON_TYPE.to_owned())];
    headers.extend(signature::current(&channel.secrets).map(|secret| (TOKEN.to_owned(), secret.to_owned())));
    SampleRequest {
        method: Method::POST,
        path: String::new(),
        headers,
        body: json!({"update_id": number, "message": message}).to_string().into_bytes(),
        expect: StatusCode::NO_CONTENT,
    }
}

/// A chat has no field for a mail address; a person would write it.
fn said_in_sample(sample: &Sample) -> String {
    let parts: Vec<&str> = [&sample.text, &sample.email].into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "Test".to_owned() } else { parts.join("\n") }
}

fn number_of(nonce: &str) -> u64 {
    let bytes = lead::ids::digest("telegram sample", &[nonce.as_bytes()]);
    u64::from_be_bytes(bytes[..8].try_into().expect("a digest has 16 bytes")) >> 12
}

const HELP: &str = "\
# Telegram bot

1. Make a bot with @BotFather and note its token.
2. `secret`: any 1 to 256 characters of `A-Z a-z 0-9 _ -`; make it long and random.
3. Tell Telegram where to post, once:

```sh
curl \"https://api.telegram.org/bot<token>/setWebhook\" -d url={url} -d secret_token=<secret> \\
  -d 'allowed_updates=[\"message\",\"business_message\"]'
```

- A link `https://t.me/<bot>?start=spring` puts `spring` into the lead's campaign as `start`.
- Ask for the phone with a `request_contact` button; only the sender's own card counts.
- With Telegram Business connected, the owner's own messages count as the first human answer; automatic greetings and
  bots do not.
- Groups, channels, edits and button presses are counted and left alone.
";
