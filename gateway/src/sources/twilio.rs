//! How do Twilio's voice requests become the phases of one call?
//!
//! A call is a parent leg (the customer, connected to our TwiML) and child legs (the people it was offered to). All of
//! them fold into one call by `ParentCallSid`. That the parent is `in-progress` only means that our TwiML speaks; a
//! person is the child leg that was answered, or a `<Dial>` that completed. So the time with a person comes from the
//! child leg or the `<Dial>`, never from the parent.
//!
//! Assumptions:
//! - A child leg belongs to an inbound call, and its `From` may be our own number: the caller is told by the parent.
//! - One leg reaches each state once, so leg and state are the id of an event, however often Twilio sends it.

use super::shared::phases::{Event, ended, person};
use super::shared::signature;
use super::{Answer, BodyLimit, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source, twilio_proof};
use crate::channel::Channel;
use chrono::DateTime;
use http::{Method, StatusCode};
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const SOURCE: Source = Source {
    name: "twilio",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[],
    methods: &[Method::POST, Method::GET],
    verify: twilio_proof::verify,
    read,
    answer,
    sample,
    help: include_str!("twilio.md"),
};

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event::of(request, channel, USED)?;
    let Some(call_sid) = event.get("CallSid") else {
        return match event.get("MessageSid").or(event.get("SmsSid")) {
            Some(_) => Ok(Reading::ignored("twilio.message")),
            None => Err(Refusal::Unreadable("the request has no CallSid")),
        };
    };
    if event.get("DialCallStatus").is_some() {
        return Ok(dial(&event, call_sid));
    }
    if event.get("RecordingSid").is_some() || event.get("RecordingUrl").is_some() {
        return Ok(recording(&event, call_sid));
    }
    match (event.get("CallStatus"), event.get("ParentCallSid")) {
        (None, _) => Ok(Reading::ignored("twilio.other_event")),
        (Some(status), Some(parent)) => Ok(child_leg(&event, call_sid, parent, status)),
        (Some(status), None) => Ok(own_leg(&event, call_sid, status)),
    }
}

/// When it happened: Twilio writes RFC 2822, Telnyx's TeXML RFC 3339.
fn at(event: &Event<'_>) -> Option<At> {
    let stamp = event.get("Timestamp")?;
    let twilio = DateTime::parse_from_rfc2822(stamp).map(|stamp| At::from_millis(stamp.timestamp_millis()));
    twilio.ok().or_else(|| At::parse(stamp))
}

/// When the talk began, if it ends now.
fn began(event: &Event<'_>, talk_s: Option<u32>) -> Option<At> {
    event.began(at(event), talk_s)
}

/// What answering-machine detection says; without it a leg that was answered was answered by a person.
fn answered_by(event: &Event<'_>) -> AnsweredBy {
    match event.get("AnsweredBy") {
        None | Some("human") => AnsweredBy::Human,
        Some(said) if said.starts_with("machine") || said == "fax" => AnsweredBy::Machine,
        Some(_) => AnsweredBy::Unknown,
    }
}

/// Parameters that a call's own fields hold already, or that are no business of a reader.
#[rustfmt::skip]
const USED: &[&str] = &[
    "AccountSid", "ApiVersion", "CallDuration", "CallSid", "CallStatus", "CallToken", "CallbackSource", "Called",
    "Caller", "CallerName", "DialCallDuration", "DialCallSid", "DialCallStatus", "Direction", "Duration", "From",
    "ParentCallSid", "RecordingUrl", "SequenceNumber", "Timestamp", "To", "RecordingStatus",
];

/// The customer's leg, or one we placed by API. Answering an inbound leg is our TwiML's doing.
fn own_leg(event: &Event<'_>, call_sid: &str, status: &str) -> Reading {
    let outbound = event.get("Direction").is_some_and(|said| said.starts_with("outbound"));
    // Only answering-machine detection knows who is at the far end of a leg we placed.
    let by = match (outbound, event.get("AnsweredBy")) {
        (false, _) => AnsweredBy::Machine,
        (true, None) => AnsweredBy::Unknown,
        (true, Some(_)) => answered_by(event),
    };
    let talk_s = event.seconds("CallDuration").filter(|_| outbound && by == AnsweredBy::Human);
    let told = |phase| with_parties(event, event.call(call_sid, phase), outbound);
    let answered = |occurred_at| Read::call(call_sid, "answered", Call { occurred_at, ..told(Phase::Answered { by }) });
    let over = |talk_s| Read::call(call_sid, "ended", told(ended(talk_s, Some(status))));
    match status {
        "queued" | "initiated" | "ringing" => Reading::of([Read::call(call_sid, "ringing", told(Phase::Ringing))]),
        "in-progress" | "answered" => Reading::of([answered(at(event))]),
        "completed" if talk_s.is_some() => Reading::of([answered(began(event, talk_s)), over(talk_s)]),
        "completed" | "busy" | "failed" | "no-answer" | "canceled" => Reading::of([over(None)]),
        _ => Reading::ignored("twilio.other_status"),
    }
}

fn with_parties(event: &Event<'_>, call: Call, outbound: bool) -> Call {
    let from = event.get("From").unwrap_or_default();
    // A softphone of ours calls out through our TwiML: inbound to Twilio, outbound to us.
    let softphone = from.starts_with("client:");
    let mut call = Call {
        direction: if outbound || softphone { Direction::Outbound } else { Direction::Inbound },
        from: event.text("From").filter(|from| !is_withheld(from)),
        to: event.text("To"),
        agent: softphone.then(|| person(from)),
        occurred_at: at(event),
        name: call.name.clone().or_else(|| event.text("CallerName")),
        ..call
    };
    if is_withheld(from) {
        call.attributes.insert("caller".to_owned(), Value::from("withheld"));
    }
    call
}

