//! How do Jivo's events become touches, replies and calls?
//!
//! Jivo tells when an agent takes a chat, when the visitor leaves his contacts, when the chat is over (with all its
//! messages), when somebody writes while nobody is there, and of calls through its widget. It signs nothing: the
//! address is the proof, see [`shown`].
//!
//! Read in Jivo's «Webhooks API». Assumptions:
//! - An agent takes a chat by beginning to answer it, so that is the first contact; whoever doubts it sets
//!   `first_contact = "message"` and waits for the end of the chat, where the messages have their times.
//! - A visitor's number is unique within a widget.
//! - A call to the widget is answered when the agent is connected; a callback, when the client is.

use super::shared::fields::{self, LONGEST_TEXT, Pairs};
use super::shared::renamed;
use super::shared::said::{self, Said};
use super::shared::{json, shown};
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Handle, Kind, Phase, Reply, Signal, Touch};
use lead::text::cut;
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "jivo",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[FIRST_CONTACT, CLIENTS],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("jivo.md"),
};

const FIRST_CONTACT: Setting = Setting::optional(
    "first_contact",
    Value::Word(&["accepted", "message"]),
    "what counts as the first answer: \"accepted\" or \"message\"",
);

/// A visitor who leaves his phone in a pop-up and an agent who corrects a name look the same.
const CLIENTS: Setting = Setting::optional(
    "client_updated",
    Value::Word(&["ignore", "lead"]),
    "what a changed contact outside a chat is: \"ignore\" or \"lead\"",
);

/// Paths by our names; what is the agent's or the browser's business is dropped.
const NAMES: [(&str, &str); 34] = [
    ("event_name", ""),
    ("chat_id", ""),
    ("client_id", ""),
    ("widget_id", ""),
    ("offline_message_id", ""),
    ("plain_messages", ""),
    ("html_messages", ""),
    ("visitor.name", "name"),
    ("visitor.phone", "phone"),
    ("visitor.email", "email"),
    ("visitor.number", ""),
    ("visitor.description", "agents_remark"),
    ("session.ip_addr", ""),
    ("session.user_agent", ""),
    ("session.utm", ""),
    ("session.utm_json.source", "utm_source"),
    ("session.utm_json.medium", "utm_medium"),
    ("session.utm_json.campaign", "utm_campaign"),
    ("session.utm_json.content", "utm_content"),
    ("session.utm_json.term", "utm_term"),
    ("session.geoip.country_code", "country"),
    ("session.geoip.country", ""),
    ("session.geoip.region", "region"),
    ("session.geoip.region_code", ""),
    ("session.geoip.city", "city"),
    ("session.geoip.latitude", ""),
    ("session.geoip.longitude", ""),
    ("session.geoip.organization", ""),
    ("department.id", ""),
    ("topic.topic_id", ""),
    ("topic.parent_id", ""),
    ("page.url", "page"),
    ("page.title", "page_title"),
    ("message", "message"),
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event { said: Said(json::read_but(request.json()?, "chat")?), channel };
    match event.said.get("event_name") {
        Some("chat_accepted") => event.accepted(),
        Some("chat_updated") => event.changed(),
        Some("client_updated") if channel.setting(CLIENTS.name) == Some("lead") => event.changed(),
        Some("client_updated") => Ok(Reading::ignored("jivo.client_updated")),
        Some("offline_message") => event.offline(),
        Some("chat_finished") => event.finished(&messages(&request.body)),
        Some("call_event") => event.call(),
        Some("chat_assigned") => Ok(Reading::ignored("jivo.chat_assigned")),
        Some(_) => Ok(Reading::ignored("jivo.other_event")),
        None => Err(Refusal::Unreadable("the event has no name")),
    }
}

#[derive(Default, Deserialize)]
struct Finished<'a> {
    #[serde(borrow, default)]
    chat: Option<Chat<'a>>,
}

#[derive(Deserialize)]
struct Chat<'a> {
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "json::whole")]
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "json::whole")]
    agent_id: Option<i64>,
}

