//! How do Mango Office's realtime events become the phases of one call?
//!
//! Mango appends the kind of event to our address (`/events/call`) and posts a form of three fields: its key, a JSON
//! text, and the SHA-256 of key, text and salt. A call has one `entry_id` and a `call_id` for each of its legs; only a
//! leg at an employee (`abonent`) is a person, a menu or a queue is not. The summary at the end tells the whole call
//! again, which is all there is of a call outside an employee's hours.
//!
//! Read in «API Mango Office» 1.9. Assumptions:
//! - Ids come as numbers or quoted, so all values are taken as text.
//! - A leg from an extension to an extension is between employees and no business of a customer.

use super::shared::said::{self, RECORDING_URL, Said};
use super::shared::{json, signature, urlencoded};
use super::{
    Answer, BodyLimit, Denied, FORM_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting,
    Source, Value,
};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::time::At;
use serde_json::json;
use sha2::{Digest, Sha256};

pub const SOURCE: Source = Source {
    name: "mango",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[KEY, CLOCK, RECORDING_URL],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("mango.md"),
};

const KEY: Setting =
    Setting::required("vpbx_api_key", Value::Secret, "the unique code of your virtual PBX (vpbx_api_key)");

/// The documentation calls its seconds UTC+3 and does not say from which moment they count.
const CLOCK: Setting = Setting::optional(
    "clock",
    Value::Word(&["utc", "utc+3"]),
    "from which midnight Mango counts its seconds: \"utc\" or \"utc+3\"",
);

/// The key is compared too: without its end known, bytes could move between it and the text that follows.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let key = channel.setting(KEY.name).filter(|_| !channel.secrets.is_empty()).ok_or(Denied::Misconfigured)?;
    let fields = urlencoded::split(&request.body).map_err(|_| Denied::Wrong)?;
    let only = |name: &[u8]| {
        let mut values = fields.iter().filter(|(known, _)| **known == *name).map(|(_, value)| &**value);
        values.next().filter(|_| values.next().is_none())
    };
    let (Some(shown), Some(sign), Some(text)) = (only(b"vpbx_api_key"), only(b"sign"), only(b"json")) else {
        return Err(Denied::Wrong);
    };
    let is_ours = signature::same(key.as_bytes(), shown);
    signature::prove(channel, |salt| signature::same(&proof(key, text, salt), sign) & is_ours)
}

fn proof(key: &str, text: &[u8], salt: &[u8]) -> Vec<u8> {
    let hash = Sha256::new().chain_update(key).chain_update(text).chain_update(salt).finalize();
    HEXLOWER.encode(&hash).into_bytes()
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if !request.is(FORM_TYPE) {
        return Err(Refusal::MediaType);
    }
    let fields = urlencoded::flat(&request.body)?;
    let text = said::only(&fields, "json").ok_or(Refusal::Unreadable("the event has no JSON text"))?;
    let event = Event { said: Said(json::read(text.as_bytes())?), channel };
    match request.rest.as_str() {
        "events/call" => event.leg(),
        "events/summary" => event.summary(),
        "events/recording" if event.said.get("recording_state") != Some("Completed") => {
            Ok(Reading::ignored("mango.recording_pending"))
        }
        "events/recording" | "events/record/added" => event.recording(),
        "events/dtmf" => Ok(Reading::ignored("mango.dtmf")),
        "events/sms" => Ok(Reading::ignored("mango.sms")),
        _ => Ok(Reading::ignored("mango.other_event")),
    }
}

struct Event<'a> {
    said: Said<'a>,
    channel: &'a Channel,
}

const USED: [&str; 21] = [
    "call_id",
    "call_state",
    "create_time",
    "call_direction",
    "disconnect_reason",
    "end_time",
    "entry_id",
    "from.extension",
    "from.line_number",
    "from.number",
    "from.taken_from_call_id",
    "line_number",
    "location",
    "recording_id",
    "recording_state",
    "seq",
    "talk_time",
    "timestamp",
    "to.extension",
    "to.line_number",
    "to.number",
];

