//! What do the fields of a telephone provider's request say? By name, bounded, and as phases of one call.
//!
//! A channel's `fields` may give any field a name of ours: `name` and `agent` have a place of their own in a call,
//! every other name is an attribute.

use super::fields::{self, Pairs};

use super::number;
use crate::sources::{Refusal, Request, Setting, Value as Kind};

use crate::channel::Channel;
use lead::entry::{AnsweredBy, Attributes, Call, Direction, Phase};

use lead::text::cut;
use lead::time::At;
use serde_json::Value;
use std::time::Duration;

pub(crate) const LONGEST: usize = 1024;

/// Providers that tell of a leg only that we placed it: to one of our people, because a customer called, or to a
/// customer?
pub(crate) const OUTBOUND_LEGS: Setting = Setting::optional(
    "outbound_legs",
    Kind::Word(&["agents", "customers"]),
    "whom the application calls: \"agents\" when a customer rings, or \"customers\"",
);

/// Where it is on, an answered leg waits for the word of the detection.
pub(crate) const MACHINE_DETECTION: Setting = Setting::optional(
    "machine_detection",
    Kind::Word(&["off", "on"]),
    "\"on\" where the application has calls checked for answering machines, else \"off\"",
);

pub(crate) fn calls_customers(channel: &Channel) -> bool {
    channel.setting(OUTBOUND_LEGS.name) == Some("customers")
}

/// Who answered a leg that we placed to one of our people, as long as nothing else is said.
pub(crate) fn answered_leg(channel: &Channel) -> AnsweredBy {
    let detects = channel.setting(MACHINE_DETECTION.name) == Some("on");
    if detects { AnsweredBy::Unknown } else { AnsweredBy::Human }
}

/// The parameters of one request, by name.
pub(crate) struct Event<'a> {
    fields: Pairs<'a>,
    channel: &'a Channel,
    /// Names that a call's own fields hold already, or that are no business of a reader; one that ends in a dot
    /// stands for all below it.
    used: &'static [&'static str],
    /// Beginnings of names that were left out.
    wrappers: &'static [&'static str],
    pub received_at: At,
}

impl<'a> Event<'a> {
    pub(crate) fn of(
        request: &'a Request,
        channel: &'a Channel,
        used: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        Ok(Self { fields: request.pairs()?, channel, used, wrappers: &[], received_at: request.received_at })
    }

    /// Names without these beginnings, which only wrap.
    pub(crate) fn unwrapped(mut self, wrappers: &'static [&'static str]) -> Self {
        self.wrappers = wrappers;
        for (name, _) in &mut self.fields {
            if let Some(rest) = wrappers.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
                *name = rest.to_owned().into();
            }
        }
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        fields::get(&self.fields, name)
    }

    /// The first of these that says anything.
    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| cut(value, LONGEST).to_owned())
    }

    pub(crate) fn seconds(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn at(&self, name: &str) -> Option<At> {
        At::parse(self.get(name)?)
    }

    pub(crate) fn number(&self, name: &str) -> Option<String> {
        self.get(name).map(number::with_country)
    }

    /// When a talk of this length began, if it ended then or, where nobody says when, now.
    pub(crate) fn began(&self, end: Option<At>, talk_s: Option<u32>) -> Option<At> {
        Some(end.unwrap_or(self.received_at).minus(Duration::from_secs(talk_s?.into())))
    }

    /// A phase of an inbound call that names the call and keeps what has no place of its own.
    pub(crate) fn call(&self, id: &str, phase: Phase) -> Call {
        let mut call = bare_call(id, phase);
        for (name, value) in self.fields.iter().filter(|(_, value)| !value.trim().is_empty()) {
            match self.ours(name) {
                Some(ours) => put(&mut call, ours, value),
                None if self.is_used(name) => {}
                None => keep(&mut call.attributes, name, value),
            }
        }
        call
    }

    /// The channel may name a field with what wraps it or without.
    fn ours(&self, theirs: &str) -> Option<&'a str> {
        if self.channel.fields.is_empty() {
            return None;
        }
        let wrapped = || self.wrappers.iter().find_map(|wrapper| named(self.channel, &format!("{wrapper}{theirs}")));
        named(self.channel, theirs).or_else(wrapped)
    }

    fn is_used(&self, name: &str) -> bool {
        self.used.iter().any(|used| name == *used || (used.ends_with('.') && name.starts_with(used)))
    }
}

/// What the channel calls a field of the sender's.
pub(crate) fn named<'a>(channel: &'a Channel, theirs: &str) -> Option<&'a str> {
    channel.fields.iter().find(|(_, path)| path.eq_ignore_ascii_case(theirs)).map(|(ours, _)| ours.as_str())
}

/// Puts a field that the channel has a name for.
pub(crate) fn put(call: &mut Call, ours: &str, value: &str) {
    let value = cut(value.trim(), LONGEST);
    match ours {
        "name" => call.name = Some(value.to_owned()),
        "agent" => call.agent = Some(value.to_owned()),
        _ => keep(&mut call.attributes, ours, value),
    }
}

/// A name that comes twice keeps both values, in a list.
pub(crate) fn keep(attributes: &mut Attributes, name: &str, value: &str) {
    let value = Value::from(cut(value, LONGEST));
    match attributes.entry(cut(name, LONGEST)) {
        serde_json::map::Entry::Vacant(place) => {
            place.insert(value);
        }
        serde_json::map::Entry::Occupied(mut place) => match place.get_mut() {
            Value::Array(list) => list.push(value),
            first => *first = Value::Array(vec![first.take(), value]),
        },
    }
}

pub(crate) fn bare_call(id: &str, phase: Phase) -> Call {
    Call::new(cut(id, LONGEST).to_owned(), Direction::Inbound, phase)
}

pub(crate) fn ended(talk_s: Option<u32>, cause: Option<&str>) -> Phase {
    Phase::Ended { talk_s, cause: cause.map(|cause| cut(cause, LONGEST).to_owned()) }
}

/// `client:ivan` and `sip:101@pbx.example` are `ivan` and `101` to those who wrote the staff list.
pub(crate) fn person(said: &str) -> String {
    let bare = match said.split_once(':') {
        Some(("client", name)) => name,
        Some(("sip" | "sips", address)) => address.split('@').next().unwrap_or(address),
        _ => said,
    };
    number::with_country(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_as_the_staff_list_names_him() {
        for (said, name) in [
            ("client:ivan", "ivan"),
            ("sip:101@pbx.example", "101"),
            ("sips:74951112233@pbx.example", "+74951112233"),
            ("79161234567", "+79161234567"),
            ("ivan", "ivan"),
        ] {
            assert_eq!(person(said), name, "{said}");
        }
    }
}
