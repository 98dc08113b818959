//! What does a JSON text say, exactly? Strictly read: whatever two readers could understand differently is refused.
//!
//! - A byte order mark is dropped once.
//! - Doubled keys, lone surrogates, numbers that no machine number holds and a second document are refused.
//! - At most [`DEEPEST`] levels and [`MOST_FIELDS`] keys.
//! - Numbers become text, so an id of 19 digits keeps all of them.

use super::fields::{DEEPEST, LONGEST_PATH, MOST_FIELDS, Pairs, TOO_MANY};
use crate::room;
use crate::sources::Refusal;
use lead::text::cut;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

const NOT_JSON: &str = "the body is not JSON";
const NO_OBJECT: &str = "the body is not a JSON object";
const TOO_DEEP: &str = "the JSON is nested too deeply";
const DOUBLED: &str = "a key occurs twice in one JSON object";
const TOO_LARGE: &str = "a JSON number is too large";

/// The object as ordered paths and values: `{"a": {"b": [{"c": 1}]}}` is `a.b.0.c` = `1`; elements of a plain list
/// share one path.
pub(crate) fn read(body: &[u8]) -> Result<Pairs<'_>, Refusal> {
    read_but(body, "")
}

/// The same without what lies below one top-level key: a list longer than any form has fields.
pub(crate) fn read_but<'de>(body: &'de [u8], skipped: &'static str) -> Result<Pairs<'de>, Refusal> {
    let body = without_mark(body);
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Refusal::Unreadable(if is_json(body) { NO_OBJECT } else { NOT_JSON }));
    }
    let mut flat = Flat { pairs: Vec::with_capacity(16), path: String::new(), depth: 0, keys: 0, skipped, fault: None };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Node { flat: &mut flat, index: None }.deserialize(&mut reader).and_then(|()| reader.end());
    match read {
        Ok(()) => Ok(flat.pairs),
        Err(_) => Err(Refusal::Unreadable(flat.fault.unwrap_or(NOT_JSON))),
    }
}

/// A provider's document of a known shape; keys the shape does not name are skipped.
pub(crate) fn typed<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(without_mark(body)).map_err(|_| Refusal::Unreadable("the JSON has not the expected shape"))
}

/// A whole number that may be quoted; anything else is none.
pub(crate) fn whole<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_i64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A text that was not looked into yet. It is taken out of its escapes in one piece: serde_json would hold a mail of many
/// megabytes twice more while it does.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let mut rest = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !rest.contains('\\') {
        return Some(Cow::Borrowed(rest));
    }
    let mut plain = String::from_utf8(room::of(rest.len())).expect("nothing is UTF-8");
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (c, after) = unescaped(escape)?;
        plain.push(c);
        rest = after;
    }
    plain.push_str(rest);
    Some(Cow::Owned(plain))
}

/// What stands behind a backslash, and what follows it. Half of a pair is nothing.
fn unescaped(escape: &str) -> Option<(char, &str)> {
    let c = match escape.as_bytes().first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unit(&escape[1..]).and_then(|(first, rest)| pair(first, rest)),
        other @ (b'"' | b'\\' | b'/') => char::from(*other),
        _ => return None,
    };
    Some((c, &escape[1..]))
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

fn pair(first: u16, rest: &str) -> Option<(char, &str)> {
    let second = rest.strip_prefix("\\u").and_then(unit);
    match (char::decode_utf16([first]).next()?, second) {
        (Ok(c), _) => Some((c, rest)),
        (Err(_), Some((second, rest))) => Some((char::decode_utf16([first, second]).next()?.ok()?, rest)),
        (Err(_), None) => None,
    }
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

struct Flat<'de> {
    pairs: Pairs<'de>,
    path: String,
    depth: usize,
    keys: usize,
    /// The top-level key nobody reads here; empty: none.
    skipped: &'static str,
    /// Set where the reason is ours and not the syntax.
    fault: Option<&'static str>,
}

impl<'de> Flat<'de> {
    fn refuse<E: Error>(&mut self, fault: &'static str) -> E {
        self.fault = Some(fault);
        E::custom(fault)
    }

