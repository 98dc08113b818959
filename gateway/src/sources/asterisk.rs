//! How does a step of a call on an Asterisk become a phase? The feed has folded the events of all channels by their
//! Linkedid; here each step gets the id by which it is known again.
//!
//! Uniqueid and Linkedid are `epoch.counter`, unique on one exchange only (docs.asterisk.org, "Asterisk Call Files" and
//! "AMI Events"), so `system` goes before them.

use super::{
    Answer, BodyLimit, Denied, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting,
    Source, Value, json,
};
use crate::channel::Channel;
use lead::entry::{AnsweredBy, Attributes, Call, Direction, Kind, Phase, Signal};
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
    verify,
    read,
    answer,
    sample,
    help: HELP,
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "host",
        value: Value::Text,
        required: true,
        expected: "the name or address of the exchange, like \"10.0.0.5\"",
    },
    Setting { name: "port", value: Value::Port, required: false, expected: "the port, unless it is 5038 or 5039" },
    Setting { name: "tls", value: Value::Word(&["off", "tls"]), required: false, expected: "whether AMI speaks TLS" },
    Setting {
        name: "ca",
        value: Value::Text,
        required: false,
        expected: "a PEM file with the authority of a server that the public ones do not know",
    },
    Setting {
        name: "user",
        value: Value::Text,
        required: true,
        expected: "the name in brackets of manager.conf, like \"leadgate\"",
    },
    Setting {
        name: "login",
        value: Value::Word(&["md5", "plain"]),
        required: false,
        expected: "how the secret is proven",
    },
    Setting {
        name: "system",
        value: Value::Text,
        required: false,
        expected: "the systemname of asterisk.conf, where there is more than one exchange",
    },
    Setting {
        name: "agents",
        value: Value::Texts,
        required: true,
        expected: "the beginnings of your people's devices, like [\"PJSIP/1\", \"SIP/2\"]",
    },
    Setting {
        name: "queues",
        value: Value::Texts,
        required: false,
        expected: "the queues whose calls are this channel's; all calls where nothing is said",
    },
    Setting {
        name: "contexts",
        value: Value::Texts,
        required: false,
        expected: "the contexts through which this channel's calls come in, like [\"from-trunk\"]",
    },
];

/// A step of a call, as the feed folded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The Linkedid.
    pub(crate) call: String,
    pub(crate) what: What,
    pub(crate) outbound: bool,
    /// The Uniqueid of the channel that was offered the call or took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) talk_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<At>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The call is there.
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

/// It was told by the exchange that let us in, to the feed of this name; nobody else can send it.
const fn verify(_: &Request, _: &Channel) -> Result<(), Denied> {
    Ok(())
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let step: Step = json::typed(&request.body)?;
    if step.call.is_empty() {
        return Err(Refusal::Unreadable("the step names no call"));
    }
    let Some((phase, phase_name)) = phase(&step) else {
        return Ok(Reading { signals: Vec::new(), ignored: vec!["asterisk.other_step"] });
    };
    let system = channel.setting("system").unwrap_or_default();
    let id = if system.is_empty() { step.call.clone() } else { format!("{system}:{}", step.call) };
    let name = [phase_name, step.leg.as_deref().unwrap_or_default()].join(":");
    let signal = Signal::Call(Box::new(call(step, cut(&id, LONGEST), phase)));
    Ok(Reading { signals: vec![Read { id: Some((id, name)), signal }], ignored: Vec::new() })
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

const fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Accepted
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let step = Step {
        call: format!("sample.{}", sample.nonce),
        what: What::Began,
        outbound: false,
        leg: None,
        from: Some(sample.phone.clone().unwrap_or_else(|| "+15005550006".to_owned())),
        to: channel.address.clone(),
        name: sample.name.clone(),
        agent: None,
        queue: None,
        talk_s: None,
        cause: None,
        at: Some(now),
    };
    SampleRequest::post(JSON_TYPE, serde_json::to_vec(&step).unwrap_or_default())
}

const HELP: &str = "\
# Your own Asterisk (AMI)

leadgate connects to the manager interface of your exchange (Asterisk, FreePBX, Issabel, VitalPBX) and listens; it
changes nothing. It must be able to reach the port: 5038, or 5039 with `tls = \"tls\"`.

1. In `manager.conf` (FreePBX: `manager_custom.conf`), then `manager reload`:

   ```ini
   [leadgate]
   secret = <secret>
   read = call,agent
   write = reporting
   permit = <address of leadgate>/255.255.255.255
   ```

   `write = reporting` lets leadgate ask which calls are going on when it comes back; without it, calls that began while
   it was away are seen only when something happens to them. `timestampevents = yes` under `[general]` gives events
   the exchange's own clock.
2. `host`, `user` (`leadgate` above) and `secret`. `login = \"plain\"` only if your Asterisk refuses MD5.
3. `agents`: how the channels of your people's devices begin, like `[\"PJSIP/1\"]` for the extensions 100 to 199. Only
   these are people: the clock stops when one of them takes the call. A menu, a recording or a voicemail never stops it.
   A person is matched by the extension: `PJSIP/101` is `101`.
4. `queues` or `contexts`, if not every call of the exchange belongs to this channel; `address`: the number that is called.
5. `system`: the `systemname` of `asterisk.conf`, if you have more than one exchange.

AMI remembers nothing: what happens while leadgate cannot reach the exchange is not told later. Such gaps are in the log
(`feed.gap`) and in `leadgate_feed_missed_seconds_total`; calls that go on are picked up again. To prove it, call the
number.
";
