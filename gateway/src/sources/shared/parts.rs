//! Where are the parts of a multipart form (RFC 7578, RFC 2046 5.1)? In the body itself: nothing is copied, because a mail
//! of many megabytes is posted like this too.

use super::posted::text as letters;
use memchr::memmem::{self, Finder};
use std::borrow::Cow;

/// RFC 2046, 5.1.1.
const LONGEST_BOUNDARY: usize = 70;
/// The lines above one value.
const LONGEST_HEAD: usize = 16 << 10;

/// The body ends in the middle, or has something else where a boundary or a head should be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// One field of the form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub name: String,
    pub what: What,
    pub content_type: Option<&'a str>,
    pub value: &'a [u8],
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    Value,
    File(String),
}

/// The parts in their order; the first mistake is the last.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// Behind a boundary. None: there is no more.
    rest: Option<&'a [u8]>,
    end: Finder<'static>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(body: &'a [u8], boundary: &str) -> Result<Self, Broken> {
        let delimiter = format!("--{boundary}");
        let start = memmem::find(body, delimiter.as_bytes()).ok_or(Broken)?;
        let end = Finder::new(&format!("\r\n{delimiter}")).into_owned();
        Ok(Self { rest: Some(&body[start + delimiter.len()..]), end })
    }

    fn part(&mut self, rest: &'a [u8]) -> Result<Part<'a>, Broken> {
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = rest[padding..].strip_prefix(b"\r\n").ok_or(Broken)?;
        let (head, rest) = match rest.strip_prefix(b"\r\n") {
            Some(rest) => (&rest[..0], rest),
            None => {
                let end = memmem::find(&rest[..rest.len().min(LONGEST_HEAD)], b"\r\n\r\n").ok_or(Broken)?;
                (&rest[..end], &rest[end + 4..])
            }
        };
        let end = self.end.find(rest).ok_or(Broken)?;
        self.rest = Some(&rest[end + self.end.needle().len()..]);
        described(head, &rest[..end])
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take().filter(|rest| !rest.starts_with(b"--"))?;
        let part = self.part(rest);
        if part.is_err() {
            self.rest = None;
        }
        Some(part)
    }
}

/// The boundary that a Content-Type names.
pub(crate) fn boundary(content_type: &str) -> Option<Cow<'_, str>> {
    parameter(content_type, "boundary").filter(|boundary| boundary.len() <= LONGEST_BOUNDARY && !boundary.is_empty())
}

fn described<'a>(head: &'a [u8], value: &'a [u8]) -> Result<Part<'a>, Broken> {
    let (mut disposition, mut content_type) = (Cow::Borrowed(""), None);
    for line in head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Broken)?;
        let (name, text) = (&line[..colon], line[colon + 1..].trim_ascii());
        let odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) || text.iter().any(odd) {
            return Err(Broken);
        }
        if name.eq_ignore_ascii_case(b"content-disposition") {
            disposition = letters(text, None);
        } else if name.eq_ignore_ascii_case(b"content-type") {
            content_type = std::str::from_utf8(text).ok();
        }
    }
    let said = |name| parameter(&disposition, name);
    // Whoever writes only the extended name of RFC 5987, which forms should not, still sends a file.
    let file = said("filename").or_else(|| said("filename*").map(|_| Cow::Borrowed("")));
    let what = file.map_or(What::Value, |name| What::File(name.into_owned()));
    Ok(Part { name: said("name").unwrap_or_default().into_owned(), what, content_type, value })
}

