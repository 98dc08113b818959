//! How do the events of many channels become the steps of one call? Folded by Linkedid, the Uniqueid of the channel that
//! was first: the caller's. Pure.
//!
//! - A person is an agent's own device that took the call: DialEnd with ANSWER, AgentConnect, or its channel in a bridge
//!   (a pick-up, a transfer). What answers for the exchange itself (menu, queue, voicemail) sends none of these.
//! - A Local channel is a way through the dialplan, not a device; what took it is a device of its own, or nobody knows.
//! - Those in a ring group who were not fast enough end with CANCEL, and that says nothing of the call.
//! - A call that an agent's device begins is ours to somebody, once it leaves by a trunk; between two agents it is none.

use super::ami::Block;
use crate::channel::Channel;
use crate::sources::asterisk::{Step, What};
use lead::time::At;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Calls at one moment; beyond it the oldest was forgotten by the exchange, or by us.
const MOST: usize = 10_000;

/// What the channel says of its calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    agents: Vec<String>,
    queues: Vec<String>,
    contexts: Vec<String>,
    address: Option<String>,
}

impl Plan {
    pub(super) fn of(channel: &Channel) -> Self {
        let each = |name| channel.each_setting(name).map(str::to_owned).collect();
        Self {
            agents: each("agents"),
            queues: each("queues"),
            contexts: each("contexts"),
            address: channel.address.clone(),
        }
    }

    /// The extension of a person's device: `PJSIP/101-0000002a` is `101`.
    fn agent(&self, channel: &str) -> Option<String> {
        let is_agent = !is_local(channel) && self.agents.iter().any(|start| channel.starts_with(start.as_str()));
        is_agent.then(|| extension(channel))
    }
}

fn is_local(channel: &str) -> bool {
    channel.starts_with("Local/")
}

/// `PJSIP/101-0000002a`, `Local/101@from-queue/n` and `SIP/101` are `101`.
fn extension(channel: &str) -> String {
    let (_, name) = channel.split_once('/').unwrap_or(("", channel));
    let name = name.split(['@', ';']).next().unwrap_or(name);
    name.rsplit_once('-').map_or(name, |(device, _)| device).to_owned()
}

/// Calls that go on.
#[derive(Debug)]
pub(super) struct Fold {
    plan: Plan,
    calls: BTreeMap<String, Talk>,
}

/// One call, as far as it is known.
#[derive(Debug, Default)]
struct Talk {
    /// The device of ours that began it.
    caller: Option<String>,
    from: Option<String>,
    to: Option<String>,
    name: Option<String>,
    queue: Option<String>,
    told: bool,
    gave_up: bool,
    offered: BTreeSet<String>,
    /// Legs of people, those of them who talk now, and for how long somebody has talked.
    people: BTreeSet<String>,
    taken: BTreeSet<String>,
    talking: BTreeSet<String>,
    since: Option<At>,
    talked_ms: i64,
}

impl Talk {
    fn talks(&mut self, leg: &str, at: At) {
        if self.talking.is_empty() {
            self.since = Some(at);
        }
        self.talking.insert(leg.to_owned());
    }

    fn is_silent(&mut self, leg: &str, at: At) {
        if self.talking.remove(leg) && self.talking.is_empty() {
            self.talked_ms += self.since.take().map_or(0, |since| at.millis() - since.millis());
        }
    }

    fn talk_s(&mut self, at: At) -> Option<u32> {
        for leg in std::mem::take(&mut self.talking) {
            self.talking.insert(leg.clone());
            self.is_silent(&leg, at);
        }
        (!self.people.is_empty()).then(|| u32::try_from(self.talked_ms.max(0) / 1_000).unwrap_or(u32::MAX))
    }
}

impl Fold {
    pub(super) const fn new(plan: Plan) -> Self {
        Self { plan, calls: BTreeMap::new() }
    }

