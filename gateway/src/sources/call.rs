//! How does a telephone system without a source of its own tell of calls? In our JSON, one event a request; the
//! contract is `docs/call-json.md`.
//!
//! A system that reports only when a call is over tells all of it in one `ended`, with `started_at` and `answered_at`.
//! Nobody is taken for a person unless `by` says so.

use super::shared::phases::{Event, LONGEST, ended};
use super::shared::shown;
use super::{Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::text::cut;
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "call",
    kind: Kind::Call,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("call.md"),
};

/// Without a secret the address's key has to do.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    shown::verify(request, channel)
}

#[rustfmt::skip]
const USED: &[&str] = &[
    "agent", "answered_at", "at", "by", "call", "cause", "direction", "event", "from", "name", "phase",
    "recording_url", "routed_to", "started_at", "talk_s", "to",
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event::of(request, channel, USED)?;
    let call = event.get("call").ok_or(Refusal::Unreadable("the event does not say which call"))?;
    let phase = event.get("phase").ok_or(Refusal::Unreadable("the event has no phase"))?;
    let direction = direction(&event)?;
    let told = Told { event: &event, call, direction };
    match phase {
        "ringing" => Ok(told.one("ringing", Phase::Ringing)),
        "answered" => {
            let by = answered_by(&event)?;
            Ok(told.one(&format!("answered {by:?}"), Phase::Answered { by }))
        }
        "ended" => told.whole(),
        "recorded" => {
            let url = event.text("recording_url").ok_or(Refusal::Unreadable("the recording has no address"))?;
            Ok(told.one(&format!("recorded {url}"), Phase::Recorded { url }))
        }
        _ => Ok(Reading::ignored("call.other_phase")),
    }
}

fn direction(event: &Event<'_>) -> Result<Direction, Refusal> {
    match event.get("direction") {
        None | Some("inbound") => Ok(Direction::Inbound),
        Some("outbound") => Ok(Direction::Outbound),
        Some(_) => Err(Refusal::Unreadable("the direction is neither inbound nor outbound")),
    }
}

fn answered_by(event: &Event<'_>) -> Result<AnsweredBy, Refusal> {
    match event.get("by") {
        None | Some("unknown") => Ok(AnsweredBy::Unknown),
        Some("human") => Ok(AnsweredBy::Human),
        Some("machine") => Ok(AnsweredBy::Machine),
        Some(_) => Err(Refusal::Unreadable("the call was answered by none of human, machine, unknown")),
    }
}

struct Told<'a> {
    event: &'a Event<'a>,
    call: &'a str,
    direction: Direction,
}

impl Told<'_> {
    fn one(&self, state: &str, phase: Phase) -> Reading {
        Reading::of([self.read(state, phase, self.event.at("at"))])
    }

    /// The end, and what was before it if that is told only now.
    fn whole(&self) -> Result<Reading, Refusal> {
        let mut signals = Vec::new();
        if let Some(at) = self.event.at("started_at") {
            signals.push(self.read("ringing", Phase::Ringing, Some(at)));
        }
        if let Some(at) = self.event.at("answered_at") {
            let by = answered_by(self.event)?;
            signals.push(self.read(&format!("answered {by:?}"), Phase::Answered { by }, Some(at)));
        }
        let end = ended(self.event.seconds("talk_s"), self.event.get("cause"));
        signals.push(self.read("ended", end, self.event.at("at")));
        Ok(Reading::of(signals))
    }

    /// Without an id of its own an event is known by its call, its phase and whom it is about.
    fn read(&self, state: &str, phase: Phase, occurred_at: Option<At>) -> Read {
        let call = self.event.call(self.call, phase);
        let agent = call.agent.clone().or_else(|| self.event.text("agent"));
        let told = Call {
            direction: self.direction,
            from: self.event.text("from"),
            to: self.event.text("to"),
            name: call.name.clone().or_else(|| self.event.text("name")),
            routed_to: self.event.text("routed_to"),
            agent,
            occurred_at,
            ..call
        };
        let whom = told.agent.as_deref().or(told.routed_to.as_deref()).unwrap_or_default();
        let state = format!("{state} {whom}");
        match self.event.get("event") {
            Some(id) => Read::call(cut(id, LONGEST), &state, told),
            None => Read::call(self.call, &state, told),
        }
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let event = json!({
        "call": sample.nonce,
        "phase": "ringing",
        "direction": "inbound",
        "from": sample.caller(),
        "to": channel.address,
        "name": sample.name,
        "at": now.to_string(),
    });
    SampleRequest::json(&event).with(shown::header(channel))
}