    fn put<E: Error>(&mut self, value: Cow<'de, str>) -> Result<(), E> {
        if self.pairs.len() == MOST_FIELDS {
            return Err(self.refuse(TOO_MANY));
        }
        // A long name is written once and would be kept for each of its children.
        self.pairs.push((Cow::Owned(cut(&self.path, LONGEST_PATH).to_owned()), value));
        Ok(())
    }

    /// Goes one level down, under its index where it stands in a list, and says where the path ended before.
    fn enter<E: Error>(&mut self, index: Option<usize>) -> Result<usize, E> {
        let before = self.path.len();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.refuse(TOO_DEEP));
        }
        if let Some(index) = index {
            self.push(&index.to_string());
        }
        Ok(before)
    }

    fn leave(&mut self, before: usize) {
        self.depth -= 1;
        self.path.truncate(before);
    }

    fn push(&mut self, segment: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(segment);
    }
}

/// One value at the current path. `index` is its place in a list, which only an object or a list makes part of the
/// path.
struct Node<'a, 'de> {
    flat: &'a mut Flat<'de>,
    index: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.flat.put(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.flat.put(Cow::Owned(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.flat.put(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        /// From here on a whole number has lost digits on the way.
        const INEXACT: f64 = 9_007_199_254_740_992.0;
        if value.abs() >= INEXACT {
            return Err(self.flat.refuse(TOO_LARGE));
        }
        self.flat.put(Cow::Owned(value.to_string()))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<(), E> {
        self.flat.put(Cow::Borrowed(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.flat.put(Cow::Owned(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let before = self.flat.enter(self.index)?;
        let mut index = 0;
        while list.next_element_seed(Node { flat: self.flat, index: Some(index) })?.is_some() {
            index += 1;
        }
        self.flat.leave(before);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let before = self.flat.enter(self.index)?;
        let mut seen: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            self.flat.keys += 1;
            if self.flat.keys > MOST_FIELDS {
                return Err(self.flat.refuse(TOO_MANY));
            }
            if seen.contains(&key) {
                return Err(self.flat.refuse(DOUBLED));
            }
            let end = self.flat.path.len();
            if self.flat.depth == 1 && !self.flat.skipped.is_empty() && key == self.flat.skipped {
                map.next_value::<serde::de::IgnoredAny>()?;
                seen.push(key);
                continue;
            }
            self.flat.push(&key);
            map.next_value_seed(Node { flat: self.flat, index: None })?;
            self.flat.path.truncate(end);
            seen.push(key);
        }
        self.flat.leave(before);
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(body: &str) -> Vec<String> {
        read(body.as_bytes()).unwrap().iter().map(|(path, value)| format!("{path}={value}")).collect()
    }

    fn fault(body: impl AsRef<[u8]>) -> &'static str {
        match read(body.as_ref()) {
            Err(Refusal::Unreadable(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_object_becomes_ordered_paths() {
        let body = r#"{"b": 1, "a": {"c": [{"d": true}, "x", ["y"]], "n": null}, "list": ["p", "q"], "1.3": "Ivan"}"#;
        assert_eq!(paths(body), ["b=1", "a.c.0.d=true", "a.c=x", "a.c.2=y", "list=p", "list=q", "1.3=Ivan"]);
        assert_eq!(paths("{}"), [""; 0]);
    }

    #[test]
    fn what_nobody_reads_is_skipped_whole_but_not_twice() {
        let list = "1,".repeat(MOST_FIELDS);
        let read = |body: &str| read_but(body.as_bytes(), "chat").map(|pairs| pairs.len());
        assert_eq!(read(&format!(r#"{{"chat": [{list}1], "a": {{"chat": 1}}}}"#)), Ok(1));
        assert_eq!(read(r#"{"chat": 1, "chat": 2}"#), Err(Refusal::Unreadable(DOUBLED)));
        assert_eq!(read(r#"{"chat": [}"#), Err(Refusal::Unreadable(NOT_JSON)));
    }

    #[test]
    fn numbers_keep_every_digit() {
        let body = r#"{"id": 9223372036854775808, "low": -9223372036854775808, "zero": -0, "half": 1.5, "tel": 7.9161234567e10}"#;
        assert_eq!(
            paths(body),
            ["id=9223372036854775808", "low=-9223372036854775808", "zero=-0", "half=1.5", "tel=79161234567"]
        );
        for number in ["1e400", "18446744073709551616", "1e17", "-1e300"] {
            let reason = fault(format!(r#"{{"id": {number}}}"#));
            assert!(reason == TOO_LARGE || reason == NOT_JSON, "{number}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped_once() {
        assert_eq!(paths("\u{feff}{\"a\": 1}"), ["a=1"]);
        assert_eq!(fault("\u{feff}\u{feff}{\"a\": 1}"), NOT_JSON);
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for (body, reason) in [
            (r#"{"phone": "1", "phone": "2"}"#, DOUBLED),
            (r#"{"phone": "1", "ph\u006fne": "2"}"#, DOUBLED),
            (r#"{"a": {"b": 1, "b": null}}"#, DOUBLED),
            (r#"{"a": 1}{"a": 2}"#, NOT_JSON),
            (r#"{"a": 1} x"#, NOT_JSON),
            (r#"{"a": "\ud800"}"#, NOT_JSON),
            (r#"{"a": 1,}"#, NOT_JSON),
            ("{'a': 1}", NOT_JSON),
            (r#"{"a": NaN}"#, NOT_JSON),
            ("", NOT_JSON),
            (r#"[{"a": 1}]"#, NO_OBJECT),
            (r#""text""#, NO_OBJECT),
            ("[[[", NOT_JSON),
        ] {
            assert_eq!(fault(body), reason, "{body}");
        }
        assert_eq!(fault(b"{\"a\": \"\xcf\"}"), NOT_JSON);
    }

    #[test]
    fn depth_and_keys_are_bounded() {
        let nested = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(read(nested(DEEPEST).as_bytes()).map(|pairs| pairs.len()), Ok(1));
        assert_eq!(fault(nested(DEEPEST + 1)), TOO_DEEP);
        assert_eq!(fault(nested(100_000)), TOO_DEEP);
        let wide = |keys| format!("{{{}}}", (0..keys).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(read(wide(MOST_FIELDS).as_bytes()).map(|pairs| pairs.len()), Ok(MOST_FIELDS));
        assert_eq!(fault(wide(100_000)), TOO_MANY);
        assert_eq!(fault(format!("{{\"a\": [{}1]}}", "1,".repeat(MOST_FIELDS))), TOO_MANY);
    }

    #[test]
    fn a_key_is_only_a_key() {
        assert_eq!(
            paths(r#"{"__proto__": {"admin": true}, "constructor": 1}"#),
            ["__proto__.admin=true", "constructor=1"]
        );
    }

    #[test]
    fn a_text_is_taken_out_of_its_escapes_as_serde_json_does() {
        for written in [
            r#""plain""#,
            r#""""#,
            r#""\r\n\t\b\f\/\\\"""#,
            r#""\u0416\u044f and \ud83d\ude00""#,
            r#""\u0000""#,
            r#""\ud83d""#,
            r#""\ud83d\u0041""#,
            r#""\ude00\ud83d""#,
            r#""Жя""#,
            "17",
            "[\"a\"]",
        ] {
            let raw: &RawValue = serde_json::from_str(written).unwrap();
            assert_eq!(text(raw).map(Cow::into_owned), serde_json::from_str::<String>(written).ok(), "{written}");
        }
    }

    #[test]
    fn a_long_name_is_not_kept_for_each_of_its_children() {
        let body = format!(r#"{{"{}": [[1],{}[2]]}}"#, "k".repeat(100_000), "3,".repeat(900));
        let pairs = read(body.as_bytes()).unwrap();
        assert_eq!(pairs.len(), 902);
        assert!(pairs.iter().all(|(path, _)| path.len() <= LONGEST_PATH));
    }
}
