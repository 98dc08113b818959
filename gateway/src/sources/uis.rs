//! How do the notifications of UIS (CoMagic, CallGear) become phases of a call, and its requests touches?
//!
//! What UIS sends is a template that the customer writes, one for each kind of event. Ours, in the help below, begin
//! with a constant `event`, so nothing depends on how UIS names its events; everything else is looked up by the name
//! of its placeholder. Placeholders are filled in as JSON values, `null` included; whoever quotes them, or puts them
//! into an address, is understood as well.
//!
//! Nothing is signed: the address is the proof, see [`shown`]. Names of placeholders are those of UIS's own
//! templates for PlanFix.

use super::shared::fields::{self, Pairs};
use super::shared::renamed;
use super::shared::said::{self, Said, TIME_ZONE};
use super::shared::{json, number, shown};
use super::{Answer, BodyLimit, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase, Touch};
use lead::time::At;
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;

pub const SOURCE: Source = Source {
    name: "uis",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[TIME_ZONE],
    methods: &[Method::POST, Method::GET],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("uis.md"),
};

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event = Event { said: Said(fields(request)?), channel, received_at: request.received_at };
    match event.said.get("event") {
        Some("incoming_call") => event.one("incoming", Phase::Ringing),
        Some("outgoing_call") => event.one("outgoing", Phase::Ringing),
        Some("waiting") => event.one(&format!("waiting-{}", event.said.get("leg_id").unwrap_or("")), Phase::Ringing),
        Some("talk_started") => event.one("answered", Phase::Answered { by: AnsweredBy::Human }),
        Some("call_finished") => event.finished(),
        Some("lost_call") => event.one("lost", Phase::Ended { talk_s: None, cause: Some("lost".to_owned()) }),
        Some("recording") => event.recording(),
        Some("request") => Ok(event.touch()),
        Some("talk_finished") => Ok(Reading::ignored("uis.talk_finished")),
        Some(_) => Ok(Reading::ignored("uis.other_event")),
        None => Err(Refusal::Unreadable("the notification has no event: use the templates of the help")),
    }
}

fn fields(request: &Request) -> Result<Pairs<'_>, Refusal> {
    let looks_like_json = request.body.trim_ascii_start().starts_with(b"{");
    let posted = request.method == Method::POST && looks_like_json;
    let pairs = if posted { json::read(&request.body)? } else { request.pairs()? };
    Ok(pairs.into_iter().filter_map(|(name, value)| Some((name, plain(value)?))).collect())
}

/// A value that was quoted once more, or never filled in.
fn plain(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let bare = value.trim();
    let bare = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(bare);
    if bare.is_empty() || bare == "null" || bare.starts_with("{{") {
        return None;
    }
    if bare.len() == value.len() { Some(value) } else { Some(Cow::Owned(bare.to_owned())) }
}

struct Event<'a> {
    said: Said<'a>,
    channel: &'a Channel,
    received_at: At,
}

const USED: [&str; 13] = [
    "call_session_id",
    "contact_full_name",
    "contact_phone_number",
    "direction",
    "employee_id",
    "employee_phone_number",
    "event",
    "file_link",
    "key",
    "leg_id",
    "notification_time",
    "talk_time_duration",
    "virtual_phone_number",
];

/// Placeholders of requests and chats, by our names.
const NAMES: [(&str, &str); 12] = [
    ("event", ""),
    ("key", ""),
    ("notification_time", ""),
    ("contact_phone_number", "phone"),
    ("visitor_phone_number", "phone"),
    ("contact_full_name", "name"),
    ("visitor_name", "name"),
    ("contact_email", "email"),
    ("visitor_email", "email"),
    ("visitor_city", "city"),
    ("visitor_region", "region"),
    ("visitor_country", "country"),
];

impl Event<'_> {
    fn session(&self) -> Result<&str, Refusal> {
        self.said.get("call_session_id").ok_or(Refusal::Unreadable("the notification has no call_session_id"))
    }

    fn at(&self) -> Option<At> {
        said::local(self.channel, self.said.get("notification_time")?)
    }

    fn direction(&self) -> Direction {
        let outbound = |said: &str| said.to_ascii_lowercase().starts_with("out");
        let said = self.said.get("direction").or(self.said.get("event"));
        if said.is_some_and(outbound) { Direction::Outbound } else { Direction::Inbound }
    }

    fn call(&self, phase: Phase, at: Option<At>) -> Result<Call, Refusal> {
        let (customer, line) = (self.said.phone("contact_phone_number"), self.said.phone("virtual_phone_number"));
        let direction = self.direction();
        let (from, to) = if direction == Direction::Inbound { (customer, line) } else { (line, customer) };
        let person = self.said.text("employee_id").or_else(|| self.said.text("employee_phone_number"));
        let offered = phase == Phase::Ringing && direction == Direction::Inbound;
        let (agent, routed_to) = if offered { (None, person) } else { (person, None) };
        let name = self.said.text("contact_full_name");
        let attributes = self.said.attributes(&USED);
        let call = said::call(self.session()?, direction, phase);
        Ok(Call { from, to, agent, routed_to, occurred_at: at, name, attributes, ..call })
    }

    fn one(&self, word: &str, phase: Phase) -> Result<Reading, Refusal> {
        Ok(Reading::of([Read::call(self.session()?, word, self.call(phase, self.at())?)]))
    }

    /// A talk proves the answer again, should the notification of its start have been lost: UIS may not repeat it.
    fn finished(&self) -> Result<Reading, Refusal> {
        let talk_s = self.said.seconds("talk_time_duration");
        let mut phases = Vec::new();
        if let Some(seconds) = talk_s.filter(|seconds| *seconds > 0) {
            let since = self.at().unwrap_or(self.received_at).minus(Duration::from_secs(seconds.into()));
            let answered = self.call(Phase::Answered { by: AnsweredBy::Human }, Some(since))?;
            phases.push(Read::call(self.session()?, "answered", answered));
        }
        let ended = self.call(Phase::Ended { talk_s, cause: self.said.text("finish_reason") }, self.at())?;
        phases.push(Read::call(self.session()?, "ended", ended));
        Ok(Reading::of(phases))
    }

    fn recording(&self) -> Result<Reading, Refusal> {
        let Some(url) = self.said.text("file_link") else { return Ok(Reading::ignored("uis.recording_pending")) };
        let word = format!("recorded-{url}");
        let recorded = said::call(self.session()?, self.direction(), Phase::Recorded { url });
        Ok(Reading::of([Read::call(self.session()?, &word, recorded)]))
    }

    /// A request left on the site, or a chat.
    fn touch(&self) -> Reading {
        let mut touch = Touch::new(Kind::Form);
        touch.occurred_at = self.at();
        let service =
            fields::fill(&mut touch, renamed::rename(self.said.0.clone(), &NAMES, self.channel), self.channel);
        touch.phones.iter_mut().for_each(|phone| *phone = number::perhaps_with_country(phone));
        let id = self.said.text("communication_id").or(service.post_id);
        Reading::of([Read::touch(id, "request", touch)])
    }
}

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let event = json!({
        "event": "incoming_call",
        "call_session_id": sample.id(),
        "contact_phone_number": said::without_plus(sample.phone.as_deref(), "74950000001"),
        "contact_full_name": sample.name,
        "virtual_phone_number": said::without_plus(channel.address.as_deref(), "74951234567"),
    });
    SampleRequest::json(&event).below(shown::in_url(channel))
}
