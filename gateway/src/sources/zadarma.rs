//! How do Zadarma's PBX notifications become the phases of one call?
//!
//! A form post per event, all of one call under `pbx_call_id`. The header `Signature` is the base64 of the HMAC-SHA1
//! in hexadecimal, over a few fields that differ by event; the other fields are not protected by it. Before it posts,
//! Zadarma asks the address to echo `zd_echo`; that is unsigned, and answered with nothing but the echo.
//!
//! Read in Zadarma's PHP library (`zadarma/user-api-v1`, `lib/Webhook`). Assumptions:
//! - `call_start` is when the call began, whatever the event, so an answer's own time is when it arrives.
//! - An inbound call may be `answered` by a menu; only `NOTIFY_ANSWER` is a person. An outbound call was placed by one.

use super::shared::fields::Pairs;
use super::shared::said::{self, RECORDING_URL, Said, TIME_ZONE};
use super::shared::{signature, urlencoded};
use super::{
    Answer, BodyLimit, Denied, FORM_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source,
};
use crate::channel::Channel;
use data_encoding::{BASE64, HEXLOWER};
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;
use std::time::Duration;

pub const SOURCE: Source = Source {
    name: "zadarma",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[TIME_ZONE, RECORDING_URL],
    methods: &[Method::POST, Method::GET],
    verify,
    read,
    answer,
    sample,
    help: include_str!("zadarma.md"),
};

const SIGNATURE: &str = "signature";
const ECHO: &str = "zd_echo";
const LONGEST_ECHO: usize = 256;
/// What each kind of event signs.
const CALLER: &[&str] = &["caller_id", "called_did", "call_start"];
const ANSWERED: &[&str] = &["caller_id", "destination", "call_start"];
const OUTBOUND: &[&str] = &["internal", "destination", "call_start"];
const RECORDED: &[&str] = &["pbx_call_id", "call_id_with_rec"];
const RESULT: &[&str] = &["result"];

/// An echo may come as a post, whose body must be read to see it: so a post without a signature is wrong and not
/// lacking.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    if echo(request).is_some() {
        return Ok(());
    }
    let missing = if request.method == Method::GET { Denied::Missing } else { Denied::Wrong };
    let given = request.header(SIGNATURE).ok_or(missing)?;
    let event = Said(fields(request).map_err(|_| Denied::Wrong)?);
    let genuine = signed(event.get("event")).iter().any(|names| is_signed(&event, names, given, channel));
    if genuine { Ok(()) } else { Err(Denied::Wrong) }
}

/// The fields that an event of this name signs; of an event we do not know, all that are possible.
fn signed(event: Option<&str>) -> &'static [&'static [&'static str]] {
    match event {
        Some("NOTIFY_START" | "NOTIFY_END" | "NOTIFY_IVR") => &[CALLER],
        Some("NOTIFY_ANSWER" | "NOTIFY_INTERNAL") => &[ANSWERED],
        Some("NOTIFY_OUT_START" | "NOTIFY_OUT_END") => &[OUTBOUND],
        Some("NOTIFY_RECORD") => &[RECORDED],
        Some("SMS" | "SPEECH_RECOGNITION") => &[RESULT],
        Some(_) => &[CALLER, ANSWERED, OUTBOUND, RECORDED, RESULT],
        None => &[],
    }
}

fn is_signed(event: &Said<'_>, names: &[&str], given: &str, channel: &Channel) -> bool {
    let values: Vec<&[u8]> = names.iter().map(|name| raw(&event.0, name)).collect();
    signature::any(&channel.secrets, |secret| signature::same(proof(secret, &values).as_bytes(), given.as_bytes()))
}

/// Exactly as sent. A doubled field counts as none, so that nobody can sign one value and show another.
fn raw<'p>(fields: &'p Pairs<'_>, name: &str) -> &'p [u8] {
    said::only(fields, name).unwrap_or_default().as_bytes()
}

fn proof(secret: &[u8], values: &[&[u8]]) -> String {
    BASE64.encode(HEXLOWER.encode(&signature::hmac_sha1(secret, values)).as_bytes())
}

fn fields(request: &Request) -> Result<Pairs<'_>, Refusal> {
    urlencoded::flat(if request.method == Method::GET { request.query.as_bytes() } else { &request.body })
}

/// What Zadarma wants to hear back; an event never asks.
fn echo(request: &Request) -> Option<String> {
    let body = fields(request).ok()?;
    let query = urlencoded::flat(request.query.as_bytes()).ok()?;
    let asked = said::only(&body, ECHO).or_else(|| said::only(&query, ECHO))?;
    let is_event = body.iter().chain(&query).any(|(name, _)| name == "event");
    (!is_event && asked.len() <= LONGEST_ECHO).then(|| asked.to_owned())
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if echo(request).is_some() {
        return Ok(Reading::ignored("zadarma.echo"));
    }
    if request.method != Method::GET && !request.is(FORM_TYPE) {
        return Err(Refusal::MediaType);
    }
    let event = Event { said: Said(fields(request)?), channel, received_at: request.received_at };
    match event.said.get("event") {
        Some("NOTIFY_START") => event.one("start", Direction::Inbound, Phase::Ringing, event.start()),
        Some("NOTIFY_INTERNAL") => event.one("internal", Direction::Inbound, Phase::Ringing, event.start()),
        Some("NOTIFY_ANSWER") => {
            event.one("answered", Direction::Inbound, Phase::Answered { by: AnsweredBy::Human }, None)
        }
        Some("NOTIFY_END") => {
            let cause = event.said.text("disposition");
            event.one("end", Direction::Inbound, Phase::Ended { talk_s: None, cause }, None)
        }
        Some("NOTIFY_OUT_START") => event.one("start", Direction::Outbound, Phase::Ringing, event.start()),
        Some("NOTIFY_OUT_END") => event.outbound_end(),
        Some("NOTIFY_RECORD") => event.recording(),
        Some("NOTIFY_IVR") => Ok(Reading::ignored("zadarma.ivr")),
        Some("SMS") => Ok(Reading::ignored("zadarma.sms")),
        Some("SPEECH_RECOGNITION") => Ok(Reading::ignored("zadarma.speech")),
        Some(_) => Ok(Reading::ignored("zadarma.other_event")),
        None => Err(Refusal::Unreadable("the notification has no event")),
    }
}

