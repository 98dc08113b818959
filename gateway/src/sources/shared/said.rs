//! What does one event of a provider say, by name? For events that are read field by field rather than as a form.
//!
//! Every value is text by now, so an id is the same whether it came as a number or quoted. What a source does not ask
//! for is kept as an attribute.

use super::fields::{self, Pairs};
use super::number;
use crate::channel::Channel;
use crate::sources::{Setting, Value};
use lead::entry::{Attributes, Call, Direction, Kind, Phase, Touch};
use lead::text::cut;
use lead::time::At;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes of an id, a name or a number.
const LONGEST: usize = 1024;

/// The fields of one event.
pub(crate) struct Said<'a>(pub(crate) Pairs<'a>);

impl Said<'_> {
    /// The first value that is not blank.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        fields::get(&self.0, path)
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.get(path).map(|value| cut(value, LONGEST).to_owned())
    }

    pub(crate) fn whole(&self, path: &str) -> Option<i64> {
        self.get(path)?.parse().ok()
    }

    pub(crate) fn seconds(&self, path: &str) -> Option<u32> {
        self.get(path)?.parse().ok()
    }

    pub(crate) fn phone(&self, path: &str) -> Option<String> {
        self.get(path).map(number::perhaps_with_country)
    }

    /// All fields but those that a source has a place for.
    pub(crate) fn attributes(&self, used: &[&str]) -> Attributes {
        let mut kept = Touch::new(Kind::Call);
        let unused = |path: &str, value: &str| !used.contains(&path) && !value.trim().is_empty();
        self.0
            .iter()
            .filter(|(path, value)| unused(path, value))
            .for_each(|(path, value)| fields::attribute(&mut kept, path, value));
        kept.attributes
    }
}

/// The value of a field that must be there exactly once: a proof that comes twice proves nothing.
pub(crate) fn only<'p>(pairs: &'p Pairs<'_>, path: &str) -> Option<&'p str> {
    let mut values = pairs.iter().filter(|(known, _)| known == path);
    let (_, value) = values.next()?;
    if values.next().is_some() { None } else { Some(value) }
}

/// A phase of a call, told by its id.
pub(crate) fn call(id: &str, direction: Direction, phase: Phase) -> Call {
    Call::new(cut(id, LONGEST).to_owned(), direction, phase)
}

/// The setting of providers that tell the id of a recording and not its address.
pub(crate) const RECORDING_URL: Setting = Setting {
    name: "recording_url",
    value: Value::Text,
    required: false,
    expected: "an address with {id} where people find a recording, like \"https://pbx.example.com/records/{id}\"",
};

/// Where people find a recording.
pub(crate) fn recording(channel: &Channel, id: &str) -> Option<String> {
    let address = channel.setting(RECORDING_URL.name)?;
    Some(address.replace("{id}", &utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()))
}

/// The setting of providers that write the account's time and not its zone.
pub(crate) const TIME_ZONE: Setting =
    Setting::optional("time_zone", Value::Text, "the time zone of the account at the provider, like \"Europe/Moscow\"");

/// The moment that a clock of the account showed, where we know its zone.
pub(crate) fn local(channel: &Channel, text: &str) -> Option<At> {
    At::local(text, channel.setting(TIME_ZONE.name)?)
}

/// A number as most providers of this market write it.
pub(crate) fn without_plus<'n>(number: Option<&'n str>, other: &'n str) -> &'n str {
    number.unwrap_or(other).trim_start_matches('+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs<'_> {
        super::super::urlencoded::flat(text.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn a_field_that_comes_twice_is_no_proof() {
        assert_eq!(only(&pairs("a=1&b=2"), "b"), Some("2"));
        for text in ["a=1", "b=1&b=2", "b=1&b=1"] {
            assert_eq!(only(&pairs(text), "b"), None, "{text}");
        }
    }

    #[test]
    fn a_recordings_id_cannot_leave_its_place_in_the_address() {
        let mut channel = Channel::new("line".into(), "demo".into(), "mango");
        assert_eq!(recording(&channel, "1"), None);
        channel.settings.insert("recording_url", vec!["https://pbx.example.com/r/{id}".to_owned().into()]);
        assert_eq!(recording(&channel, "a=/../b").as_deref(), Some("https://pbx.example.com/r/a%3D%2F%2E%2E%2Fb"));
    }
}
