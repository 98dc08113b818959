//! What does a call record of `mod_json_cdr` hold, in whichever way it was sent?
//!
//! - The body is the JSON itself, or `cdr=` and the JSON percent-encoded, or `cdr=` and it in base64. The body tells
//!   which: with `disable-100-continue` the module loses its own Content-Type.
//! - Values of channel variables are percent-encoded besides, unless `encode-values` is off; those of caller profiles
//!   are not.
//! - `callflow` is a list, the latest profile first. Older versions write the key once for each profile.
//! - Names in caller profiles come from the network in any letters; what is not UTF-8 is not worth losing a call.

use super::shared::fields::{MOST_FIELDS, TOO_MANY};
use super::{Refusal, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::BASE64;
use lead::time::At;
use percent_encoding::percent_decode;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

pub(super) const ENCODED_VALUES: Setting = Setting::optional(
    "encode_values",
    Value::Word(&["on", "off"]),
    "\"off\" where the module's own encode-values is false, else \"on\"",
);

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
    chan_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Times {
    /// Microseconds since 1970; 0 is never.
    bridged_time: serde_json::Value,
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
        let mut cdr = written(&String::from_utf8_lossy(&json)).map_err(|_| Refusal::Unreadable(NOT_ONE))?;
        if cdr.flows.is_empty() && cdr.variable("uuid").is_none() {
            return Err(Refusal::Unreadable(NOT_ONE));
        }
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

    /// The last leg that was placed for this one.
    fn placed(&self) -> Option<&Originatee> {
        self.flows.iter().find_map(|flow| flow.profile.originatee.originatee_caller_profiles.first())
    }

    /// The number that the last leg was placed to.
    pub(super) fn reached(&self) -> Option<&str> {
        self.placed()?.destination_number.as_deref()
    }

    /// Was the last leg an application of the switch?
    pub(super) fn reached_machine(&self) -> bool {
        let names = self.placed().map(|leg| [&leg.destination_number, &leg.chan_name]);
        let is_app = |name: &str| name.strip_prefix("loopback/").unwrap_or(name).starts_with("app=");
        names.is_some_and(|names| names.into_iter().flatten().any(|name| is_app(name)))
    }

    /// Seconds since 1970; 0 is never.
    pub(super) fn epoch(&self, name: &str) -> Option<At> {
        let secs: i64 = self.variable(name)?.parse().ok()?;
        (secs > 0).then(|| At::from_secs(secs))
    }

    /// When the caller first had somebody on the line.
    pub(super) fn bridged(&self) -> Option<At> {
        let micros = |time: &serde_json::Value| time.as_i64().or_else(|| time.as_str()?.parse().ok());
        let times = self.flows.iter().filter_map(|flow| micros(&flow.times.bridged_time));
        let first = times.filter(|micros| *micros > 0).min();
        let queue = || self.epoch("cc_queue_answered_epoch");
        first.map(|micros| At::from_millis(micros / 1000)).or_else(queue).or_else(|| self.epoch("bridge_epoch"))
    }
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

fn written(json: &str) -> serde_json::Result<Cdr> {
    let mut cdr = Cdr::default();
    for (key, value) in serde_json::from_str::<Entries<&RawValue>>(json)?.0 {
        match key.as_str() {
            "variables" => cdr.variables.extend(variables(value)?),
            "callflow" => cdr.flows.extend(flows(value)?),
            "channel_data" => cdr.direction = serde_json::from_str::<ChannelData>(value.get())?.direction,
            _ => {}
        }
    }
    Ok(cdr)
}

#[derive(Deserialize)]
struct ChannelData {
    direction: Option<String>,
}

/// One profile, or all of them.
fn flows(value: &RawValue) -> serde_json::Result<Vec<Flow>> {
    let text = value.get();
    if text.starts_with('[') { serde_json::from_str(text) } else { serde_json::from_str(text).map(|one| vec![one]) }
}

/// Texts and numbers; others are no variables.
fn variables(value: &RawValue) -> serde_json::Result<Vec<(String, String)>> {
    let entries: Entries<serde_json::Value> = serde_json::from_str(value.get())?;
    let text = |value| match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Ok(entries.0.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
}

/// An object in which a key may come twice, as no map would keep it.
struct Entries<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() == MOST_FIELDS {
                return Err(A::Error::custom(TOO_MANY));
            }
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
