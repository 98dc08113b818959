//! How do Plivo's voice callbacks become the phases of one call?
//!
//! The caller's leg (`CallUUID`) runs our XML, so that it is `in-progress` only means that our XML speaks. A person is
//! the leg that a `<Dial>` connected: its `callbackUrl` tells when (`DialAction`), its `action` only what came of it
//! (docs.plivo.com, "Dial"). The proofs are in [`super::plivo_proof`].
//!
//! Assumption: one leg reaches each state once, so leg and state are the id of an event; Plivo gives none.

use super::shared::phases::{Event, ended, person};
use super::{Answer, BodyLimit, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source, plivo_proof};
use crate::channel::Channel;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;

pub const SOURCE: Source = Source {
    name: "plivo",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[plivo_proof::VERSION],
    methods: &[Method::POST, Method::GET],
    verify: plivo_proof::verify,
    read,
    answer,
    sample,
    help: include_str!("plivo.md"),
};

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event::of(request, channel, USED)?;
    let Some(call) = event.first(&["DialALegUUID", "CallUUID"]) else {
        return match event.get("MessageUUID") {
            Some(_) => Ok(Reading::ignored("plivo.message")),
            None => Err(Refusal::Unreadable("the request has no CallUUID")),
        };
    };
    Ok(match (event.get("DialAction"), event.get("DialStatus"), event.first(&["RecordUrl", "RecordFile"])) {
        (Some(action), ..) => dialled(&event, call, action),
        (_, Some(status), _) => dial_over(&event, call, status),
        (.., Some(url)) => recorded(&event, call, url),
        _ => own_leg(&event, call),
    })
}

#[rustfmt::skip]
const USED: &[&str] = &[
    "ALegRequestUUID", "ALegUUID", "AnswerTime", "BillDuration", "BillRate", "CallStatus", "CallUUID", "CallerName",
    "DialALegUUID", "DialAction", "DialBLegBillDuration", "DialBLegDuration", "DialBLegFrom", "DialBLegHangupCause",
    "DialBLegStatus", "DialBLegTo", "DialBLegUUID", "DialStatus", "Direction", "Duration", "EndTime", "Event", "From",
    "HangupCause", "HangupCauseCode", "ParentAuthID", "RecordFile", "RecordUrl", "RecordingID", "RequestUUID",
    "SessionStart", "StartTime", "To", "TotalCost",
];

/// What happens on a leg to one of our people, while it does.
fn dialled(event: &Event<'_>, call: &str, action: &str) -> Reading {
    let leg = event.get("DialBLegUUID").unwrap_or(call);
    let agent = event.get("DialBLegTo").map(person);
    let talk_s = event.seconds("DialBLegDuration").filter(|talk_s| *talk_s > 0);
    let told = |phase, occurred_at| Call { agent: agent.clone(), occurred_at, ..event.call(call, phase) };
    let answered = |occurred_at| Read::call(leg, "answered", told(HUMAN, occurred_at));
    match (action, talk_s) {
        ("answer" | "connected", _) => Reading::of([answered(None)]),
        ("hangup", Some(_)) => {
            let end = told(ended(talk_s, event.get("DialBLegHangupCause")), None);
            Reading::of([answered(event.began(None, talk_s)), Read::call(leg, "ended", end)])
        }
        // The call goes on: another leg may ring or talk.
        ("hangup", None) => Reading::ignored("plivo.leg_unanswered"),
        _ => Reading::ignored("plivo.other_dial_action"),
    }
}

const HUMAN: Phase = Phase::Answered { by: AnsweredBy::Human };

/// What came of a `<Dial>`. It does not say who.
fn dial_over(event: &Event<'_>, call: &str, status: &str) -> Reading {
    let leg = event.get("DialBLegUUID").unwrap_or(call);
    let talk_s = event.seconds("DialBLegDuration").filter(|_| status == "completed");
    let mut signals = Vec::new();
    if status == "completed" {
        let occurred_at = event.began(None, talk_s);
        signals.push(Read::call(leg, "answered", Call { occurred_at, ..with_parties(event, call, HUMAN) }));
    }
    signals.push(Read::call(leg, "dial-ended", with_parties(event, call, ended(talk_s, Some(status)))));
    Reading::of(signals)
}

fn recorded(event: &Event<'_>, call: &str, url: &str) -> Reading {
    let id = event.get("RecordingID").unwrap_or(url);
    Reading::of([Read::call(id, "recorded", event.call(call, Phase::Recorded { url: url.to_owned() }))])
}

/// The leg that runs our XML: a customer's, or one we placed by API.
fn own_leg(event: &Event<'_>, call: &str) -> Reading {
    let Some(status) = event.get("CallStatus") else { return Reading::ignored("plivo.other_event") };
    let (outbound, by) = (is_outbound(event), own_answer(event));
    let talk_s = event.seconds("Duration").filter(|_| outbound && by == AnsweredBy::Human);
    let told = |state, phase| Reading::of([Read::call(call, state, with_parties(event, call, phase))]);
    match status {
        "ringing" => told("ringing", Phase::Ringing),
        "in-progress" => told("answered", Phase::Answered { by }),
        "completed" | "busy" | "failed" | "timeout" | "no-answer" | "cancel" | "canceled" | "rejected" => {
            told("ended", ended(talk_s, event.get("HangupCause").or(Some(status))))
        }
        _ => Reading::ignored("plivo.other_status"),
    }
}

fn is_outbound(event: &Event<'_>) -> bool {
    event.get("Direction").is_some_and(|said| said.eq_ignore_ascii_case("outbound"))
}

/// Our XML answers a customer. Who answers a leg that we placed only machine detection knows.
fn own_answer(event: &Event<'_>) -> AnsweredBy {
    match (is_outbound(event), event.get("Machine")) {
        (false, _) | (true, Some("true")) => AnsweredBy::Machine,
        (true, Some("false")) => AnsweredBy::Human,
        (true, _) => AnsweredBy::Unknown,
    }
}

fn with_parties(event: &Event<'_>, call: &str, phase: Phase) -> Call {
    let call = event.call(call, phase);
    let direction = if is_outbound(event) { Direction::Outbound } else { Direction::Inbound };
    let name = call.name.clone().or_else(|| event.text("CallerName"));
    Call { direction, from: event.number("From"), to: event.number("To"), name, ..call }
}

/// The answer URL and an `action` want XML; nobody minds it elsewhere.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Body("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".to_owned(), "text/xml")
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let mut fields = vec![
        ("CallStatus", "ringing"),
        ("CallUUID", &*sample.nonce),
        ("Direction", "inbound"),
        ("Event", "Ring"),
        ("From", sample.phone.as_deref().unwrap_or("15005550006")),
        ("To", channel.address.as_deref().unwrap_or("15005550001")),
    ];
    fields.extend(sample.name.as_deref().map(|name| ("CallerName", name)));
    SampleRequest::form(&fields).with(plivo_proof::headers(channel, &fields, &sample.nonce))
}
