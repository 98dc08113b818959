//! How do Telnyx's webhooks become the phases of one call?
//!
//! A session (`call_session_id`) holds the customer's leg and the legs to our people. Call Control posts JSON; TeXML
//! posts Twilio's fields, which Twilio's reader reads (developers.telnyx.com, "Receiving webhooks" and the callbacks of
//! its API reference). The proofs are in [`super::telnyx_proof`].
//!
//! Assumptions:
//! - Only `call.initiated` says a leg's direction. Of the others, the leg to one of our own numbers is the
//!   customer's.
//! - An answered customer's leg is our application speaking. A person is a leg of ours that was answered, or a bridge.
//! - The end of a leg to one of our people does not say whether anybody spoke; the customer's leg ends the call.

use super::shared::phases::{self, Event, ended};
use super::{
    Answer, BodyLimit, FORM_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source,
    Value, telnyx_proof, twilio,
};
use crate::channel::Channel;
use http::{Method, StatusCode};
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "telnyx",
    kind: Kind::Call,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Open,
    settings: &[telnyx_proof::PUBLIC_KEY, NUMBERS, phases::OUTBOUND_LEGS, phases::MACHINE_DETECTION],
    methods: &[Method::POST],
    verify: telnyx_proof::verify,
    read,
    answer,
    sample,
    help: include_str!("telnyx.md"),
};

const NUMBERS: Setting =
    Setting::optional("numbers", Value::Texts, "a list of your further numbers that the same application answers");

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.is(FORM_TYPE) {
        let mut reading = (twilio::SOURCE.read)(request, channel)?;
        reading.ignored.iter_mut().for_each(|what| *what = "telnyx.texml");
        return Ok(reading);
    }
    let event = Event::of(request, channel, USED)?.unwrapped(&["data.payload.", "data."]);
    let kind = event.get("event_type").ok_or(Refusal::Unreadable("the event has no type"))?;
    if !kind.starts_with("call.") {
        return Ok(Reading::ignored("telnyx.no_call"));
    }
    let session = event.get("call_session_id").ok_or(Refusal::Unreadable("the event names no call"))?;
    let id = event.get("id").unwrap_or(session);
    let leg = Leg { event: &event, session, channel };
    Ok(match leg.tell(kind) {
        Ok(call) => Reading::of([Read::call(id, kind, call)]),
        Err(what) => Reading::ignored(what),
    })
}

#[rustfmt::skip]
const USED: &[&str] = &[
    "call_control_id", "call_leg_id", "call_quality_stats.", "call_session_id", "caller_id_name", "connection_codecs",
    "connection_id", "direction", "event_type", "from", "hangup_cause", "id", "meta.", "occurred_at",
    "offered_codecs", "public_recording_urls.", "record_type", "recording_id", "recording_urls.", "result",
    "start_time", "state", "to",
];

/// What one event says about one leg of a session.
struct Leg<'a> {
    event: &'a Event<'a>,
    session: &'a str,
    channel: &'a Channel,
}

impl Leg<'_> {
    fn tell(&self, kind: &str) -> Result<Call, &'static str> {
        let own = self.is_own();
        match kind {
            "call.initiated" if own && !self.to_customer() => {
                Ok(Call { routed_to: self.offered(), ..self.call(Phase::Ringing) })
            }
            "call.initiated" => Ok(self.with_parties(Phase::Ringing)),
            "call.answered" => Ok(self.answered(self.picked_up())),
            "call.bridged" => Ok(self.answered(AnsweredBy::Human)),
            "call.machine.detection.ended" | "call.machine.premium.detection.ended" => {
                Ok(self.answered(self.detected()))
            }
            "call.hangup" if own && !self.to_customer() => Err("telnyx.leg_ended"),
            "call.hangup" => Ok(self.with_parties(ended(None, self.event.get("hangup_cause")))),
            "call.recording.saved" => self.recorded(),
            _ => Err("telnyx.other_event"),
        }
    }

    /// Did we place it?
    fn is_own(&self) -> bool {
        match self.event.get("direction") {
            Some(said) => said == "outgoing",
            None => !self.is_to_us(),
        }
    }

    /// Where our numbers are not known nobody is taken for a person.
    fn is_to_us(&self) -> bool {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let (Some(address), Some(to)) = (self.channel.address.as_deref(), self.event.get("to")) else { return true };
        let to = digits(&phases::person(to));
        self.channel.each_setting(NUMBERS.name).chain([address]).any(|ours| digits(ours) == to)
    }

    fn to_customer(&self) -> bool {
        phases::calls_customers(self.channel)
    }

    fn picked_up(&self) -> AnsweredBy {
        match (self.is_own(), self.to_customer()) {
            (false, _) => AnsweredBy::Machine,
            (true, true) => AnsweredBy::Unknown,
            (true, false) => phases::answered_leg(self.channel),
        }
    }

    fn detected(&self) -> AnsweredBy {
        match self.event.get("result") {
            Some("human" | "human_residence" | "human_business") => AnsweredBy::Human,
            Some("machine" | "fax_detected") => AnsweredBy::Machine,
            _ => AnsweredBy::Unknown,
        }
    }

    fn offered(&self) -> Option<String> {
        self.event.get("to").map(phases::person)
    }

    fn answered(&self, by: AnsweredBy) -> Call {
        let phase = Phase::Answered { by };
        if !self.is_own() || self.to_customer() {
            return self.with_parties(phase);
        }
        let call = self.call(phase);
        Call { agent: call.agent.clone().or_else(|| self.offered()), ..call }
    }

    fn recorded(&self) -> Result<Call, &'static str> {
        let names =
            ["recording_urls.mp3", "recording_urls.wav", "public_recording_urls.mp3", "public_recording_urls.wav"];
        let url = self.event.first(&names).ok_or("telnyx.recording_without_url")?;
        Ok(self.call(Phase::Recorded { url: url.to_owned() }))
    }

    fn call(&self, phase: Phase) -> Call {
        let direction = if self.to_customer() { Direction::Outbound } else { Direction::Inbound };
        Call { direction, occurred_at: self.event.at("occurred_at"), ..self.event.call(self.session, phase) }
    }

    /// Of the leg that has the customer at its far end.
    fn with_parties(&self, phase: Phase) -> Call {
        let call = self.call(phase);
        let direction = if self.is_own() { Direction::Outbound } else { Direction::Inbound };
        let name = call.name.clone().or_else(|| self.event.text("caller_id_name"));
        Call { direction, from: self.event.number("from"), to: self.event.number("to"), name, ..call }
    }
}

/// TeXML asks for instructions, Call Control for nothing.
fn answer(request: &Request, channel: &Channel, uid: Option<&str>) -> Answer {
    if request.is(FORM_TYPE) { (twilio::SOURCE.answer)(request, channel, uid) } else { Answer::Empty }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let event = json!({
        "data": {
            "record_type": "event",
            "event_type": "call.initiated",
            "id": sample.nonce,
            "occurred_at": now.to_string(),
            "payload": {
                "call_session_id": sample.nonce,
                "call_leg_id": sample.nonce,
                "direction": "incoming",
                "state": "parked",
                "from": sample.caller(),
                "to": channel.address.as_deref().unwrap_or("+15005550001"),
                "caller_id_name": sample.name,
            },
        },
        "meta": { "attempt": 1 },
    });
    let signed = SampleRequest::json(&event).signed(|body| telnyx_proof::headers(channel, body, now));
    signed.answered(StatusCode::NO_CONTENT)
}
