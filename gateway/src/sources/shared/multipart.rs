//! Which fields and files does a multipart form hold?
//!
//! Files are not kept: of each the form's field, its name if it is only a name, its media type and its size go into
//! the attributes.

use super::fields::{MOST_FIELDS, Pairs};
use super::parts::{self, What};
use super::posted::text as letters;
use super::urlencoded::{known_charset, path};
use crate::sources::{Refusal, media_type};
use encoding_rs::Encoding;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Parts of one form, files included.
const MOST_PARTS: usize = 50;
/// Bytes of one value that is no file.
const LONGEST_VALUE: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub pairs: Pairs<'static>,
    pub files: Vec<Value>,
}

/// The parts as they came: name, charset and bytes of each that is no file.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    pub values: Vec<(String, Option<&'static Encoding>, &'a [u8])>,
    pub files: Vec<Value>,
}

/// A form that a page posted.
pub(crate) fn read(body: &[u8], content_type: &str) -> Result<Form, Refusal> {
    let parts = parts(body, content_type, Most { parts: MOST_PARTS, value: LONGEST_VALUE })?;
    Ok(Form { pairs: decode(parts.values), files: parts.files })
}

/// A mail that a provider posts: with every header a part of its own, or whole in one.
pub(crate) fn mail<'a>(body: &'a [u8], content_type: &str) -> Result<Parts<'a>, Refusal> {
    parts(body, content_type, Most { parts: MOST_FIELDS, value: usize::MAX })
}

#[derive(Copy, Clone)]
struct Most {
    parts: usize,
    value: usize,
}

fn parts<'a>(body: &'a [u8], content_type: &str, most: Most) -> Result<Parts<'a>, Refusal> {
    const BROKEN: Refusal = Refusal::Unreadable("the multipart form is broken");
    let boundary = parts::boundary(content_type);
    let boundary = boundary.ok_or(Refusal::Bad("the form has no boundary, or one that is too long"))?;
    let mut parts = Parts::default();
    for (count, part) in parts::Parts::of(body, &boundary).map_err(|_| BROKEN)?.enumerate() {
        let part = part.map_err(|_| BROKEN)?;
        if count == most.parts {
            return Err(Refusal::TooLarge("the form has too many parts"));
        }
        match part.what {
            // An empty file field is a field nobody filled.
            What::File(_) if part.value.is_empty() => {}
            What::File(name) => {
                let kind = part.content_type.map(media_type);
                parts.files.push(describe_file(&part.name, plain_name(&name), kind, part.value.len()));
            }
            What::Value if part.value.len() > most.value => {
                return Err(Refusal::TooLarge("a field of the form is too long"));
            }
            What::Value => {
                let label = part.content_type.and_then(|kind| parts::parameter(kind, "charset"));
                let charset = label.and_then(|label| known_charset(&label));
                parts.values.push((part.name, charset, part.value));
            }
        }
    }
    Ok(parts)
}

/// A part's own charset, else that of the form's `_charset_` field, else UTF-8, or what old Russian pages write.
fn decode(raw: Vec<(String, Option<&'static Encoding>, &[u8])>) -> Pairs<'static> {
    let common = raw.iter().find(|(name, ..)| name == "_charset_");
    let common = common.and_then(|(_, _, label)| Encoding::for_label(label));
    // In letters that spell ASCII otherwise no page is written, and a phone would be lost.
    let usual = |charset: &&'static Encoding| charset.is_ascii_compatible();
    let text = |own: Option<&'static Encoding>, value: &[u8]| match own.or(common).filter(usual) {
        Some(charset) => charset.decode_without_bom_handling(value).0.into_owned(),
        None => letters(value, None).into_owned(),
    };
    raw.into_iter()
        .map(|(name, own, value)| (Cow::Owned(path(Cow::Owned(name)).into_owned()), Cow::Owned(text(own, value))))
        .collect()
}

/// How a file that was not kept is told of in the attributes.
pub(crate) fn describe_file(field: &str, name: Option<&str>, kind: Option<&str>, size: usize) -> Value {
    json!({"field": field, "name": name, "type": kind, "size": size, "kept": false})
}

/// A name that is only a name: no folders, no control characters, no tricks with dots.
pub(crate) fn plain_name(name: &str) -> Option<&str> {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '\0');
    let plain = !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && !name.contains(odd);
    plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn part(head: &str, value: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
    }

    fn form(body: &str) -> Result<Form, Refusal> {
        super::read(body.as_bytes(), TYPE)
    }

    #[test]
    fn fields_are_read_in_order_and_files_are_only_told_of() {
        let body = part("name=\"name\"", "Анна")
            + &part("name=\"rooms[]\"", "2")
            + &part("name=\"plan\"; filename=\"plan.pdf\"\r\nContent-Type: application/pdf", "%PDF-1.7")
            + &part("name=\"photo\"; filename=\"\"", "")
            + "--XX--\r\n";
        let form = form(&body).unwrap();
        assert_eq!(form.pairs, [("name".into(), "Анна".into()), ("rooms".into(), "2".into())]);
        let plan = json!({"field": "plan", "name": "plan.pdf", "type": "application/pdf", "size": 8, "kept": false});
        assert_eq!(form.files, [plan]);
    }

    #[test]
    fn the_letters_of_a_part_follow_the_part_then_the_form() {
        let mut body = b"--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n".to_vec();
        body.extend(b"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xe1\xce\xce\xc1\r\n");
        body.extend(b"--XX\r\nContent-Disposition: form-data; name=\"city\"\r\n\r\n\xd2\xe2\xe5\xf0\xfc\r\n");
        body.extend(b"--XX\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nwindows-1251\r\n--XX--\r\n");
        let read = super::read(&body, TYPE).unwrap();
        assert_eq!(read.pairs[..2], [("name".into(), "Анна".into()), ("city".into(), "Тверь".into())]);
        let silent =
            b"--XX\r\nContent-Disposition: form-data; name=\"\xe8\xec\xff\"\r\n\r\n\xc0\xed\xed\xe0\r\n--XX--\r\n";
        assert_eq!(super::read(silent, TYPE).unwrap().pairs, [("имя".into(), "Анна".into())]);
    }

    #[test]
    fn a_file_name_that_is_more_than_a_name_is_discarded() {
        for odd in ["../../x", "..\\x", "C:x", ".htaccess", "a\r\nb", "", "a/b"] {
            assert_eq!(plain_name(odd), None, "{odd:?}");
        }
        assert_eq!(plain_name("план дома.pdf"), Some("план дома.pdf"));
    }

    #[test]
    fn a_form_with_too_many_parts_is_too_large() {
        let body = |parts| part("name=\"a\"", "1").repeat(parts) + "--XX--\r\n";
        assert_eq!(form(&body(MOST_PARTS)).unwrap().pairs.len(), MOST_PARTS);
        for parts in [MOST_PARTS + 1, 41_000] {
            assert!(matches!(form(&body(parts)), Err(Refusal::TooLarge(_))));
        }
    }

    #[test]
    fn a_form_without_a_usable_boundary_or_end_is_refused() {
        let body = part("name=\"a\"", "1") + "--XX--\r\n";
        let long = format!("multipart/form-data; boundary={}", "X".repeat(1024));
        for wrong in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", &long]
        {
            assert!(matches!(super::read(body.as_bytes(), wrong), Err(Refusal::Bad(_))), "{wrong}");
        }
        for cut in [4, 8, 10, 30, body.len() - 4] {
            let cut = &body.as_bytes()[..body.len() - cut];
            assert!(matches!(super::read(cut, TYPE), Err(Refusal::Unreadable(_))), "{cut:?}");
        }
    }
}