    /// What an event says of its call; `now` where the exchange stamps no times.
    pub(super) fn event(&mut self, block: &Block, now: At) -> Vec<Step> {
        let (Some(event), Some(linked)) = (block.get("Event"), block.get("Linkedid")) else { return Vec::new() };
        let (linked, at) = (linked.to_owned(), stamp(block).unwrap_or(now));
        let is_first = block.get("Uniqueid") == Some(linked.as_str());
        if is_first && event != "Hangup" {
            self.first(block, &linked);
        }
        let mut steps = Vec::new();
        let Some(talk) = self.calls.get_mut(&linked) else { return steps };
        let scene = Scene { plan: &self.plan, linked: &linked, block, at };
        match event {
            "Newchannel" | "NewCallerid" => scene.began(talk, talk.from.is_some(), &mut steps),
            "CoreShowChannel" if is_first => scene.began(talk, true, &mut steps),
            "QueueCallerJoin" => scene.queued(talk, &mut steps),
            "QueueCallerAbandon" => talk.gave_up = true,
            "DialBegin" | "AgentCalled" => scene.offered(talk, &mut steps),
            "DialEnd" if block.get("DialStatus") == Some("ANSWER") => scene.answered(talk, &mut steps),
            "AgentConnect" => scene.answered(talk, &mut steps),
            "BridgeEnter" if !is_first => scene.bridged(talk, &mut steps),
            "CoreShowChannel" if block.get("BridgeId").is_some() => scene.bridged(talk, &mut steps),
            "BridgeLeave" => talk.is_silent(block.get("Uniqueid").unwrap_or_default(), at),
            "Hangup" if is_first => scene.ended(talk, cause(block, talk.gave_up), &mut steps),
            "Hangup" => talk.is_silent(block.get("Uniqueid").unwrap_or_default(), at),
            _ => {}
        }
        if is_first && event == "Hangup" {
            self.calls.remove(&linked);
        }
        steps
    }

    /// Takes up what goes on after a gap: channels as the exchange lists them. Calls that are not among them have ended.
    pub(super) fn going_on(&mut self, channels: &[Block], now: At) -> Vec<Step> {
        let is_first = |block: &&Block| block.get("Uniqueid") == block.get("Linkedid");
        let (first, others): (Vec<&Block>, Vec<&Block>) = channels.iter().partition(is_first);
        let alive: BTreeSet<&str> = first.iter().filter_map(|block| block.get("Linkedid")).collect();
        let over: Vec<String> = self.calls.keys().filter(|linked| !alive.contains(linked.as_str())).cloned().collect();
        let mut steps = Vec::new();
        for linked in over {
            let Some(mut talk) = self.calls.remove(&linked) else { continue };
            let scene = Scene { plan: &self.plan, linked: &linked, block: &Block::default(), at: now };
            scene.ended(&mut talk, "ended while nobody listened".to_owned(), &mut steps);
        }
        for block in first.into_iter().chain(others) {
            steps.extend(self.event(block, now));
        }
        steps
    }

    /// Remembers the caller's channel, if its call may be ours.
    fn first(&mut self, block: &Block, linked: &str) {
        let channel = block.get("Channel").unwrap_or_default();
        let caller = self.plan.agent(channel);
        let context = block.get("Context").unwrap_or_default();
        let elsewhere = !self.plan.contexts.is_empty() && !self.plan.contexts.iter().any(|ours| ours == context);
        // Only the first event of a channel says where it came in; later the dialplan has moved it.
        let arrives = !self.calls.contains_key(linked);
        if arrives && (is_local(channel) || channel.is_empty() || (elsewhere && caller.is_none())) {
            return;
        }
        if arrives && self.calls.len() >= MOST {
            self.calls.pop_first();
        }
        let talk = self.calls.entry(linked.to_owned()).or_default();
        if talk.caller.is_none() {
            talk.from = talk.from.take().or_else(|| number(block.get("CallerIDNum")));
            talk.name = talk
                .name
                .take()
                .or_else(|| known(block.get("CallerIDName")).filter(|name| number(Some(name)).is_none()));
        }
        if arrives {
            talk.to = number(block.get("Exten")).filter(|number| number.len() > 2);
            talk.caller = caller;
        }
    }
}

/// One event and the call it belongs to.
struct Scene<'a> {
    plan: &'a Plan,
    linked: &'a str,
    block: &'a Block,
    at: At,
}