struct Event<'a> {
    said: Said<'a>,
    channel: &'a Channel,
    received_at: At,
}

const USED: [&str; 9] = [
    "call_start",
    "called_did",
    "caller_id",
    "destination",
    "disposition",
    "duration",
    "event",
    "internal",
    "pbx_call_id",
];

impl Event<'_> {
    fn id(&self) -> Result<&str, Refusal> {
        self.said.get("pbx_call_id").ok_or(Refusal::Unreadable("the notification has no pbx_call_id"))
    }

    fn start(&self) -> Option<At> {
        said::local(self.channel, self.said.get("call_start")?)
    }

    fn call(&self, direction: Direction, phase: Phase, at: Option<At>) -> Result<Call, Refusal> {
        let person = self.said.text("internal").or_else(|| self.said.text("destination"));
        let (caller, called) = (self.said.phone("caller_id"), self.said.phone("called_did"));
        let offered = phase == Phase::Ringing;
        let call = Call {
            occurred_at: at,
            attributes: self.said.attributes(&USED),
            ..said::call(self.id()?, direction, phase)
        };
        Ok(match direction {
            Direction::Inbound if offered => Call { from: caller, to: called, routed_to: person, ..call },
            Direction::Inbound => Call { from: caller, to: called, agent: person, ..call },
            Direction::Outbound => {
                Call { from: caller, to: self.said.phone("destination"), agent: self.said.text("internal"), ..call }
            }
        })
    }

    /// The phase of this event. A queue offers a call to one extension after the other.
    fn one(&self, word: &str, direction: Direction, phase: Phase, at: Option<At>) -> Result<Reading, Refusal> {
        let word = match self.said.get("internal") {
            Some(internal) if matches!(word, "internal" | "answered") => format!("{word}-{internal}"),
            _ => word.to_owned(),
        };
        Ok(Reading::of([Read::call(self.id()?, &word, self.call(direction, phase, at)?)]))
    }

    fn outbound_end(&self) -> Result<Reading, Refusal> {
        let answered = self.said.get("disposition") == Some("answered");
        let talk_s = self.said.seconds("duration").filter(|_| answered);
        let told = |word, phase, at| Ok(Read::call(self.id()?, word, self.call(Direction::Outbound, phase, at)?));
        let mut phases = Vec::new();
        if let Some(seconds) = talk_s {
            let since = self.received_at.minus(Duration::from_secs(seconds.into()));
            phases.push(told("answered", Phase::Answered { by: AnsweredBy::Human }, Some(since))?);
        }
        let cause = self.said.text("disposition");
        phases.push(told("end", Phase::Ended { talk_s, cause }, None)?);
        Ok(Reading::of(phases))
    }

    fn recording(&self) -> Result<Reading, Refusal> {
        let id = self.said.get("call_id_with_rec").ok_or(Refusal::Unreadable("the notification has no recording"))?;
        let Some(url) = said::recording(self.channel, id) else {
            return Ok(Reading::ignored("zadarma.recording_without_address"));
        };
        let recorded = said::call(self.id()?, Direction::Inbound, Phase::Recorded { url });
        Ok(Reading::of([Read::call(id, "recorded", recorded)]))
    }
}

/// Any other answer to a call that begins would be a command to route it.
fn answer(request: &Request, _: &Channel, _: Option<&str>) -> Answer {
    echo(request).map_or(Answer::Text(""), |asked| Answer::Body(asked, "text/plain; charset=utf-8"))
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let at = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default();
    let start = at.format("%Y-%m-%d %H:%M:%S").to_string();
    let call = format!("in_{}", sample.id());
    let caller = said::without_plus(sample.phone.as_deref(), "74950000001");
    let called = said::without_plus(channel.address.as_deref(), "74951234567");
    let mut fields = vec![
        ("event", "NOTIFY_START"),
        ("call_start", &start),
        ("pbx_call_id", &call),
        ("caller_id", caller),
        ("called_did", called),
    ];
    fields.extend(sample.name.as_deref().map(|name| ("sample_name", name)));
    let signed = [caller.as_bytes(), called.as_bytes(), start.as_bytes()];
    let sign = |secret: &str| (SIGNATURE.to_owned(), proof(secret.as_bytes(), &signed));
    SampleRequest::form(&fields).with(signature::current(&channel.secrets).map(sign))
}
