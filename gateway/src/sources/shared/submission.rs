//! How does a form that a known provider sends become a reading? What the readers of such forms share.

use super::aliases;
use super::fields::{self, Pairs, Service};
use crate::channel::Channel;
use crate::sources::{JSON_TYPE, Read, Reading};
use lead::entry::{Kind, Signal, Touch, Unreadable};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The touch behind the fields of one form.
pub(crate) fn touch(pairs: Pairs<'_>, files: Vec<Value>, channel: &Channel) -> (Touch, Service) {
    let mut touch = Touch::new(Kind::Form);
    let service = fields::fill(&mut touch, pairs, channel);
    if !files.is_empty() {
        touch.attributes.insert("files".to_owned(), Value::Array(files));
    }
    fields::hear(&mut touch, channel);
    (touch, service)
}

/// One submitted form, and what the provider says about it besides; one without a single filled field is only counted,
/// as `empty`.
pub(crate) fn reading<'a>(
    source: &'static str,
    id: Option<String>,
    mut touch: Touch,
    about: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    empty: &'static str,
) -> Reading {
    if is_empty(&touch) {
        return Reading::ignored(empty);
    }
    for (key, value) in about {
        value.into_iter().for_each(|value| fields::attribute(&mut touch, key, value));
    }
    Reading::of([Read::touch(id.filter(|id| !id.is_empty()), source, touch)])
}

/// Nobody filled anything in.
pub(crate) fn is_empty(touch: &Touch) -> bool {
    let nobody = touch.name.is_none() && touch.phones.is_empty() && touch.emails.is_empty();
    nobody && touch.text.is_none() && touch.attributes.is_empty()
}

/// One lead of many that cannot be read does not take the others with it.
pub(crate) fn unreadable(id: &str, reason: &'static str) -> Read {
    let content_type = Some(JSON_TYPE.to_owned());
    let signal = Signal::Unreadable(Unreadable { reason: reason.to_owned(), content_type, rest: None });
    Read { id: Some((id.to_owned(), "unreadable".to_owned())), signal }
}

/// What a question is called: by its id where that means something to us or to the channel's `fields`, else by the
/// words people read.
pub(crate) fn called<'a>(id: &'a str, words: Option<&'a str>, channel: &Channel) -> &'a str {
    let words = words.map(str::trim).filter(|words| !words.is_empty());
    let known = is_mapped(id, channel) || aliases::of_path(id).is_some();
    words.filter(|_| !known).unwrap_or(id)
}

pub(crate) fn is_mapped(id: &str, channel: &Channel) -> bool {
    channel.fields.values().any(|theirs| theirs.to_lowercase() == id.to_lowercase())
}

/// What stands in the objects of a list, object by object: `list.0.a` is `a` of the first.
pub(crate) fn elements<'p>(pairs: &'p Pairs<'_>, list: &str) -> Vec<Vec<(&'p str, &'p str)>> {
    let mut elements: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for (path, value) in pairs {
        let inner =
            path.strip_prefix(list).and_then(|rest| rest.strip_prefix('.')).and_then(|rest| rest.split_once('.'));
        let Some((index, key)) = inner else { continue };
        match elements.last_mut() {
            Some((last, element)) if *last == index => element.push((key, value)),
            _ => elements.push((index, vec![(key, value)])),
        }
    }
    elements.into_iter().map(|(_, element)| element).collect()
}

/// The value of a key in one such object.
pub(crate) fn of<'p>(element: &[(&'p str, &'p str)], key: &str) -> Option<&'p str> {
    element.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
}

/// A JSON object with keys of the customer's choice, in their order. A doubled key is refused.
#[derive(Debug)]
pub(crate) struct Entries<'a, T>(pub Vec<(Cow<'a, str>, T)>);

impl<T> Default for Entries<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Entries<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

struct InOrder<'a, T>(PhantomData<(&'a (), T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for InOrder<'a, T> {
    type Value = Entries<'a, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(Cow<'a, str>, T)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<Key<'a>, T>()? {
            if !seen.insert(key.0.clone()) {
                return Err(A::Error::custom("a key occurs twice"));
            }
            entries.push((key.0, value));
        }
        Ok(Entries(entries))
    }
}

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value as text: a string without its quotes, a number with all its digits, nothing for null.
pub(crate) fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str::<Key<'_>>(text).ok().map(|text| text.0),
        text => Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn the_objects_of_a_list_are_told_apart() {
        let body = br#"{"x": 1, "list": [{"a": 1, "b": [2, 3]}, "odd", {"a": {"c": 4}}], "list2": [{"a": 5}]}"#;
        let pairs = json::read(body).unwrap();
        let expected = [vec![("a", "1"), ("b", "2"), ("b", "3")], vec![("a.c", "4")]];
        assert_eq!(elements(&pairs, "list"), expected);
        assert_eq!(of(&expected[0], "b"), Some("2"));
        assert_eq!(elements(&pairs, "none"), Vec::<Vec<(&str, &str)>>::new());
    }

    #[test]
    fn entries_keep_their_order_and_are_there_once() {
        let read = |text| serde_json::from_str::<Entries<'_, u8>>(text).map(|entries| entries.0);
        assert_eq!(read(r#"{"b": 1, "\u0061": 2}"#).unwrap(), [("b".into(), 1), ("a".into(), 2)]);
        assert!(read(r#"{"a": 1, "\u0061": 2}"#).is_err());
    }

    #[test]
    fn a_question_is_called_by_its_id_only_where_that_means_something() {
        let mut channel = Channel::new("a".into(), "demo".into(), "form");
        channel.fields.insert("budget".to_owned(), "Q7".to_owned());
        for (id, words, expected) in [
            ("phone", Some("Your number"), "phone"),
            ("q7", Some("How much?"), "q7"),
            ("q8", Some("How much?"), "How much?"),
            ("q8", Some(" "), "q8"),
            ("q8", None, "q8"),
        ] {
            assert_eq!(called(id, words, &channel), expected);
        }
    }
}
