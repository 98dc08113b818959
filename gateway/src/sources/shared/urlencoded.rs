//! Which fields does an urlencoded text hold? In order, doubled ones twice, in whatever letters the page was written.

use super::fields::{MOST_FIELDS, Pairs, TOO_MANY};
use crate::room;
use crate::sources::Refusal;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1251};
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// Name and value as sent, percent escapes and plus signs undone.
pub(crate) type Raw<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// A form post: names become paths, letters become UTF-8.
pub(crate) fn read<'a>(body: &'a [u8], charset: Option<&str>) -> Result<Pairs<'a>, Refusal> {
    let raw = split(body)?;
    let letters = letters(&raw, charset);
    Ok(raw.into_iter().map(|(name, value)| (path(text(name, letters)), text(value, letters))).collect())
}

/// A provider's fields: flat names, UTF-8.
pub(crate) fn flat(body: &[u8]) -> Result<Pairs<'_>, Refusal> {
    Ok(split(body)?.into_iter().map(|(name, value)| (text(name, UTF_8), text(value, UTF_8))).collect())
}

/// Names and values as bytes, for a sender that knows itself how they are written.
pub(crate) fn split(body: &[u8]) -> Result<Raw<'_>, Refusal> {
    let mut raw = Vec::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if raw.len() == MOST_FIELDS {
            return Err(Refusal::Unreadable(TOO_MANY));
        }
        let middle = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let value = pair.get(middle + 1..).unwrap_or_default();
        raw.push((unescape(&pair[..middle]), unescape(value)));
    }
    Ok(raw)
}

/// In one pass: a mail is posted like this too, and is held once less so.
fn unescape(part: &[u8]) -> Cow<'_, [u8]> {
    if !part.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(part);
    }
    let mut plain = room::of(part.len());
    for (at, piece) in part.split(|byte| *byte == b'+').enumerate() {
        if at > 0 {
            plain.push(b' ');
        }
        plain.extend(percent_decode(piece));
    }
    Cow::Owned(plain)
}

/// A `_charset_` field is what the browser really used, so it beats the header. Text that is not the UTF-8 it should
/// be comes from an old Russian page.
fn letters(raw: &Raw<'_>, charset: Option<&str>) -> &'static Encoding {
    let field = raw.iter().find(|(name, _)| &**name == b"_charset_").map(|(_, value)| &**value);
    let said = field.and_then(Encoding::for_label).or_else(|| charset.and_then(known_charset)).unwrap_or(UTF_8);
    let utf8 = || raw.iter().all(|(name, value)| is_utf8(name) && is_utf8(value));
    if !said.is_ascii_compatible() || (said == UTF_8 && !utf8()) { WINDOWS_1251 } else { said }
}

pub(crate) fn known_charset(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

fn text<'a>(bytes: Cow<'a, [u8]>, letters: &'static Encoding) -> Cow<'a, str> {
    if letters != UTF_8 && !bytes.is_ascii() {
        return Cow::Owned(letters.decode_without_bom_handling(&bytes).0.into_owned());
    }
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()),
        ),
    }
}

/// `a[b][0][c]` is `a.b.0.c`. A last index says nothing: `a[]` and `a[0]` are `a` once more.
pub(crate) fn path(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.ends_with(']') {
        return name;
    }
    let Some((head, rest)) = name.split_once('[').filter(|(head, _)| !head.is_empty()) else { return name };
    let mut segments: Vec<&str> = rest[..rest.len() - 1].split("][").collect();
    if segments.iter().any(|segment| segment.contains(['[', ']'])) || segments.len() > super::fields::DEEPEST {
        return name;
    }
    if segments.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        segments.pop();
    }
    segments.insert(0, head);
    Cow::Owned(segments.join("."))
}

/// Writes fields as a form post would.
pub(crate) fn write(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(body: &[u8], charset: Option<&str>) -> Vec<(String, String)> {
        let read = read(body, charset).unwrap();
        read.into_iter().map(|(path, value)| (path.into_owned(), value.into_owned())).collect()
    }

    #[test]
    fn names_with_brackets_become_paths() {
        for (name, expected) in [
            ("name", "name"),
            ("phones[]", "phones"),
            ("phones[1]", "phones"),
            ("a[b][0][c]", "a.b.0.c"),
            ("fields[phone][]", "fields.phone"),
            ("a[b", "a[b"),
            ("a]b[", "a]b["),
            ("[a]", "[a]"),
            ("a[b[c]]", "a[b[c]]"),
            ("", ""),
        ] {
            assert_eq!(path(Cow::Borrowed(name)), expected, "{name}");
        }
        let deep = format!("a{}", "[b]".repeat(100));
        assert_eq!(path(Cow::Borrowed(&deep)), deep, "too deep to be a path, kept as a name");
    }

    #[test]
    fn doubled_fields_are_both_kept_and_odd_syntax_does_not_hurt() {
        let read = pairs(b"phone=1&&phone=2&flag&=x&a=b=c&bad=%zz%4", None);
        let expected = [("phone", "1"), ("phone", "2"), ("flag", ""), ("", "x"), ("a", "b=c"), ("bad", "%zz%4")];
        assert_eq!(read, expected.map(|(path, value)| (path.to_owned(), value.to_owned())));
    }

    #[test]
    fn letters_follow_the_field_the_header_and_the_bytes_in_this_order() {
        let anna = ("name".to_owned(), "Анна Ко".to_owned());
        let russian: &[u8] = b"name=%C0%ED%ED%E0+%CA%EE";
        assert_eq!(pairs("name=Анна+Ко".as_bytes(), None)[0], anna);
        assert_eq!(pairs(russian, Some("windows-1251"))[0], anna);
        assert_eq!(pairs(russian, None)[0], anna);
        assert_eq!(pairs(russian, Some("utf-8"))[0], anna);
        assert_eq!(pairs(b"name=%E1%CE%CE%C1+%EB%CF&_charset_=koi8-r", Some("utf-8"))[0], anna);
        assert_eq!(pairs(russian, Some("utf-16le"))[0], anna);
        assert_eq!(pairs(russian, Some("no-such-charset"))[0], anna);
    }

    #[test]
    fn more_fields_than_any_form_has_are_refused() {
        let body = |count| vec!["a=1"; count].join("&");
        assert_eq!(read(body(MOST_FIELDS).as_bytes(), None).map(|pairs| pairs.len()), Ok(MOST_FIELDS));
        assert_eq!(read(body(MOST_FIELDS + 1).as_bytes(), None), Err(Refusal::Unreadable(TOO_MANY)));
    }
}