/// `form-data; name="a;b"; filename=c` and `text/plain; charset=utf-8`. Browsers write a quotation mark as `%22`, others
/// as `\"`; any other backslash is part of a path.
pub(crate) fn parameter<'a>(header: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let mut rest = header;
    loop {
        rest = rest.split_once(';')?.1;
        let (name, after) = rest.split_once('=')?;
        if name.contains(';') {
            continue;
        }
        let (value, after) = value(after.trim_start());
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// A value and what comes behind it.
fn value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (Cow::Borrowed(text[..end].trim_end()), &text[end..]);
    };
    let ends = |(at, _): &(usize, &str)| !quoted[..*at].ends_with('\\');
    let end = quoted.match_indices('"').find(ends).map_or(quoted.len(), |(at, _)| at);
    let (value, after) = (&quoted[..end], quoted.get(end + 1..).unwrap_or_default());
    if value.contains("\\\"") {
        (Cow::Owned(value.replace("\\\"", "\"")), after)
    } else {
        (Cow::Borrowed(value), after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> Result<Vec<Part<'_>>, Broken> {
        Parts::of(body.as_bytes(), "XX")?.collect()
    }

    fn one(head: &str) -> (String, Option<String>) {
        let body = format!("--XX\r\n{head}\r\n\r\nv\r\n--XX--");
        let part = parts(&body).unwrap().remove(0);
        let file = if let What::File(name) = part.what { Some(name) } else { None };
        (part.name, file)
    }

    #[test]
    fn a_value_is_what_stands_between_two_boundaries() {
        for (body, values) in [
            ("--XX\r\nA: b\r\n\r\nv\r\n--XX--", &["v"][..]),
            ("--XX\r\nA: b\r\n\r\n\r\n--XX\r\nA: b\r\n\r\na\r\n\r\n--XX--\r\n", &["", "a\r\n"]),
            ("before\r\n--XX \t\r\nA: b\r\n\r\n--X\r\n-XX\r\n--XX--after\r\n--XX", &["--X\r\n-XX"]),
            ("--XX\r\n\r\nno head\r\n--XX--", &["no head"]),
            ("--XX--", &[]),
        ] {
            let found = parts(body).unwrap();
            assert_eq!(
                found.iter().map(|part| std::str::from_utf8(part.value).unwrap()).collect::<Vec<_>>(),
                values,
                "{body:?}"
            );
        }
    }

    #[test]
    fn what_ends_in_the_middle_is_broken() {
        let whole = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--XX--";
        assert!(parts(whole).is_ok());
        for end in 0..whole.len() {
            assert_eq!(parts(&whole[..end]), Err(Broken), "{:?}", &whole[..end]);
        }
        let control = "--XX\r\nA: b\u{0}\r\n\r\nv\r\n--XX--";
        for odd in [
            control,
            "--XX\r\nno colon\r\n\r\nv\r\n--XX--",
            "--XX\r\n: x\r\n\r\nv\r\n--XX--",
            "--XXA: b\r\n\r\nv\r\n--XX--",
        ] {
            assert_eq!(parts(odd), Err(Broken), "{odd:?}");
        }
        let long = format!("--XX\r\nA: {}\r\n\r\nv\r\n--XX--", "x".repeat(LONGEST_HEAD));
        assert_eq!(parts(&long), Err(Broken));
    }

    #[test]
    fn names_are_read_however_they_are_written() {
        let name = |name: &str| (name.to_owned(), None);
        let file = |name: &str, file: &str| (name.to_owned(), Some(file.to_owned()));
        for (said, expected) in [
            ("form-data; name=\"a\"", name("a")),
            ("form-data;name = a ", name("a")),
            ("form-data; NAME=\"имя\"", name("имя")),
            ("form-data; name=\"a;b=c\"; filename=\"d;e\"", file("a;b=c", "d;e")),
            ("form-data; filename=d; name=a", file("a", "d")),
            ("form-data; name=\"my\\\"field\"", name("my\"field")),
            ("form-data; name=\"a\"; filename=\"\"", file("a", "")),
            ("form-data; name=\"a\"; filename=\"C:\\plan.pdf\"", file("a", "C:\\plan.pdf")),
            ("form-data; name=\"a\"; filename*=utf-8''%D0%B0.pdf", file("a", "")),
            ("form-data; xname=\"b\"; name=\"a\"", name("a")),
            ("form-data; name=\"unfinished", name("unfinished")),
            ("form-data; name", name("")),
            ("", name("")),
        ] {
            assert_eq!(one(&format!("Content-Disposition: {said}")), expected, "{said}");
        }
    }

    #[test]
    fn names_that_are_no_utf_8_are_in_the_letters_of_old_russian_pages() {
        let head =
            b"--XX\r\nContent-Disposition: form-data; name=\"\xe8\xec\xff\"; filename=\"\xef\xeb\xe0\xed.pdf\"\r\n\r\nv\r\n--XX--";
        let part = Parts::of(head, "XX").unwrap().next().unwrap().unwrap();
        assert_eq!((part.name.as_str(), part.what), ("имя", What::File("план.pdf".to_owned())));
    }

    #[test]
    fn a_boundary_has_a_length() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=XX", Some("XX")),
            ("multipart/form-data; charset=utf-8; Boundary=\"X X\"", Some("X X")),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "X".repeat(71))), None);
    }
}
