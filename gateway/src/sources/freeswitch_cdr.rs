//! What does a call record of `mod_json_cdr` hold, in whichever way it was sent?
//!
//! - The body is the JSON itself, or `cdr=` and the JSON percent-encoded, or `cdr=` and it in base64. The body tells
//!   which: with `disable-100-continue` the module loses its own Content-Type.
//! - Values of channel variables are percent-encoded besides, unless `encode-values` is off; those of caller profiles
//!   are not.
//! - `callflow` is a list, the latest profile first. Older versions write the key once for each profile.
//! - Names in caller profiles come from the network in any letters; what is not UTF-8 is not worth losing a call.

use super::fields::{MOST_FIELDS, TOO_MANY};
use super::{Refusal, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::BASE64;
use lead::time::At;
use percent_encoding::percent_decode;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

pub(super) const ENCODED_VALUES: Setting = Setting {
    name: "encode_values",
    value: Value::Word(&["on", "off"]),
    required: false,
    expected: "\"off\" where the module's own encode-values is false, else \"on\"",
};

const NOT_ONE: &str = "the body is not a call record";

/// The record of one leg.
#[derive(Debug, Default)]
pub(super) struct Cdr {
    /// Set by the switch and the dialplan, values as they were before they were encoded.
    pub variables: Vec<(String, String)>,
    /// The latest first.
    pub flows: Vec<Flow>,
    direction: Option<String>,
}

/// One stretch of the dialplan.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Flow {
    #[serde(rename = "caller_profile")]
    pub profile: Profile,
    times: Times,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub caller_id_name: Option<String>,
    pub caller_id_number: Option<String>,
    pub destination_number: Option<String>,
    pub context: Option<String>,
    pub uuid: Option<String>,
    originatee: Originatees,
}

/// Legs that were placed for this one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Originatees {
    originatee_caller_profiles: Vec<Originatee>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Originatee {
    destination_number: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    /// Microseconds since 1970; 0 is never.
    bridged_time: Option<String>,
}

impl Profile {
    pub(super) fn reached(&self) -> Option<&str> {
        self.originatee.originatee_caller_profiles.first()?.destination_number.as_deref()
    }
}

static NOBODY: Profile = Profile {
    caller_id_name: None,
    caller_id_number: None,
    destination_number: None,
    context: None,
    uuid: None,
    originatee: Originatees { originatee_caller_profiles: Vec::new() },
};

impl Cdr {
    pub(super) fn of(request: &Request, channel: &Channel) -> Result<Self, Refusal> {
        let json = body(&request.body)?;
        let read: Written = serde_json::from_str(&String::from_utf8_lossy(&json)).map_err(why)?;
        let Written { variables, flows, channel_data } = read;
        let mut cdr = Self { variables: variables.0, flows, direction: channel_data.direction };
        if channel.setting(ENCODED_VALUES.name) != Some("off") {
            cdr.variables.iter_mut().for_each(|(_, value)| decode(value));
        }
        Ok(cdr)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn direction(&self) -> Option<&str> {
        self.direction.as_deref().or_else(|| self.variable("direction"))
    }

    /// Where the leg came in.
    pub(super) fn first_profile(&self) -> &Profile {
        self.flows.last().map_or(&NOBODY, |flow| &flow.profile)
    }

    /// Seconds since 1970; 0 is never.
    pub(super) fn epoch(&self, name: &str) -> Option<At> {
        let secs: i64 = self.variable(name)?.parse().ok()?;
        (secs > 0).then(|| At::from_secs(secs))
    }

    /// When the caller first had somebody on the line.
    pub(super) fn bridged(&self) -> Option<At> {
        let micros = self.flows.iter().filter_map(|flow| flow.times.bridged_time.as_deref()?.parse::<i64>().ok());
        let first = micros.filter(|micros| *micros > 0).min();
        let queue = || self.epoch("cc_queue_answered_epoch");
        first.map(|micros| At::from_millis(micros / 1000)).or_else(queue).or_else(|| self.epoch("bridge_epoch"))
    }
}

fn why(error: serde_json::Error) -> Refusal {
    Refusal::Unreadable(if error.to_string().starts_with(TOO_MANY) { TOO_MANY } else { NOT_ONE })
}

/// The JSON in the body.
fn body(body: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    let Some(cdr) = body.strip_prefix(b"cdr=") else { return Ok(Cow::Borrowed(body)) };
    let escaped = cdr.starts_with(b"%") || cdr.starts_with(b"{");
    if escaped {
        return Ok(percent_decode(cdr).into());
    }
    let base64: Vec<u8> = cdr.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(&base64).map(Cow::Owned).map_err(|_| Refusal::Unreadable(NOT_ONE))
}

fn decode(value: &mut String) {
    if value.contains('%') {
        *value = percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned();
    }
}

/// The record as it is written.
#[derive(Default)]
struct Written {
    variables: Variables,
    flows: Vec<Flow>,
    channel_data: ChannelData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChannelData {
    direction: Option<String>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut written = Written::default();
        let mut keys = 0;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            keys += 1;
            if keys > MOST_FIELDS {
                return Err(A::Error::custom(TOO_MANY));
            }
            match &*key {
                "variables" => written.variables.0.extend(map.next_value::<Variables>()?.0),
                "callflow" => written.flows.extend(map.next_value::<Flows>()?.0),
                "channel_data" => written.channel_data = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let known = |name| written.variables.0.iter().any(|(known, _)| known == name);
        if known("uuid") || !written.flows.is_empty() { Ok(written) } else { Err(A::Error::custom(NOT_ONE)) }
    }
}

/// One profile, or all of them.
struct Flows(Vec<Flow>);

impl<'de> Deserialize<'de> for Flows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlowsVisitor)
    }
}

struct FlowsVisitor;

impl<'de> Visitor<'de> for FlowsVisitor {
    type Value = Flows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a callflow")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Flows, A::Error> {
        let flow = Flow::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Flows(vec![flow]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Flows, A::Error> {
        let mut flows = Vec::new();
        while let Some(flow) = list.next_element()? {
            flows.push(flow);
        }
        Ok(Flows(flows))
    }
}

/// Texts and numbers by name; a name that comes twice keeps its first value.
#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VariablesVisitor)
    }
}

struct VariablesVisitor;

impl<'de> Visitor<'de> for VariablesVisitor {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel variables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
        let mut variables = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
            if variables.len() == MOST_FIELDS {
                return Err(A::Error::custom(TOO_MANY));
            }
            match value {
                serde_json::Value::String(text) => variables.push((name, text)),
                serde_json::Value::Number(number) => variables.push((name, number.to_string())),
                _ => {}
            }
        }
        Ok(Variables(variables))
    }
}
