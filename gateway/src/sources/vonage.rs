//! How do Vonage's voice webhooks become the phases of one call?
//!
//! A conversation (`conversation_uuid`) holds the customer's leg and the legs that our NCCO connects. The answer webhook
//! (GET or POST) asks for an NCCO when a call comes in; the event webhook tells each leg's `status`
//! (developer.vonage.com, "Webhook reference"). The proofs are in [`super::vonage_proof`].
//!
//! Assumptions:
//! - `answered` on the inbound leg is our NCCO speaking; a person is an outbound leg that was answered, unless machine
//!   detection has the word.
//! - One leg reaches each state once, so leg and state are the id of an event; Vonage gives none.

use super::shared::phases::{self, Event, ended};
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source,
    Value, vonage_proof,
};
use crate::channel::Channel;
use http::{Method, StatusCode};
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "vonage",
    kind: Kind::Call,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[vonage_proof::SIGNED, NCCO, phases::OUTBOUND_LEGS, phases::MACHINE_DETECTION],
    methods: &[Method::POST, Method::GET],
    verify: vonage_proof::verify,
    read,
    answer,
    sample,
    help: include_str!("vonage.md"),
};

const NCCO: Setting = Setting::optional("ncco", Value::Text, "the NCCO, a JSON list, that the answer webhook is given");

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event::of(request, channel, USED)?;
    let call = event.first(&["conversation_uuid", "conversation_uuid_from"]);
    let leg = event.first(&["uuid", "call_uuid"]);
    let Some(call) = call.or(leg) else { return Err(Refusal::Unreadable("the event names no call")) };
    let leg = Leg { event: &event, call, leg: leg.unwrap_or(call), channel };
    Ok(leg.tell().unwrap_or_else(Reading::ignored))
}

#[rustfmt::skip]
const USED: &[&str] = &[
    "call_uuid", "conversation_uuid", "conversation_uuid_from", "conversation_uuid_to", "direction", "duration",
    "end_time", "from", "headers.", "network", "price", "rate", "reason", "recording_url", "recording_uuid", "size",
    "start_time", "status", "timestamp", "to", "uuid",
];

/// What one request says about one leg of a conversation.
struct Leg<'a> {
    event: &'a Event<'a>,
    call: &'a str,
    leg: &'a str,
    channel: &'a Channel,
}

impl Leg<'_> {
    fn tell(&self) -> Result<Reading, &'static str> {
        if let Some(url) = self.event.get("recording_url") {
            return Ok(self.recorded(url));
        }
        let status = match self.event.get("status") {
            Some(status) => status,
            // The answer webhook. Of a call that we placed it says nothing that the events do not say.
            None if self.event.get("from").is_some() && !phases::calls_customers(self.channel) => "started",
            None => return Err("vonage.other_event"),
        };
        let outbound = self.event.get("direction") == Some("outbound");
        let offered = outbound && !phases::calls_customers(self.channel);
        match status {
            "human" | "machine" => Ok(self.detected(status)),
            "started" | "ringing" | "answered" | "completed" | "busy" | "cancelled" | "unanswered" | "disconnected"
            | "rejected" | "failed" | "timeout" => {
                if offered {
                    self.offered_leg(status)
                } else {
                    Ok(self.own_leg(status, outbound))
                }
            }
            _ => Err("vonage.other_status"),
        }
    }

    fn recorded(&self, url: &str) -> Reading {
        let id = self.event.get("recording_uuid").unwrap_or(url);
        Reading::of([Read::call(id, "recorded", self.event.call(self.call, Phase::Recorded { url: url.to_owned() }))])
    }

    /// It names the leg and nobody on it.
    fn detected(&self, who: &str) -> Reading {
        let by = if who == "human" { AnsweredBy::Human } else { AnsweredBy::Machine };
        let customer = phases::calls_customers(self.channel);
        let direction = if customer { Direction::Outbound } else { Direction::Inbound };
        let call = self.call(Phase::Answered { by });
        let (from, to) = if customer { (self.event.number("from"), self.event.number("to")) } else { (None, None) };
        let agent = call.agent.clone().or_else(|| self.offered_to().filter(|_| !customer));
        Reading::of([Read::call(self.leg, who, Call { direction, from, to, agent, ..call })])
    }

    fn offered_to(&self) -> Option<String> {
        self.event.first(&["to_user", "to"]).map(phases::person)
    }

    /// A person the call was offered to.
    fn offered_leg(&self, status: &str) -> Result<Reading, &'static str> {
        let told = |state, phase| {
            let call = self.call(phase);
            let agent = call.agent.clone().or_else(|| self.offered_to());
            Reading::of([Read::call(self.leg, state, Call { agent, ..call })])
        };
        let talk_s = self.event.seconds("duration");
        match status {
            "started" | "ringing" => {
                let call = Call { routed_to: self.offered_to(), ..self.call(Phase::Ringing) };
                Ok(Reading::of([Read::call(self.leg, "ringing", call)]))
            }
            "answered" => Ok(told("answered", Phase::Answered { by: phases::answered_leg(self.channel) })),
            "completed" if talk_s.is_some_and(|talk_s| talk_s > 0) => Ok(told("ended", ended(talk_s, Some(status)))),
            // The call goes on: another leg may ring or talk.
            _ => Err("vonage.leg_unanswered"),
        }
    }

    /// The leg with the customer at its far end: his own, or one placed to him.
    fn own_leg(&self, status: &str, outbound: bool) -> Reading {
        let by = if outbound { AnsweredBy::Unknown } else { AnsweredBy::Machine };
        let told = |state, phase| Reading::of([Read::call(self.leg, state, self.with_parties(phase, outbound))]);
        let talk_s = self.event.seconds("duration").filter(|_| outbound && status == "completed");
        match status {
            "started" | "ringing" => told("ringing", Phase::Ringing),
            "answered" => told("answered", Phase::Answered { by }),
            _ => told("ended", ended(talk_s, Some(status))),
        }
    }

    fn call(&self, phase: Phase) -> Call {
        Call { occurred_at: self.event.at("timestamp"), ..self.event.call(self.call, phase) }
    }

    fn with_parties(&self, phase: Phase, outbound: bool) -> Call {
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        Call { direction, from: self.event.number("from"), to: self.event.number("to"), ..self.call(phase) }
    }
}

/// The answer webhook wants an NCCO; an empty one ends the call.
fn answer(request: &Request, channel: &Channel, _: Option<&str>) -> Answer {
    let asks = Event::of(request, channel, USED)
        .is_ok_and(|event| event.get("status").is_none() && event.get("recording_url").is_none());
    if !asks {
        return Answer::Empty;
    }
    let ncco = channel.setting(NCCO.name).filter(|text| serde_json::from_str::<Vec<serde_json::Value>>(text).is_ok());
    Answer::Body(ncco.unwrap_or("[]").to_owned(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let event = json!({
        "from": sample.caller().trim_start_matches('+'),
        "to": channel.address.as_deref().unwrap_or("+15005550001").trim_start_matches('+'),
        "uuid": sample.nonce,
        "conversation_uuid": format!("CON-{}", sample.nonce),
        "status": "ringing",
        "direction": "inbound",
        "timestamp": now.to_string(),
        "SipHeader_X-Caller-Name": sample.name,
    });
    let signed = SampleRequest::json(&event).signed(|body| vonage_proof::header(channel, body, now));
    signed.answered(StatusCode::NO_CONTENT)
}