/// One value for all who hide their number: as an identity it would make strangers one person.
fn is_withheld(from: &str) -> bool {
    const SPELLED: [&str; 5] = ["+266696687", "+7378742833", "+2562533", "+8566", "+86282452253"];
    const WORDS: [&str; 6] = ["anonymous", "restricted", "blocked", "unknown", "unavailable", "private"];
    SPELLED.contains(&from) || WORDS.iter().any(|word| from.eq_ignore_ascii_case(word))
}

/// A person the call was offered to.
fn child_leg(event: &Event<'_>, leg: &str, parent: &str, status: &str) -> Reading {
    let offered = event.get("To").map(person);
    let talk_s = event.seconds("CallDuration");
    let answered = |occurred_at| Call {
        agent: offered.clone(),
        occurred_at,
        ..event.call(parent, Phase::Answered { by: answered_by(event) })
    };
    match status {
        "queued" | "initiated" | "ringing" => {
            let call = Call { routed_to: offered, occurred_at: at(event), ..event.call(parent, Phase::Ringing) };
            Reading::of([Read::call(leg, "ringing", call)])
        }
        "in-progress" | "answered" => Reading::of([Read::call(leg, "answered", answered(at(event)))]),
        "completed" => {
            let talked = talk_s.filter(|_| answered_by(event) == AnsweredBy::Human);
            let end = Call {
                agent: offered.clone(),
                occurred_at: at(event),
                ..event.call(parent, ended(talked, Some(status)))
            };
            Reading::of([Read::call(leg, "answered", answered(began(event, talk_s))), Read::call(leg, "ended", end)])
        }
        // The call goes on: another leg may ring or talk. Its end is told by the parent or the `<Dial>`.
        "busy" | "failed" | "no-answer" | "canceled" => Reading::ignored("twilio.leg_unanswered"),
        _ => Reading::ignored("twilio.other_status"),
    }
}

/// The result of a `<Dial>`: the only word of a person where the legs send no callbacks. It does not say who.
fn dial(event: &Event<'_>, call_sid: &str) -> Reading {
    let leg = event.get("DialCallSid").unwrap_or(call_sid);
    let status = event.get("DialCallStatus").unwrap_or_default();
    let connected = matches!(status, "completed" | "answered");
    let talk_s = event.seconds("DialCallDuration").filter(|_| connected);
    let human = answered_by(event) == AnsweredBy::Human;
    let mut signals = Vec::new();
    if connected {
        let phase = Phase::Answered { by: answered_by(event) };
        let occurred_at = began(event, talk_s);
        signals.push(Read::call(leg, "dial-answered", own_call(event, call_sid, phase, occurred_at)));
    }
    let end = own_call(event, call_sid, ended(talk_s.filter(|_| human), Some(status)), at(event));
    signals.push(Read::call(leg, "dial-ended", end));
    if event.get("RecordingUrl").is_some() {
        signals.extend(recording(event, call_sid).signals);
    }
    Reading::of(signals)
}

/// A phase told by a request about the parent, which knows the parties.
fn own_call(event: &Event<'_>, call_sid: &str, phase: Phase, occurred_at: Option<At>) -> Call {
    let outbound = event.get("Direction").is_some_and(|said| said.starts_with("outbound"));
    Call { occurred_at, ..with_parties(event, event.call(call_sid, phase), outbound) }
}

fn recording(event: &Event<'_>, call_sid: &str) -> Reading {
    match (event.get("RecordingStatus"), event.text("RecordingUrl")) {
        (None | Some("completed"), Some(url)) => {
            let sid = event.text("RecordingSid").or_else(|| url.rsplit('/').next().map(str::to_owned));
            let sid = sid.unwrap_or_else(|| call_sid.to_owned());
            Reading::of([Read::call(&sid, "recorded", event.call(call_sid, Phase::Recorded { url }))])
        }
        _ => Reading::ignored("twilio.recording_pending"),
    }
}

/// A request for instructions gets a document that has none; a callback gets silence.
fn answer(request: &Request, channel: &Channel, _: Option<&str>) -> Answer {
    let wants_document = Event::of(request, channel, USED)
        .is_ok_and(|event| event.get("CallStatus").is_some() && event.get("CallbackSource").is_none());
    if wants_document {
        Answer::Body("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".to_owned(), "text/xml")
    } else {
        Answer::Empty
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let sid = format!("CA{}", data_encoding::HEXLOWER.encode(&Sha256::digest(&sample.nonce)[..16]));
    let timestamp = DateTime::from_timestamp_millis(now.millis()).unwrap_or_default().to_rfc2822();
    let mut fields = vec![
        ("AccountSid", "AC00000000000000000000000000000000"),
        ("CallSid", &sid),
        ("CallStatus", "ringing"),
        ("CallbackSource", "call-progress-events"),
        ("Direction", "inbound"),
        ("From", sample.caller()),
        ("SequenceNumber", "0"),
        ("Timestamp", &timestamp),
        ("To", channel.address.as_deref().unwrap_or("+15005550001")),
    ];
    fields.extend(sample.name.as_deref().map(|name| ("CallerName", name)));
    let sign = |secret| (twilio_proof::SIGNATURE.to_owned(), twilio_proof::sign(secret, &channel.url, &fields));
    let proof = signature::current(&channel.secrets).map(sign);
    SampleRequest::form(&fields).with(proof).answered(StatusCode::NO_CONTENT)
}
