//! How do VK's Callback API events become touches and replies: lead forms and messages to a community?
//!
//! The secret and the community's number travel in the body. Everything is answered with the bare word `ok`, except
//! the question for the confirmation string; any other answer makes VK repeat the event and in the end give up.
//!
//! Read in VK's documentation and its SDK for Go (`SevereCloud/vksdk`). Assumptions:
//! - Only private conversations are customers; a group chat's number begins at two billion.
//! - A community's message was written by a person if it names an administrator; replies through other tools do not.

use super::shared::fields::{self, LONGEST_TEXT, Pairs, attribute};
use super::shared::{json, signature};
use super::{
    Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Handle, Kind, Reply, Signal, Touch};
use lead::text::cut;
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "vk",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[CONFIRMATION, GROUP, REPLIES],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("vk.md"),
};

const CONFIRMATION: Setting =
    Setting::required("confirmation", Value::Text, "the string that VK says the server must return");

const GROUP: Setting = Setting::optional("group_id", Value::Text, "the number of the community");

const REPLIES: Setting = Setting::optional(
    "replies",
    Value::Word(&["administrators", "all"]),
    "whose messages of the community are a person's: \"administrators\" or \"all\"",
);

const GROUP_CHATS: i64 = 2_000_000_000;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    event_id: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "json::whole")]
    group_id: Option<i64>,
    #[serde(borrow)]
    secret: Option<Cow<'a, str>>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

/// Since API 5.103; before, the message was the object itself.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, deserialize_with = "json::whole")]
    date: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    from_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    peer_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    conversation_message_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    admin_author_id: Option<i64>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ref")]
    campaign: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ref_source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    attachments: Vec<Attachment<'a>>,
}

#[derive(Deserialize)]
struct Attachment<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LeadForm<'a> {
    #[serde(default, deserialize_with = "json::whole")]
    lead_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    user_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    form_id: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    ad_id: Option<i64>,
    #[serde(borrow)]
    form_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    answers: Vec<Given<'a>>,
}

#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    question: Option<Cow<'a, str>>,
    answer: serde_json::Value,
}

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let event: Event<'_> = json::typed(&request.body).map_err(|_| Denied::Wrong)?;
    let shown = event.secret.as_deref().unwrap_or_default();
    let group = channel.setting(GROUP.name).is_none_or(|ours| event.group_id.is_some_and(|id| id.to_string() == ours));
    signature::prove(channel, |secret| signature::same(secret, shown.as_bytes()) & group)
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event: Event<'_> = json::typed(&request.body)?;
    match &*event.kind {
        "confirmation" => Ok(Reading::ignored("vk.confirmation")),
        "lead_forms_new" => lead_form(&event, channel),
        "message_new" => message(&event, channel),
        "message_reply" => reply(&event, channel),
        "message_edit" => Ok(Reading::ignored("vk.message_edit")),
        "message_allow" | "message_deny" => Ok(Reading::ignored("vk.permission")),
        _ => Ok(Reading::ignored("vk.other_event")),
    }
}

impl<'a> Event<'a> {
    fn object<T: Deserialize<'a>>(&self) -> Result<T, Refusal> {
        json::typed(self.object.ok_or(Refusal::Unreadable("the event has no object"))?.get().as_bytes())
    }

    fn message(&self) -> Result<Message<'a>, Refusal> {
        match self.object::<Wrapped<'a>>()?.message {
            Some(message) => Ok(message),
            None => self.object(),
        }
    }

    /// VK's own id, or what the event is about where there is none.
    fn read(&self, about: &str, signal: Signal) -> Reading {
        let id = self.event_id.as_deref().map(|id| (cut(id, 256).to_owned(), "event".to_owned()));
        let id = id.or_else(|| Some((format!("{}:{about}", self.group_id?), self.kind.clone().into_owned())));
        Reading::of([Read { id, signal }])
    }
}

fn handle(user: i64) -> Handle {
    Handle { kind: "vk".to_owned(), id: user.to_string() }
}

fn message(event: &Event<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let message = event.message()?;
    let from = message.from_id.ok_or(Refusal::Unreadable("the message has no sender"))?;
    if message.peer_id.is_some_and(|peer| peer >= GROUP_CHATS) {
        return Ok(Reading::ignored("vk.group_chat"));
    }
    if from <= 0 {
        return Ok(Reading::ignored("vk.automatic"));
    }
    let mut touch = Touch::new(Kind::Chat);
    touch.handles.push(handle(from));
    touch.occurred_at = message.date.map(At::from_secs);
    for (name, value) in [("ref", &message.campaign), ("ref_source", &message.ref_source)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            fields::campaign(&mut touch, name, value);
        }
    }
    words(&mut touch, &message, channel);
    Ok(event.read(&about(&message), Signal::Touch(Box::new(touch))))
}