impl Event<'_> {
    fn entry(&self) -> Result<&str, Refusal> {
        self.said.get("entry_id").ok_or(Refusal::Unreadable("the event has no entry_id"))
    }

    fn at(&self, path: &str) -> Option<At> {
        let east = if self.channel.setting(CLOCK.name) == Some("utc+3") { 3 * 3600 } else { 0 };
        let seconds = self.said.whole(path).filter(|seconds| *seconds > 0)?;
        Some(At::from_secs(seconds.saturating_sub(east)))
    }

    /// The caller or the called one outside, our number, and the employee.
    fn call(&self, direction: Direction, phase: Phase, at: Option<At>) -> Result<Call, Refusal> {
        let line = ["line_number", "to.line_number", "from.line_number"].iter().find_map(|path| self.said.phone(path));
        let (from, to, agent) = match direction {
            Direction::Inbound => (self.said.phone("from.number"), line, self.said.text("to.extension")),
            Direction::Outbound => (line, self.said.phone("to.number"), self.said.text("from.extension")),
        };
        let ringing = phase == Phase::Ringing && direction == Direction::Inbound;
        let (agent, routed_to) = if ringing { (None, agent) } else { (agent, None) };
        let attributes = self.said.attributes(&USED);
        Ok(Call {
            from,
            to,
            agent,
            routed_to,
            occurred_at: at,
            attributes,
            ..said::call(self.entry()?, direction, phase)
        })
    }

    fn leg(&self) -> Result<Reading, Refusal> {
        self.entry()?;
        let leg = self.said.get("call_id").ok_or(Refusal::Unreadable("the event has no call_id"))?;
        let direction = match (self.said.get("from.extension"), self.said.get("to.extension")) {
            (Some(_), Some(_)) => return Ok(Reading::ignored("mango.internal")),
            (Some(_), None) => Direction::Outbound,
            (None, _) => Direction::Inbound,
        };
        let phase = match self.said.get("call_state") {
            Some("Appeared") => Phase::Ringing,
            Some("Connected") => Phase::Answered { by: self.answered_by() },
            Some("OnHold") => return Ok(Reading::ignored("mango.on_hold")),
            // Another leg may ring or talk; the end of the call is in its summary.
            Some("Disconnected") => return Ok(Reading::ignored("mango.leg_ended")),
            _ => return Ok(Reading::ignored("mango.other_state")),
        };
        let word = format!("leg-{}", self.said.get("seq").or(self.said.get("call_state")).unwrap_or_default());
        Ok(Reading::of([Read::call(leg, &word, self.call(direction, phase, self.at("timestamp"))?)]))
    }

    fn answered_by(&self) -> AnsweredBy {
        let employee = self.said.get("to.extension").or(self.said.get("from.extension")).is_some();
        match self.said.get("location") {
            Some("abonent") => AnsweredBy::Human,
            Some("ivr" | "queue") => AnsweredBy::Machine,
            None if employee => AnsweredBy::Human,
            _ => AnsweredBy::Unknown,
        }
    }

    /// `talk_time` is when the talk began; 0 if it never did, whatever `entry_result` says.
    fn summary(&self) -> Result<Reading, Refusal> {
        let direction = match self.said.get("call_direction") {
            Some("1") => Direction::Inbound,
            Some("2") => Direction::Outbound,
            Some("0") => return Ok(Reading::ignored("mango.internal")),
            _ => return Err(Refusal::Unreadable("the summary does not say which way the call went")),
        };
        let (began, talk, ended) = (self.at("create_time"), self.at("talk_time"), self.at("end_time"));
        let talk_s = talk.zip(ended).and_then(|(talk, end)| u32::try_from(end.since(talk).as_secs()).ok());
        let talk_s = talk_s.or_else(|| self.said.seconds("talk_time").filter(|seconds| *seconds == 0));
        let told = |word, phase, at| Ok(Read::call(self.entry()?, word, self.call(direction, phase, at)?));
        let mut phases = vec![told("began", Phase::Ringing, began)?];
        if talk.is_some() {
            phases.push(told("answered", Phase::Answered { by: AnsweredBy::Human }, talk)?);
        }
        let cause = self.said.text("disconnect_reason");
        phases.push(told("ended", Phase::Ended { talk_s, cause }, ended)?);
        Ok(Reading::of(phases))
    }

    fn recording(&self) -> Result<Reading, Refusal> {
        let id = self.said.get("recording_id").ok_or(Refusal::Unreadable("the event has no recording_id"))?;
        let Some(url) = said::recording(self.channel, id) else {
            return Ok(Reading::ignored("mango.recording_without_address"));
        };
        let recorded = said::call(self.entry()?, Direction::Inbound, Phase::Recorded { url });
        Ok(Reading::of([Read::call(id, "recorded", recorded)]))
    }
}

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let id = sample.id();
    let mut event = json!({
        "entry_id": id,
        "call_id": format!("{id}:1"),
        "timestamp": now.millis() / 1000,
        "seq": 1,
        "call_state": "Appeared",
        "location": "ivr",
        "from": {"number": said::without_plus(sample.phone.as_deref(), "74950000001")},
        "to": {"line_number": said::without_plus(channel.address.as_deref(), "74951234567")},
    });
    if let Some(name) = &sample.name {
        event["sample_name"] = name.as_str().into();
    }
    let (text, key) = (event.to_string(), channel.setting(KEY.name).unwrap_or_default());
    let salt = signature::current(&channel.secrets).unwrap_or_default();
    let sign = String::from_utf8_lossy(&proof(key, text.as_bytes(), salt.as_bytes())).into_owned();
    SampleRequest::form(&[("vpbx_api_key", key), ("sign", &sign), ("json", &text)]).below("/events/call")
}
