//! Which fields and files does a multipart form hold? The whole body is in memory already, so nothing here waits.
//!
//! Files are not kept: of each the form's field, its name if it is only a name, its media type and its size go into
//! the attributes.

use super::fields::{MOST_FIELDS, Pairs};
use super::urlencoded::{known_charset, path};
use super::{Refusal, media_type};
use crate::room::{self, LARGE};
use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use futures_util::FutureExt;
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::convert::Infallible;

/// Parts of one form, files included.
const MOST_PARTS: usize = 50;
/// RFC 2046, 5.1.1.
const LONGEST_BOUNDARY: usize = 70;
/// Bytes of one value that is no file.
const LONGEST_VALUE: usize = 256 * 1024;
/// Read at a time.
const PIECE: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Form {
    pub pairs: Pairs<'static>,
    pub files: Vec<Value>,
}

/// The parts as they came: name, charset and bytes of each that is no file.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub values: Vec<(String, Option<&'static Encoding>, Bytes)>,
    pub files: Vec<Value>,
}

/// A form that a page posted.
pub(super) fn read(body: &Bytes, content_type: &str) -> Result<Form, Refusal> {
    let parts = parts(body, content_type, Most { parts: MOST_PARTS, value: LONGEST_VALUE, body: body.len() })?;
    Ok(Form { pairs: decode(parts.values), files: parts.files })
}

/// A mail that a provider posts: with every header a part of its own, or whole in one.
pub(super) fn mail(body: &Bytes, content_type: &str) -> Result<Parts, Refusal> {
    parts(body, content_type, Most { parts: MOST_FIELDS, value: usize::MAX, body: body.len() })
}

#[derive(Copy, Clone)]
struct Most {
    parts: usize,
    value: usize,
    /// No value is longer than all.
    body: usize,
}

fn parts(body: &Bytes, content_type: &str, most: Most) -> Result<Parts, Refusal> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| Refusal::Bad("the form has no boundary"))?;
    if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
        return Err(Refusal::Bad("the form's boundary is empty or too long"));
    }
    let body = body.clone();
    let size = SizeLimit::new().whole_stream(body.len() as u64).per_field(body.len() as u64);
    let pieces = (0..body.len()).step_by(PIECE).map(move |at| body.slice(at..body.len().min(at + PIECE)));
    let pieces = futures_util::stream::iter(pieces.map(Ok::<_, Infallible>));
    let form = Multipart::with_constraints(pieces, boundary, Constraints::new().size_limit(size));
    collect(form, most).now_or_never().unwrap_or(Err(Refusal::Unreadable(BROKEN)))
}

const BROKEN: &str = "the multipart form is broken";

async fn collect(mut form: Multipart<'_>, most: Most) -> Result<Parts, Refusal> {
    let mut parts = Parts::default();
    for count in 0.. {
        let Some(field) = form.next_field().await.map_err(|_| Refusal::Unreadable(BROKEN))? else { break };
        if count == most.parts {
            return Err(Refusal::TooLarge("the form has too many parts"));
        }
        if field.file_name().is_some() {
            parts.files.extend(file(field).await?);
            continue;
        }
        let name = field.name().unwrap_or_default().to_owned();
        let charset = field.content_type().and_then(|kind| known_charset(kind.get_param("charset")?.as_str()));
        let value = value(field, most.body).await?;
        if value.len() > most.value {
            return Err(Refusal::TooLarge("a field of the form is too long"));
        }
        parts.values.push((name, charset, value));
    }
    Ok(parts)
}

/// The bytes of a value. Most come in one piece; for others a place is set aside once.
async fn value(mut field: Field<'_>, room: usize) -> Result<Bytes, Refusal> {
    let first = piece(&mut field).await?.unwrap_or_default();
    let Some(second) = piece(&mut field).await? else { return Ok(first) };
    let mut whole = room::of(room);
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(next) = piece(&mut field).await? {
        whole.extend_from_slice(&next);
    }
    if whole.len() <= LARGE {
        whole.shrink_to_fit();
    }
    Ok(whole.into())
}

async fn piece(field: &mut Field<'_>) -> Result<Option<Bytes>, Refusal> {
    field.chunk().await.map_err(|_| Refusal::Unreadable(BROKEN))
}

/// A part's own charset, else that of the form's `_charset_` field, else UTF-8.
fn decode(raw: Vec<(String, Option<&'static Encoding>, Bytes)>) -> Pairs<'static> {
    let common = raw.iter().find(|(name, ..)| name == "_charset_");
    let common = common.and_then(|(_, _, label)| Encoding::for_label(label)).unwrap_or(UTF_8);
    let text = |own: Option<&'static Encoding>, value: &[u8]| {
        own.unwrap_or(common).decode_without_bom_handling(value).0.into_owned()
    };
    raw.into_iter()
        .map(|(name, own, value)| (Cow::Owned(path(Cow::Owned(name)).into_owned()), Cow::Owned(text(own, &value))))
        .collect()
}

/// An empty file field is a field nobody filled.
async fn file(mut field: Field<'_>) -> Result<Option<Value>, Refusal> {
    let said = field.file_name().and_then(plain_name).map(str::to_owned);
    let of = field.name().unwrap_or_default().to_owned();
    let kind = field.content_type().map(|kind| media_type(kind.as_ref()).to_owned());
    let mut size = 0;
    while let Some(next) = piece(&mut field).await? {
        size += next.len();
    }
    if size == 0 {
        return Ok(None);
    }
    Ok(Some(describe_file(&of, said.as_deref(), kind.as_deref(), size)))
}

/// How a file that was not kept is told of in the attributes.
pub(super) fn describe_file(field: &str, name: Option<&str>, kind: Option<&str>, size: usize) -> Value {
    json!({"field": field, "name": name, "type": kind, "size": size, "kept": false})
}

/// A name that is only a name: no folders, no control characters, no tricks with dots.
pub(super) fn plain_name(name: &str) -> Option<&str> {
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

    fn form(body: String) -> Result<Form, Refusal> {
        super::read(&Bytes::from(body), TYPE)
    }

    #[test]
    fn fields_are_read_in_order_and_files_are_only_told_of() {
        let body = part("name=\"name\"", "Анна")
            + &part("name=\"rooms[]\"", "2")
            + &part("name=\"plan\"; filename=\"plan.pdf\"\r\nContent-Type: application/pdf", "%PDF-1.7")
            + &part("name=\"photo\"; filename=\"\"", "")
            + "--XX--\r\n";
        let form = form(body).unwrap();
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
        let read = super::read(&Bytes::from(body), TYPE).unwrap();
        assert_eq!(read.pairs[..2], [("name".into(), "Анна".into()), ("city".into(), "Тверь".into())]);
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
        assert_eq!(form(body(MOST_PARTS)).unwrap().pairs.len(), MOST_PARTS);
        for parts in [MOST_PARTS + 1, 41_000] {
            assert!(matches!(form(body(parts)), Err(Refusal::TooLarge(_))));
        }
    }

    #[test]
    fn a_form_without_a_usable_boundary_or_end_is_refused() {
        let body = Bytes::from(part("name=\"a\"", "1") + "--XX--\r\n");
        let long = format!("multipart/form-data; boundary={}", "X".repeat(1024));
        for wrong in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", &long]
        {
            assert!(matches!(super::read(&body, wrong), Err(Refusal::Bad(_))), "{wrong}");
        }
        for cut in [4, 8, 10, 30, body.len() - 4] {
            let cut = body.slice(..body.len() - cut);
            assert!(matches!(super::read(&cut, TYPE), Err(Refusal::Unreadable(_))), "{cut:?}");
        }
    }
}