fn about(message: &Message<'_>) -> String {
    format!("{}:{}", message.peer_id.unwrap_or_default(), message.conversation_message_id.unwrap_or_default())
}

/// The words, or a placeholder for what has none.
fn words(touch: &mut Touch, message: &Message<'_>, channel: &Channel) {
    let text = message.text.as_deref().map(str::trim).unwrap_or_default();
    let media = message.attachments.first().map(|first| cut(&first.kind, 64).to_owned());
    message.attachments.iter().take(10).for_each(|one| attribute(touch, "media", &one.kind));
    if text.len() > LONGEST_TEXT {
        touch.flags.insert("cut".to_owned());
    }
    touch.text_phones = fields::phones_in(text, channel.region);
    let words = Some(cut(text, LONGEST_TEXT).to_owned()).filter(|text| !text.is_empty());
    touch.text = words.or_else(|| media.map(|media| format!("[{media}]")));
}

fn reply(event: &Event<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let message = event.message()?;
    let author = message.admin_author_id.filter(|id| *id > 0);
    if author.is_none() && channel.setting(REPLIES.name) != Some("all") {
        return Ok(Reading::ignored("vk.automatic"));
    }
    let to = message.peer_id.filter(|peer| (1..GROUP_CHATS).contains(peer));
    let Some(to) = to else { return Ok(Reading::ignored("vk.group_chat")) };
    let reply = Reply {
        to_phones: Vec::new(),
        to_emails: Vec::new(),
        to_handles: vec![handle(to)],
        by: author.map(|id| id.to_string()),
        occurred_at: message.date.map(At::from_secs),
    };
    Ok(event.read(&about(&message), Signal::Reply(Box::new(reply))))
}

/// VK's own questions have names; the others are known by their words.
fn lead_form(event: &Event<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let form: LeadForm<'_> = event.object()?;
    let mut touch = Touch::new(Kind::Form);
    touch.handles.extend(form.user_id.filter(|user| *user > 0).map(handle));
    let numbers = [("form_id", form.form_id), ("ad_id", form.ad_id), ("lead_id", form.lead_id)];
    for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
        attribute(&mut touch, name, &number.to_string());
    }
    if let Some(name) = form.form_name.as_deref().filter(|name| !name.is_empty()) {
        attribute(&mut touch, "form_name", name);
    }
    let pairs: Pairs<'_> = form.answers.iter().flat_map(Given::pairs).take(fields::MOST_FIELDS).collect();
    fields::fill(&mut touch, pairs, channel);
    fields::hear(&mut touch, channel);
    let about = form.lead_id.unwrap_or_default().to_string();
    Ok(event.read(&about, Signal::Touch(Box::new(touch))))
}

impl Given<'_> {
    fn name(&self) -> &str {
        let question = self.question.as_deref().filter(|question| !question.is_empty());
        match self.key.as_deref().unwrap_or_default() {
            "patronymic_name" => "middle_name",
            "location" => "city",
            own if own.is_empty() || own.starts_with("custom_") => question.unwrap_or(own),
            known => known,
        }
    }

    /// One answer, or each that was ticked.
    fn pairs(&self) -> Pairs<'_> {
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        let pair = |value| (Cow::Borrowed(self.name()), Cow::Owned(text(value)));
        match &self.answer {
            serde_json::Value::Array(ticked) => ticked.iter().map(pair).collect(),
            one => vec![pair(one)],
        }
    }
}

fn answer(request: &Request, channel: &Channel, _: Option<&str>) -> Answer {
    let asked = json::typed::<Event<'_>>(&request.body).is_ok_and(|event| event.kind == "confirmation");
    match channel.setting(CONFIRMATION.name).filter(|_| asked) {
        Some(confirmation) => Answer::Body(confirmation.to_owned(), "text/plain; charset=utf-8"),
        None => Answer::Text("ok"),
    }
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let asked = [("first_name", &sample.name), ("phone_number", &sample.phone), ("email", &sample.email)];
    let given = asked.into_iter().filter_map(|(key, value)| Some(json!({"key": key, "answer": value.as_ref()?})));
    let text = sample.text.iter().map(|text| json!({"key": "custom_0", "question": "Комментарий", "answer": text}));
    let group: i64 = channel.setting(GROUP.name).and_then(|id| id.parse().ok()).unwrap_or(1);
    let event = json!({
        "type": "lead_forms_new",
        "event_id": sample.id(),
        "v": "5.199",
        "group_id": group,
        "secret": signature::current(&channel.secrets),
        "object": {"group_id": group, "form_name": "Test", "answers": given.chain(text).collect::<Vec<_>>()},
    });
    SampleRequest::json(&event)
}
