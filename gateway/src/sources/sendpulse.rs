//! How do the events of SendPulse become touches and replies: of its chatbots, and of its mailing lists?
//!
//! - One post holds one event, or a list of them; each is read for itself.
//! - A chatbot's event has a `title`. One that is not SendPulse's own was named by whoever put a *Send webhook* action
//!   into a flow, and is a touch.
//! - Whether a message that went out was written by a person SendPulse does not say: the channel does (`outgoing`).
//! - A list's event has an `event`; a new address is a touch.
//!
//! From the vendor's documentation of chatbot webhooks and of webhooks of the mail service; some events have two names.

use super::shared::fields::{self, Pairs};
use super::shared::renamed::{self, Names, Person};
use super::shared::{json, number, shown};
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Handle, Kind, Reply, Signal, Unreadable};
use lead::time::At;
use serde_json::value::RawValue;

pub const SOURCE: Source = Source {
    name: "sendpulse",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[OUTGOING],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("sendpulse.md"),
};

const OUTGOING: Setting = Setting::optional(
    "outgoing",
    Value::Word(&["bot", "people"]),
    "who writes what goes out: \"bot\", or \"people\" where every outgoing message is a colleague's",
);
const MOST_EVENTS: usize = 1000;
const NAMES: &Names = &[
    ("contact.last_message", "message"),
    ("contact.username", "contact_username"),
    ("contact.variables.", ""),
    ("contact.", ""),
    ("variables.", ""),
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let mut reading = Reading::default();
    let mut unreadable = None;
    for item in items(request.json()?)? {
        match event(item, channel) {
            Ok(Said::Signal(read)) => reading.signals.push(*read),
            Ok(Said::Nothing(what)) => reading.ignored.push(what),
            Err(Refusal::Unreadable(why)) => unreadable = Some(why),
            Err(other) => return Err(other),
        }
    }
    match unreadable {
        Some(why) if reading.signals.is_empty() => return Err(Refusal::Unreadable(why)),
        Some(why) => reading.signals.insert(0, aside(why)),
        None => {}
    }
    Ok(reading)
}

/// One event that cannot be read does not lose the others. It comes first, where the request's bytes are kept.
fn aside(reason: &str) -> Read {
    let content_type = Some(JSON_TYPE.to_owned());
    Read { id: None, signal: Signal::Unreadable(Unreadable { reason: reason.to_owned(), content_type, rest: None }) }
}

fn items(body: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if !list {
        return Ok(vec![body]);
    }
    let items: Vec<&RawValue> = json::typed(body)?;
    if items.len() > MOST_EVENTS {
        return Err(Refusal::TooLarge("the request has more than 1000 events"));
    }
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

enum Said {
    Signal(Box<Read>),
    Nothing(&'static str),
}

fn event(item: &[u8], channel: &Channel) -> Result<Said, Refusal> {
    let pairs = json::read(item)?;
    match (fields::get(&pairs, "title"), fields::get(&pairs, "event")) {
        (Some(title), _) => {
            let title = title.to_owned();
            chat(pairs, &title, channel)
        }
        (None, Some(event)) => {
            let event = event.to_owned();
            list(pairs, &event, channel)
        }
        (None, None) => Err(Refusal::Unreadable("the event has no name")),
    }
}

fn chat(mut pairs: Pairs<'_>, title: &str, channel: &Channel) -> Result<Said, Refusal> {
    let outgoing = match title {
        "open_chat" | "opened_live_chat" => return Ok(Said::Nothing("sendpulse.open_chat")),
        "run_custom_flow" => return Ok(Said::Nothing("sendpulse.flow")),
        "link_click" | "redirect" => return Ok(Said::Nothing("sendpulse.link_click")),
        "unsubscribe" | "bot_unsubscribe" => return Ok(Said::Nothing("sendpulse.unsubscribe")),
        "bot_block" | "bot_blocked" => return Ok(Said::Nothing("sendpulse.blocked")),
        "outgoing_message" | "outbound_message" => true,
        _ => false,
    };
    if outgoing && channel.setting(OUTGOING.name) != Some("people") {
        return Ok(Said::Nothing("sendpulse.outgoing"));
    }
    if pairs.iter().any(|(path, value)| path.starts_with("info.") && path.ends_with(".item") && value == "comment") {
        // Said in public under a post, to nobody in particular.
        return Ok(Said::Nothing("sendpulse.comment"));
    }
    let id = renamed::take(&mut pairs, "contact.id").ok_or(Refusal::Unreadable("the event names no contact"))?;
    let at = renamed::take(&mut pairs, "date").and_then(|date| moment(&date));
    let message = fields::get(&pairs, "info.message.id").map(|message| format!("{id} {message}"));
    if outgoing {
        return Ok(Said::Signal(Box::new(reply(id, at, message))));
    }
    if fields::get(&pairs, "contact.last_message").is_none() {
        let text = fields::get(&pairs, "info.message.channel_data.message.text").map(str::to_owned);
        pairs.extend(text.map(|text| ("message".into(), text.into())));
    }
    let person = Person { kind: Kind::Chat, network: SOURCE.name, id: Some(id) };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (mut touch, _) = known.ok_or(Refusal::Unreadable("the event names no contact"))?;
    touch.phones.iter_mut().for_each(|phone| *phone = number::perhaps_with_country(phone));
    touch.occurred_at = at;
    Ok(Said::Signal(Box::new(Read::touch(message, title, touch))))
}

fn reply(id: String, occurred_at: Option<At>, message: Option<String>) -> Read {
    let reply = Reply {
        to_phones: Vec::new(),
        to_emails: Vec::new(),
        to_handles: vec![Handle { kind: SOURCE.name.to_owned(), id }],
        by: None,
        occurred_at,
    };
    Read { id: message.map(|id| (id, "outgoing".to_owned())), signal: Signal::Reply(Box::new(reply)) }
}

fn list(mut pairs: Pairs<'_>, event: &str, channel: &Channel) -> Result<Said, Refusal> {
    match event {
        "new_emails" => {}
        "unsubscribe" => return Ok(Said::Nothing("sendpulse.unsubscribe")),
        "delete" => return Ok(Said::Nothing("sendpulse.delete")),
        _ => return Ok(Said::Nothing("sendpulse.mailing")),
    }
    let at = renamed::take(&mut pairs, "timestamp");
    let of = |name| fields::get(&pairs, name).unwrap_or_default().to_owned();
    let id = at.as_ref().map(|at| format!("{} {} {at}", of("email"), of("book_id")));
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (mut touch, _) = known.ok_or(Refusal::Unreadable("the event names no address"))?;
    touch.occurred_at = at.and_then(|at| moment(&at));
    Ok(Said::Signal(Box::new(Read::touch(id, event, touch))))
}

/// Seconds, or milliseconds as chatbots count.
fn moment(number: &str) -> Option<At> {
    const MILLIS: i64 = 100_000_000_000;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    Some(if number < MILLIS { At::from_secs(number) } else { At::from_secs(number / 1000) })
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let contact = serde_json::json!({
        "id": sample.nonce,
        "name": sample.name(),
        "phone": sample.phone,
        "email": sample.email,
        "last_message": sample.text,
    });
    let body = serde_json::json!([{
        "service": "telegram",
        "title": "incoming_message",
        "bot": {"id": "test"},
        "contact": contact,
        "info": {"message": {"id": sample.nonce}},
        "date": now.millis(),
    }]);
    SampleRequest::json(&body).with(shown::header(channel))
}