impl Scene<'_> {
    fn step(&self, talk: &Talk, what: What) -> Step {
        let ours = self.plan.address.clone();
        let inbound = talk.caller.is_none();
        Step {
            call: self.linked.to_owned(),
            what,
            outbound: !inbound,
            leg: None,
            from: if inbound { talk.from.clone() } else { ours.clone() },
            to: if inbound { ours.or_else(|| talk.to.clone()) } else { talk.to.clone() },
            name: talk.name.clone().filter(|_| inbound),
            agent: talk.caller.clone(),
            queue: talk.queue.clone(),
            talk_s: None,
            cause: None,
            at: Some(self.at),
        }
    }

    /// The first word of a call, once it is ours and the caller is known or will not be.
    fn began(&self, talk: &mut Talk, known: bool, steps: &mut Vec<Step>) {
        let ours = talk.caller.is_none() && (self.plan.queues.is_empty() || talk.queue.is_some());
        if ours && known && !talk.told {
            talk.told = true;
            steps.push(self.step(talk, What::Began));
        }
    }

    fn queued(&self, talk: &mut Talk, steps: &mut Vec<Step>) {
        let queue = self.block.get("Queue").unwrap_or_default();
        if self.plan.queues.is_empty() || self.plan.queues.iter().any(|ours| ours == queue) {
            talk.queue = Some(queue.to_owned());
        }
        self.began(talk, true, steps);
    }

    fn offered(&self, talk: &mut Talk, steps: &mut Vec<Step>) {
        let channel = self.block.get("DestChannel").unwrap_or_default();
        let agent = self.plan.agent(channel);
        if talk.caller.is_some() {
            // A call of an agent is one of ours when it leaves the house.
            if agent.is_none() && !is_local(channel) && !channel.is_empty() && !talk.told {
                talk.told = true;
                talk.to = talk.to.take().or_else(|| number(self.block.get("DestCallerIDNum")));
                steps.push(self.step(talk, What::Began));
            }
            return;
        }
        self.began(talk, true, steps);
        let leg = self.block.get("DestUniqueid").unwrap_or_default();
        if let (true, Some(agent)) = (talk.told, agent)
            && talk.offered.insert(leg.to_owned())
        {
            steps.push(Step { leg: Some(leg.to_owned()), agent: Some(agent), ..self.step(talk, What::Offered) });
        }
    }

    /// Somebody took it: a person where the device is a person's.
    fn answered(&self, talk: &mut Talk, steps: &mut Vec<Step>) {
        let channel = self.block.get("DestChannel").or_else(|| self.block.get("Interface"));
        let (channel, leg) = (channel.unwrap_or_default(), self.block.get("DestUniqueid").unwrap_or_default());
        self.began(talk, true, steps);
        if !talk.told {
            return;
        }
        match self.plan.agent(channel) {
            Some(agent) if talk.caller.is_none() => self.person(talk, leg, agent, steps),
            Some(_) => {}
            // A queue's word for its Local member comes after that of the device behind it.
            None if !talk.people.is_empty() => {}
            None if is_local(channel) && self.block.get("Event") != Some("AgentConnect") => {}
            None => {
                if talk.taken.insert(leg.to_owned()) {
                    let agent = talk.caller.clone().or_else(|| Some(extension(channel)).filter(|_| is_local(channel)));
                    steps.push(Step { leg: Some(leg.to_owned()), agent, ..self.step(talk, What::Taken) });
                }
            }
        }
    }

    fn bridged(&self, talk: &mut Talk, steps: &mut Vec<Step>) {
        let agent = self.plan.agent(self.block.get("Channel").unwrap_or_default());
        self.began(talk, true, steps);
        if let Some(agent) = agent.filter(|_| talk.told && talk.caller.is_none()) {
            self.person(talk, self.block.get("Uniqueid").unwrap_or_default(), agent, steps);
        }
    }

    fn person(&self, talk: &mut Talk, leg: &str, agent: String, steps: &mut Vec<Step>) {
        talk.talks(leg, self.at);
        if talk.people.insert(leg.to_owned()) {
            steps.push(Step { leg: Some(leg.to_owned()), agent: Some(agent), ..self.step(talk, What::Answered) });
        }
    }

    fn ended(&self, talk: &mut Talk, cause: String, steps: &mut Vec<Step>) {
        self.began(talk, true, steps);
        if talk.told {
            let talk_s = talk.talk_s(self.at);
            steps.push(Step { talk_s, cause: Some(cause), ..self.step(talk, What::Ended) });
        }
    }
}

fn cause(block: &Block, gave_up: bool) -> String {
    let said = block.get("Cause-txt").or_else(|| block.get("Cause")).unwrap_or("unknown");
    if gave_up { "abandoned the queue".to_owned() } else { said.to_lowercase() }
}

/// `timestampevents = yes` gives every event `1705302000.123456`.
fn stamp(block: &Block) -> Option<At> {
    let (seconds, fraction) = block.get("Timestamp")?.split_once('.')?;
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(At::from_secs(seconds.parse().ok()?).plus(Duration::from_millis(millis)))
}

fn known(text: Option<&str>) -> Option<String> {
    text.filter(|text| *text != "<unknown>").map(str::to_owned)
}

/// A number that can be called back; those who hide theirs are called all kinds of things.
fn number(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
