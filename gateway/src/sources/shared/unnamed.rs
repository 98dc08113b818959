//! Which letters does a mail have that does not say so? UTF-8 where it is that, else those of old Russian mailers,
//! windows-1251. Only for what could not be read by what the mail says of itself.

use super::posted::text as letters;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, MessagePart};
use memchr::memmem;
use std::borrow::Cow;

/// A mail whose head has letters that are no UTF-8, with those it was meant to have (RFC 6532 allows nothing else there).
pub(crate) fn head(raw: &[u8]) -> Cow<'_, [u8]> {
    let end = memmem::find(raw, b"\r\n\r\n").or_else(|| memmem::find(raw, b"\n\n"));
    let (head, body) = raw.split_at(end.unwrap_or(raw.len()));
    if std::str::from_utf8(head).is_ok() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned([letters(head, None).as_bytes(), body].concat())
}

/// The text of a part, where the parser has made of it letters that say nothing.
pub(crate) fn text<'a>(read: &'a str, part: &MessagePart<'_>, raw: &[u8]) -> Cow<'a, str> {
    let told = part.offset_body as usize..part.offset_end as usize;
    let Some(body) = raw.get(told).filter(|_| read.contains('\u{fffd}')) else { return Cow::Borrowed(read) };
    let bytes = match part.encoding {
        Encoding::None => Some(Cow::Borrowed(body)),
        Encoding::QuotedPrintable => quoted_printable_decode(body).map(Cow::Owned),
        Encoding::Base64 => base64_decode(body).map(Cow::Owned),
    };
    bytes.map_or(Cow::Borrowed(read), |bytes| Cow::Owned(letters(&bytes, None).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, PartType};

    /// «Добрый день» in windows-1251.
    const HELLO: &[u8] = b"\xc4\xee\xe1\xf0\xfb\xe9 \xe4\xe5\xed\xfc";

    #[test]
    fn a_head_in_no_letters_is_read_as_an_old_mailer_wrote_it() {
        let raw = [b"From: ", HELLO, b" <a@b.example>\r\n\r\n", HELLO].concat();
        let expected = [b"From: ", "Добрый день".as_bytes(), b" <a@b.example>\r\n\r\n", HELLO].concat();
        assert_eq!(head(&raw), expected);
        for same in ["From: Анна <a@b.example>\r\n\r\n\u{fffd}".as_bytes(), b"Subject: x\n\n\xc4", b""] {
            assert!(matches!(head(same), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_text_in_unnamed_letters_is_decoded_whatever_carries_it() {
        let (quoted, coded) = (b"=C4=EE=E1=F0=FB=E9 =E4=E5=ED=FC".as_slice(), b"xO7h8Pvp IOTl7fw=".as_slice());
        for (head, body) in [
            ("Subject: a\r\n\r\n", HELLO),
            ("Content-Type: text/plain\r\n\r\n", HELLO),
            ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", HELLO),
            ("Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", quoted),
            ("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n", coded),
        ] {
            let raw = [head.as_bytes(), body].concat();
            let message = MessageParser::default().parse(&raw).unwrap();
            let PartType::Text(read) = &message.parts[0].body else { panic!("{head}") };
            assert_eq!(text(read, &message.parts[0], &raw), "Добрый день", "{head}");
        }
    }

    #[test]
    fn what_could_be_read_stays_as_it_was() {
        let raw = b"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4";
        let message = MessageParser::default().parse(raw).unwrap();
        let PartType::Text(read) = &message.parts[0].body else { panic!() };
        assert_eq!(text(read, &message.parts[0], raw), "Привет");
    }
}
