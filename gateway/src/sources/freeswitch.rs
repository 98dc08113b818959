//! How does FreeSWITCH's record of a leg become the phases of one call?
//!
//! `mod_json_cdr` posts each leg once, when it has ended. The leg that came into the switch knows the whole call: the
//! first of its caller profiles says where it came in, and `bridged_time` when a person was on the line, unless it was
//! bridged to an application: the dialplan that ships with FreeSWITCH reaches voicemail as `loopback/app=voicemail:…`.
//! That it was answered may only be a menu. Legs that the switch placed itself add nothing (`mod_json_cdr.c`,
//! `switch_ivr_generate_json_cdr` in `switch_ivr.c`).
//!
//! Assumption: calls from outside come in through the dialplan contexts of the setting `inbound_contexts`; any other
//! leg is one of our own phones calling out.

use super::freeswitch_cdr::{self, Cdr};
use super::shared::phases::{self, bare_call, ended, person};
use super::shared::{number, shown};
use super::{
    Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{AnsweredBy, Call, Direction, Kind, Phase};
use lead::text::cut;
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "freeswitch",
    kind: Kind::Call,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[CONTEXTS, freeswitch_cdr::ENCODED_VALUES, NUMBERS],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("freeswitch.md"),
};

const CONTEXTS: Setting = Setting::optional(
    "inbound_contexts",
    Value::Texts,
    "a list of the dialplan contexts that calls from outside come in through; [\"public\"] where not set",
);

const NUMBERS: Setting = Setting::optional(
    "numbers",
    Value::Word(&["local", "international"]),
    "how your trunk writes numbers: \"local\" as one dials, \"international\" with the country but no plus",
);

/// `cred` in the module's configuration is HTTP Basic. Without a secret the address's key has to do.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    shown::verify(request, channel)
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let cdr = Cdr::of(request, channel)?;
    let uuid = cdr.variable("uuid").or_else(|| cdr.flows.iter().find_map(|flow| flow.profile.uuid.as_deref()));
    let uuid = uuid.ok_or(Refusal::Unreadable("the record has no uuid"))?;
    if cdr.direction() != Some("inbound") {
        return Ok(Reading::ignored("freeswitch.other_leg"));
    }
    Ok(Leg { cdr: &cdr, uuid, channel }.tell())
}

/// Variables that a human reader of the lead may want.
const KEPT: [&str; 5] = ["accountcode", "cc_queue", "endpoint_disposition", "last_app", "sip_gateway_name"];

/// The leg that came into the switch.
struct Leg<'a> {
    cdr: &'a Cdr,
    uuid: &'a str,
    channel: &'a Channel,
}

impl Leg<'_> {
    /// When it began, who answered, when it ended.
    fn tell(&self) -> Reading {
        let (start, end) = (self.cdr.epoch("start_epoch"), self.cdr.epoch("end_epoch"));
        let bridged = self.cdr.bridged().filter(|_| !self.cdr.reached_machine());
        let answer = bridged.map(|at| (AnsweredBy::Human, at));
        let answer = answer.or_else(|| Some((AnsweredBy::Machine, self.cdr.epoch("answer_epoch")?)));
        let talk_s = bridged.zip(end).and_then(|(from, to)| u32::try_from(to.since(from).as_secs()).ok());
        let once = |state, phase, at| Read::call(self.uuid, state, self.call(phase, at));
        let mut signals = vec![once("ringing", Phase::Ringing, start)];
        if let Some((by, at)) = answer {
            signals.push(once("answered", Phase::Answered { by }, Some(at)));
        }
        signals.push(once("ended", ended(talk_s, self.cdr.variable("hangup_cause")), end));
        Reading::of(signals)
    }

    fn call(&self, phase: Phase, occurred_at: Option<At>) -> Call {
        let profile = self.cdr.first_profile();
        let outbound = self.is_ours();
        let own = self.cdr.variable("user_name").or(profile.caller_id_number.as_deref());
        let agent = if outbound { own.map(person) } else { self.agent() };
        let mut call = Call {
            direction: if outbound { Direction::Outbound } else { Direction::Inbound },
            from: profile.caller_id_number.as_deref().map(|number| self.number(number)),
            to: profile.destination_number.as_deref().map(|number| self.number(number)),
            name: profile.caller_id_name.as_deref().filter(|_| !outbound).and_then(Self::name),
            agent: agent.filter(|_| !matches!(phase, Phase::Ringing)),
            occurred_at,
            ..bare_call(self.uuid, phase)
        };
        self.keep(&mut call);
        call
    }

    fn is_ours(&self) -> bool {
        let context = self.cdr.first_profile().context.as_deref().unwrap_or("public");
        let mut inbound = self.channel.each_setting(CONTEXTS.name).peekable();
        if inbound.peek().is_none() { context != "public" } else { !inbound.any(|known| known == context) }
    }

    /// Whom the caller was bridged to: the agent of a queue, or the last leg that was placed for him.
    fn agent(&self) -> Option<String> {
        let queue = self.cdr.variable("cc_agent").map(|agent| agent.split('@').next().unwrap_or(agent));
        let dialled = || self.cdr.reached();
        queue.or_else(dialled).map(person)
    }

    fn number(&self, number: &str) -> String {
        let whole = self.channel.setting(NUMBERS.name) == Some("international");
        if whole { number::with_country(number) } else { cut(number.trim(), phases::LONGEST).to_owned() }
    }

    /// Without a name of its own the switch shows the number again.
    fn name(name: &str) -> Option<String> {
        let name = cut(name.trim(), phases::LONGEST);
        name.contains(char::is_alphabetic).then(|| name.to_owned())
    }

    fn keep(&self, call: &mut Call) {
        for (name, value) in &self.cdr.variables {
            match phases::named(self.channel, name) {
                Some(ours) => phases::put(call, ours, value),
                None if KEPT.contains(&&**name) || name.starts_with("sip_h_") => {
                    phases::keep(&mut call.attributes, name, value);
                }
                None => {}
            }
        }
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let (seconds, micros) = (now.millis() / 1000, now.millis() * 1000);
    let cdr = json!({
        "core-uuid": "leadgate",
        "channel_data": { "direction": "inbound" },
        "variables": {
            "uuid": sample.nonce,
            "direction": "inbound",
            "start_epoch": (seconds - 30).to_string(),
            "answer_epoch": "0",
            "end_epoch": seconds.to_string(),
            "hangup_cause": "ORIGINATOR_CANCEL",
        },
        "callflow": [{
            "caller_profile": {
                "caller_id_name": sample.name,
                "caller_id_number": sample.caller(),
                "destination_number": channel.address.as_deref().unwrap_or("+15005550001"),
                "context": channel.each_setting(CONTEXTS.name).next().unwrap_or("public"),
            },
            "times": { "created_time": (micros - 30_000_000).to_string(), "bridged_time": "0" },
        }],
    });
    SampleRequest::json(&cdr).below(format!("?uuid={}", sample.nonce)).with(shown::header(channel))
}