/// A chat of an unexpected shape costs its messages, not the contact.
fn messages(body: &[u8]) -> Vec<Message<'_>> {
    json::typed::<Finished<'_>>(body).unwrap_or_default().chat.map(|chat| chat.messages).unwrap_or_default()
}

struct Event<'a> {
    said: Said<'a>,
    channel: &'a Channel,
}

impl Event<'_> {
    fn handle(&self) -> Option<Handle> {
        let number = self.said.get("visitor.number").or(self.said.get("client_id"))?;
        let widget = self.said.get("widget_id").unwrap_or_default();
        Some(Handle { kind: "jivo".to_owned(), id: cut(&format!("{widget}:{number}"), 256).to_owned() })
    }

    fn touch(&self) -> Touch {
        let mut touch = Touch::new(Kind::Chat);
        let customers = |path: &str| !path.starts_with("agent") && !path.starts_with("assigned_agent");
        let pairs: Pairs<'_> = self.said.0.iter().filter(|(path, _)| customers(path)).cloned().collect();
        let pairs = renamed::rename(pairs, &NAMES, self.channel);
        fields::fill(&mut touch, pairs, self.channel);
        self.tags(&mut touch);
        touch.handles.extend(self.handle());
        fields::hear(&mut touch, self.channel);
        touch
    }

    /// `source=google|medium=cpc`, where the tags do not come one by one.
    fn tags(&self, touch: &mut Touch) {
        let pairs = self.said.get("session.utm").unwrap_or_default().split('|').filter_map(|tag| tag.split_once('='));
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            fields::campaign(touch, &format!("utm_{}", name.trim_start_matches("utm_")), value);
        }
    }

    /// The agent by what a staff list would hold.
    fn agent(&self, at: &str) -> Option<String> {
        let known = |key| self.said.text(&format!("{at}.{key}"));
        known("email").or_else(|| known("phone")).or_else(|| known("id"))
    }

    fn reply(&self, chat: String, word: &str, by: Option<String>, occurred_at: Option<At>) -> Read {
        let reply = Reply {
            to_phones: self.said.text("visitor.phone").into_iter().collect(),
            to_emails: self.said.text("visitor.email").into_iter().collect(),
            to_handles: self.handle().into_iter().collect(),
            by,
            occurred_at,
        };
        Read { id: Some((chat, word.to_owned())), signal: Signal::Reply(Box::new(reply)) }
    }

    fn chat(&self) -> Result<&str, Refusal> {
        self.said.get("chat_id").ok_or(Refusal::Unreadable("the event has no chat_id"))
    }

    fn accepted(&self) -> Result<Reading, Refusal> {
        let chat = self.chat()?.to_owned();
        let mut signals = vec![Read::touch(Some(chat.clone()), "accepted", self.touch())];
        if self.channel.setting(FIRST_CONTACT.name) != Some("message") {
            signals.push(self.reply(chat, "accepted-reply", self.agent("agent"), None));
        }
        Ok(Reading::of(signals))
    }

    /// Each state of the contacts is an event of its own.
    fn changed(&self) -> Result<Reading, Refusal> {
        let touch = self.touch();
        if touch.phones.is_empty() && touch.emails.is_empty() {
            return Ok(Reading::ignored("jivo.no_contacts"));
        }
        let contacts: Vec<&[u8]> =
            touch.name.iter().chain(&touch.phones).chain(&touch.emails).map(String::as_bytes).collect();
        let state = lead::ids::digest("jivo contacts", &contacts);
        let id = self.said.get("chat_id").or(self.said.get("client_id"));
        let id = id.ok_or(Refusal::Unreadable("the event names neither a chat nor a client"))?;
        let word = format!("contacts-{}", HEXLOWER.encode(&state));
        Ok(Reading::of([Read::touch(Some(id.to_owned()), &word, touch)]))
    }

    fn offline(&self) -> Result<Reading, Refusal> {
        let id = self.said.text("offline_message_id").or_else(|| self.said.text("chat_id"));
        Ok(Reading::of([Read::touch(id, "offline", self.touch())]))
    }

    /// What the visitor said, and the first answer of a person; later ones change nothing.
    fn finished(&self, messages: &[Message<'_>]) -> Result<Reading, Refusal> {
        let is = |message: &&Message<'_>, kind: &str| message.kind.as_deref() == Some(kind);
        let at = |message: &Message<'_>| message.timestamp.map(At::from_secs);
        let theirs: Vec<&Message<'_>> = messages.iter().filter(|message| is(message, "visitor")).collect();
        let mut touch = self.touch();
        let words: Vec<&str> = theirs.iter().filter_map(|message| message.message.as_deref()).collect();
        let words = words.join("\n");
        if words.len() > LONGEST_TEXT {
            touch.flags.insert("cut".to_owned());
        }
        touch.text = Some(cut(&words, LONGEST_TEXT).to_owned()).filter(|text| !text.is_empty()).or(touch.text);
        touch.occurred_at = theirs.first().and_then(|message| at(message));
        fields::hear(&mut touch, self.channel);
        let chat = self.chat()?.to_owned();
        let mut signals = vec![Read::touch(Some(chat.clone()), "finished", touch)];
        if let Some(first) = messages.iter().find(|message| is(message, "agent")) {
            let by = first.agent_id.and_then(|id| self.agent_called(id));
            signals.push(self.reply(chat, "finished-reply", by, at(first)));
        }
        Ok(Reading::of(signals))
    }

    fn agent_called(&self, id: i64) -> Option<String> {
        let id = id.to_string();
        let (path, _) = self
            .said
            .0
            .iter()
            .find(|(path, value)| path.starts_with("agents.") && path.ends_with(".id") && **value == *id)?;
        self.agent(path.trim_end_matches(".id"))
    }

    fn call(&self) -> Result<Reading, Refusal> {
        let kind = self.said.get("call.type").unwrap_or_default();
        let direction = if kind == "outgoing" { Direction::Outbound } else { Direction::Inbound };
        let status = self.said.get("call.status").unwrap_or_default();
        let answered = Phase::Answered { by: AnsweredBy::Human };
        let phase = match (status, kind) {
            ("agent_connected", "incoming") | ("client_connected", "callback" | "outgoing") => answered,
            ("start" | "agent_connected" | "client_connected", _) => Phase::Ringing,
            ("end" | "error", _) => Phase::Ended {
                talk_s: None,
                cause: self.said.text("call.reason").or_else(|| self.said.text("call.status")),
            },
            _ => return Ok(Reading::ignored("jivo.other_call_status")),
        };
        let told = |phase: Phase| -> Result<Call, Refusal> {
            let customer = self.said.phone("call.phone").or_else(|| self.said.phone("visitor.phone"));
            let (from, to) = if direction == Direction::Inbound { (customer, None) } else { (None, customer) };
            let agent = self.agent("agent").filter(|_| phase != Phase::Ringing);
            let call = said::call(self.chat()?, direction, phase);
            Ok(Call { from, to, agent, name: self.said.text("visitor.name"), ..call })
        };
        let mut phases = vec![Read::call(self.chat()?, &format!("call-{status}"), told(phase)?)];
        if let Some(url) = self.said.text("call.record_url") {
            phases.push(Read::call(self.chat()?, "call-recorded", told(Phase::Recorded { url })?));
        }
        Ok(Reading::of(phases))
    }
}

/// Anything but `ok` would be shown to the agent as a fault.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Body(json!({"result": "ok"}).to_string(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let id = sample.id();
    let event = json!({
        "event_name": "offline_message",
        "widget_id": "1",
        "visitor": {"name": sample.name, "phone": sample.phone, "email": sample.email, "number": id},
        "message": sample.text.as_deref().unwrap_or("Test"),
        "offline_message_id": id,
    });
    SampleRequest::json(&event).below(shown::in_url(channel))
}
