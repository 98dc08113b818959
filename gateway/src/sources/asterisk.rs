//! How does a step of a call on an Asterisk become a phase? The feed has folded the events of all channels by their
//! Linkedid; here each step gets the id by which it is known again.
//!
//! Uniqueid and Linkedid are `epoch.counter`, unique on one exchange only (docs.asterisk.org, "Asterisk Call Files" and
//! "AMI Events"), so `system` goes before them.

use super::shared::json;
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};

use crate::channel::Channel;
use lead::entry::{AnsweredBy, Attributes, Call, Direction, Kind, Phase};

use lead::text::cut;
use lead::time::At;
use serde::{Deserialize, Serialize};

pub const SOURCE: Source = Source {
    name: "asterisk",
    kind: Kind::Call,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: SETTINGS,
    methods: &[],
    // It was told by the exchange that let us in, to the feed of this name; nobody else can send it.
    verify: |_, _| Ok(()),
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("asterisk.md"),
};

const SETTINGS: &[Setting] = &[
    Setting::required("host", Value::Text, "the name or address of the exchange, like \"10.0.0.5\""),
    Setting::optional("port", Value::Port, "the port, unless it is 5038 or 5039"),
    Setting::optional("tls", Value::Word(&["off", "tls"]), "whether AMI speaks TLS"),
    Setting::optional("ca", Value::Text, "a PEM file with the authority of a server that the public ones do not know"),
    Setting::required("user", Value::Text, "the name in brackets of manager.conf, like \"leadgate\""),
    Setting::optional("login", Value::Word(&["md5", "plain"]), "how the secret is proven"),
    Setting::optional("system", Value::Text, "the systemname of asterisk.conf, where there is more than one exchange"),
    Setting::required("agents", Value::Texts, "the beginnings of your people's devices, like [\"PJSIP/1\", \"SIP/2\"]"),
    Setting::optional(
        "queues",
        Value::Texts,
        "the queues whose calls are this channel's; all calls where nothing is said",
    ),
    Setting::optional(
        "contexts",
        Value::Texts,
        "the contexts through which this channel's calls come in, like [\"from-trunk\"]",
    ),
];

/// A step of a call, as the feed folded it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The Linkedid.
    pub(crate) call: String,
    pub(crate) what: What,
    pub(crate) outbound: bool,
    /// The Uniqueid of the channel that was offered the call or took it.
    pub(crate) leg: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) talk_s: Option<u32>,
    pub(crate) cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<At>,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The call is there.
    #[default]
    Began,
    /// Somebody's device rings.
    Offered,
    /// A person took it.
    Answered,
    /// Something took it, perhaps a person: a mobile behind a trunk, a voicemail behind a Local channel.
    Taken,
    Ended,
    #[serde(other)]
    Unknown,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let step: Step = json::typed(&request.body)?;
    if step.call.is_empty() {
        return Err(Refusal::Unreadable("the step names no call"));
    }
    let Some((phase, phase_name)) = phase(&step) else {
        return Ok(Reading::ignored("asterisk.other_step"));
    };
    let system = channel.setting("system").unwrap_or_default();
    let id = if system.is_empty() { step.call.clone() } else { format!("{system}:{}", step.call) };
    let name = [phase_name, step.leg.as_deref().unwrap_or_default()].join(":");
    Ok(Reading::of([Read::call(&id, &name, call(step, cut(&id, LONGEST), phase))]))
}

const LONGEST: usize = 1024;

fn phase(step: &Step) -> Option<(Phase, &'static str)> {
    Some(match step.what {
        What::Began => (Phase::Ringing, "began"),
        What::Offered => (Phase::Ringing, "offered"),
        What::Answered => (Phase::Answered { by: AnsweredBy::Human }, "answered"),
        What::Taken => (Phase::Answered { by: AnsweredBy::Unknown }, "taken"),
        What::Ended => (Phase::Ended { talk_s: step.talk_s, cause: step.cause.clone() }, "ended"),
        What::Unknown => return None,
    })
}

fn call(step: Step, id: &str, phase: Phase) -> Call {
    let short = |text: Option<String>| text.map(|text| cut(&text, LONGEST).to_owned());
    let (agent, routed_to) = if step.what == What::Offered { (None, step.agent) } else { (step.agent, None) };
    Call {
        id: id.to_owned(),
        direction: if step.outbound { Direction::Outbound } else { Direction::Inbound },
        from: short(step.from),
        to: short(step.to),
        agent: short(agent),
        routed_to: short(routed_to),
        phase,
        occurred_at: step.at,
        name: short(step.name),
        attributes: step.queue.map(|queue| ("queue".to_owned(), queue.into())).into_iter().collect::<Attributes>(),
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let step = Step {
        call: format!("sample.{}", sample.nonce),
        what: What::Began,
        from: Some(sample.phone.clone().unwrap_or_else(|| "+15005550006".to_owned())),
        to: channel.address.clone(),
        name: sample.name.clone(),
        at: Some(now),
        ..Step::default()
    };
    SampleRequest::post(JSON_TYPE, serde_json::to_vec(&step).unwrap_or_default())
}
