//! What of a large mail has to be read? Its heads, and of each part what somebody will see: of an attachment only how
//! large it is. What is left out is neither copied nor decoded.
//!
//! A mail is cut before the lines that begin with `--`, as boundaries do. Where another line begins so, a part is looked
//! at in pieces and a little more of it is kept.

use crate::room;
use memchr::memmem;
use std::borrow::Cow;
use std::ops::Range;

/// A mail up to here is read as it is.
const SMALL: usize = 512 << 10;
/// Kept of a part that is text: far more than is shown of it, in whatever way it is encoded.
const TEXT: usize = 1 << 20;
/// Kept of any other part, behind its head.
const OTHER: usize = 4 << 10;
/// Kept of all together.
const ALL: usize = 8 << 20;
/// Pieces looked at: far more than a mail has parts, and lines that begin so in a letter.
const MOST_PIECES: usize = 10_000;
/// A part's head, at most.
const HEAD: usize = 64 << 10;

/// A mail as it is read.
#[derive(Debug)]
pub(crate) struct Excerpt<'a> {
    pub bytes: Cow<'a, [u8]>,
    gaps: Vec<Gap>,
    /// What comes behind was not looked at.
    pub ends_early: bool,
}

/// Something left out.
#[derive(Debug)]
struct Gap {
    /// Where it would stand in the excerpt.
    at: usize,
    bytes: usize,
    /// Those of them that are letters of base64.
    letters: usize,
}

impl<'a> Excerpt<'a> {
    pub(crate) fn of(raw: &'a [u8]) -> Self {
        if raw.len() <= SMALL {
            return Self { bytes: Cow::Borrowed(raw), gaps: Vec::new(), ends_early: false };
        }
        let (mut kept, mut gaps, mut rest) = (room::of(ALL + TEXT), Vec::new(), raw);
        for _ in 0..MOST_PIECES {
            if rest.is_empty() || kept.len() >= ALL {
                break;
            }
            let (piece, after) = rest.split_at(piece(rest));
            rest = after;
            let wanted = wanted(piece);
            kept.extend_from_slice(&piece[..wanted]);
            if wanted < piece.len() {
                let (left, end) = piece[wanted..].split_at(without_end(&piece[wanted..], kept.last()));
                let letters = left.iter().filter(|byte| is_letter(**byte)).count();
                gaps.push(Gap { at: kept.len(), bytes: left.len(), letters });
                kept.extend_from_slice(end);
            }
        }
        Self { bytes: Cow::Owned(kept), gaps, ends_early: !rest.is_empty() }
    }

    /// Nothing was left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.is_empty() && !self.ends_early
    }

    /// How many bytes of a part are not here, encoded as they were.
    pub(crate) fn missing(&self, part: &Range<usize>) -> usize {
        self.gaps_in(part).map(|gap| gap.bytes).sum()
    }

    /// The same of a part in base64, decoded.
    pub(crate) fn missing_in_base64(&self, part: &Range<usize>) -> usize {
        self.gaps_in(part).map(|gap| gap.letters).sum::<usize>() * 3 / 4
    }

    fn gaps_in(&self, part: &Range<usize>) -> impl Iterator<Item = &Gap> {
        // The end of a part is before the last line break, a gap behind it.
        self.gaps.iter().filter(|gap| (part.start..=part.end + 2).contains(&gap.at))
    }
}

/// Up to the next line that begins with `--`; one at the beginning is not the next.
fn piece(rest: &[u8]) -> usize {
    memmem::find(&rest[1..], b"\n--").map_or(rest.len(), |at| at + 2)
}

/// How much of a piece is kept: up to the end of a line, where one is near.
fn wanted(piece: &[u8]) -> usize {
    let head = head(piece);
    let most = head.len() + if is_text(head) { TEXT } else { OTHER };
    if piece.len() <= most + OTHER {
        return piece.len();
    }
    let line = piece[head.len()..most].iter().rposition(|byte| *byte == b'\n');
    line.map_or(most, |at| head.len() + at + 1)
}

/// What is left of a line that was cut keeps its end, so that a boundary still begins a line.
fn without_end(left: &[u8], kept: Option<&u8>) -> usize {
    let line = left.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    line.filter(|_| kept != Some(&b'\n')).map_or(left.len(), <[u8]>::len)
}

/// Up to the first empty line.
fn head(piece: &[u8]) -> &[u8] {
    let start = &piece[..piece.len().min(HEAD)];
    let end = |mark: &[u8]| memmem::find(start, mark).map(|at| at + mark.len());
    let end = [end(b"\n\r\n"), end(b"\n\n")].into_iter().flatten().min();
    &start[..end.unwrap_or(0)]
}

/// Whether the part may hold words, or other parts. One that says nothing of itself is text.
fn is_text(head: &[u8]) -> bool {
    const NAME: &[u8] = b"content-type:";
    let line = head.split_inclusive(|byte| *byte == b'\n').scan(0, |at, line| {
        *at += line.len();
        Some((*at - line.len(), line))
    });
    let mut named = line.filter(|(_, line)| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
    let Some((at, _)) = named.next() else { return true };
    let value = head[at + NAME.len()..].trim_ascii_start();
    let begins = |kind: &str| value.get(..kind.len()).is_some_and(|said| said.eq_ignore_ascii_case(kind.as_bytes()));
    ["text/", "multipart/", "message/"].into_iter().any(begins)
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64_MIME;

    const MIB: usize = 1 << 20;

    fn mail(parts: &[(&str, String)]) -> Vec<u8> {
        let mut mail = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        for (head, body) in parts {
            mail.extend(["--b\r\n", head, "\r\n\r\n", body.trim_end(), "\r\n"]);
        }
        (mail + "--b--\r\n").into_bytes()
    }

    fn base64(bytes: usize) -> String {
        BASE64_MIME.encode(&vec![b'x'; bytes])
    }

    #[test]
    fn a_small_mail_is_read_as_it_is() {
        let raw = mail(&[("Content-Type: image/png", "x".repeat(SMALL / 2))]);
        assert!(matches!(Excerpt::of(&raw).bytes, Cow::Borrowed(bytes) if bytes == raw));
    }

    #[test]
    fn what_is_left_out_of_an_attachment_is_measured() {
        for size in [3 * MIB, 3 * MIB + 1, 3 * MIB + 2] {
            let pdf = "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64";
            let parts =
                [("Content-Type: text/plain", "hello".to_owned()), (pdf, base64(size)), ("X-A: b", "bye".to_owned())];
            let raw = mail(&parts);
            let excerpt = Excerpt::of(&raw);
            assert!(excerpt.bytes.len() < 3 * OTHER && !excerpt.ends_early, "{}", excerpt.bytes.len());
            let message = mail_parser::MessageParser::default().parse(&*excerpt.bytes).unwrap();
            assert_eq!((message.body_text(0), message.body_text(1)), (Some("hello".into()), Some("bye".into())));
            let part = message.attachments().find(|part| part.is_binary()).unwrap();
            let range = part.offset_body as usize..part.offset_end as usize;
            assert_eq!(part.len() + excerpt.missing_in_base64(&range), size);
            assert_eq!(excerpt.bytes.len() + excerpt.missing(&(0..raw.len())), raw.len());
        }
    }

    #[test]
    fn the_beginning_of_every_text_is_there() {
        let parts = ["text/plain", "TEXT/html", "message/rfc822", "\r\n text/plain"]
            .map(|kind| (format!("Content-Type: {kind}"), "0123456789\r\n".repeat(2 * MIB / 12)));
        let raw = mail(&parts.each_ref().map(|(head, body)| (head.as_str(), body.clone())));
        let excerpt = Excerpt::of(&raw);
        assert!((4 * TEXT - 1_000..4 * TEXT + 1_000).contains(&excerpt.bytes.len()), "{}", excerpt.bytes.len());
        assert_eq!((excerpt.gaps.len(), excerpt.ends_early), (4, false));
    }

    #[test]
    fn no_mail_makes_a_long_excerpt() {
        let text = ("Content-Type: text/plain", "x\r\n".repeat(MIB / 3));
        for raw in [
            b"--x\r\n".repeat(MIB),
            [vec![b'x'; 25 * MIB], b"\r\n".to_vec()].concat(),
            vec![b'\n'; 25 * MIB],
            mail(&vec![text; 25]),
            mail(&vec![("Content-Type: image/png", "x".repeat(100_000)); 250]),
        ] {
            let excerpt = Excerpt::of(&raw);
            assert!(excerpt.bytes.len() <= ALL + TEXT + HEAD, "{}", excerpt.bytes.len());
            assert_eq!(excerpt.bytes.last(), Some(&b'\n'), "lines stay whole");
        }
        assert!(Excerpt::of(&b"--x\r\n".repeat(MIB)).ends_early);
    }
}
