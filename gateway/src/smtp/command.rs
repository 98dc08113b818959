//! What does one command line say? The grammar is smtp-proto's; what it lets through and we do not is refused here.

use super::reply::Reply;
use smtp_proto::{Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_SMTPUTF8, MailFrom, RcptTo, Request};
use std::borrow::Cow;

pub(super) const POSTMASTER: &str = "postmaster";

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// What a client calls itself; so in the two that follow.
    Helo(Cow<'a, str>),
    Ehlo(Cow<'a, str>),
    Lhlo(Cow<'a, str>),
    /// An empty sender is nobody: no answer is wanted.
    Mail {
        from: Cow<'a, str>,
        size: usize,
        utf8: bool,
    },
    Rcpt {
        to: Cow<'a, str>,
    },
    Data,
    StartTls,
    Rset,
    Noop,
    Help,
    Vrfy,
    Quit,
    /// Known to the world, and not done here.
    NotOffered,
}

/// Reads a line with its end.
pub(super) fn read(line: &[u8]) -> Result<Command<'_>, Reply> {
    let text = std::str::from_utf8(line).map_err(|_| Reply::CHARACTERS)?;
    let bare = text.strip_suffix("\r\n").unwrap_or(text);
    if bare.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Reply::CHARACTERS);
    }
    if is_for_postmaster(bare) {
        return Ok(Command::Rcpt { to: Cow::Borrowed(POSTMASTER) });
    }
    let request = Request::parse(&mut line.iter()).map_err(|error| reply(&error))?;
    let alone = |word: &str| bare.trim().eq_ignore_ascii_case(word);
    Ok(match request {
        // What changes how the bytes that follow are read must not be doubtful itself.
        Request::Data if !alone("DATA") => return Err(Reply::SYNTAX),
        Request::StartTls if !alone("STARTTLS") => return Err(Reply::SYNTAX),
        Request::Helo { host } => Command::Helo(host),
        Request::Ehlo { host } => Command::Ehlo(host),
        Request::Lhlo { host } => Command::Lhlo(host),
        Request::Mail { from } => mail(from)?,
        Request::Rcpt { to } => rcpt(to)?,
        Request::Data => Command::Data,
        Request::StartTls => Command::StartTls,
        Request::Rset => Command::Rset,
        Request::Noop { .. } => Command::Noop,
        Request::Help { .. } => Command::Help,
        Request::Vrfy { .. } => Command::Vrfy,
        Request::Quit => Command::Quit,
        _ => Command::NotOffered,
    })
}

/// The one recipient that needs no domain, in whatever case (RFC 5321 4.1.1.3); the grammar we use asks each for one.
fn is_for_postmaster(line: &str) -> bool {
    let Some((command, path)) = line.split_once(':') else { return false };
    let path = path.trim().strip_prefix('<').and_then(|path| path.strip_suffix('>'));
    command.trim_end().eq_ignore_ascii_case("rcpt to") && path.is_some_and(|path| path.eq_ignore_ascii_case(POSTMASTER))
}

fn reply(error: &Error) -> Reply {
    match error {
        Error::UnknownCommand => Reply::UNKNOWN,
        Error::InvalidSenderAddress | Error::InvalidRecipientAddress => Reply::ADDRESS,
        Error::UnsupportedParameter { .. } => Reply::PARAMETER,
        _ => Reply::SYNTAX,
    }
}

/// smtp-proto knows the parameters of every extension; only those we announce may be used.
fn mail(from: MailFrom<Cow<'_, str>>) -> Result<Command<'_>, Reply> {
    const OFFERED: u64 = MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_SMTPUTF8;
    let plain = MailFrom { address: Cow::Borrowed(""), flags: 0, size: 0, ..from.clone() };
    if from.flags & !OFFERED != 0 || plain != MailFrom::default() {
        return Err(Reply::PARAMETER);
    }
    let utf8 = from.flags & MAIL_SMTPUTF8 != 0;
    if !utf8 && !from.address.is_ascii() {
        return Err(Reply::NEEDS_UTF8);
    }
    Ok(Command::Mail { from: from.address, size: from.size, utf8 })
}

fn rcpt(to: RcptTo<Cow<'_, str>>) -> Result<Command<'_>, Reply> {
    let plain = RcptTo { address: Cow::Borrowed(""), ..to.clone() };
    if plain != RcptTo::default() {
        return Err(Reply::PARAMETER);
    }
    Ok(Command::Rcpt { to: to.address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(line: &str) -> Result<Command<'static>, u16> {
        let text = format!("{line}\r\n").leak();
        read(text.as_bytes()).map_err(|reply| reply.code)
    }

    fn mail(from: &str, size: usize, utf8: bool) -> Result<Command<'static>, u16> {
        Ok(Command::Mail { from: from.to_owned().into(), size, utf8 })
    }

    #[test]
    fn an_envelope_is_read_as_real_servers_write_it() {
        for (line, expected) in [
            ("MAIL FROM:<a@x.example>", mail("a@x.example", 0, false)),
            ("mail from:<a@x.example>", mail("a@x.example", 0, false)),
            ("MAIL FROM: <a@x.example>", mail("a@x.example", 0, false)),
            ("MAIL FROM:<>", mail("", 0, false)),
            ("MAIL FROM:<a@x.example> SIZE=1234 BODY=8BITMIME", mail("a@x.example", 1234, false)),
            ("MAIL FROM:<a@x.example> BODY=7BIT", mail("a@x.example", 0, false)),
            ("MAIL FROM:<анна@пример.рф> SMTPUTF8", mail("анна@пример.рф", 0, true)),
            ("MAIL FROM:<@hop.example:a@x.example>", mail("a@x.example", 0, false)),
        ] {
            assert_eq!(read_one(line), expected, "{line}");
        }
        assert_eq!(read_one("RCPT TO:<B@Y.example>"), Ok(Command::Rcpt { to: "B@Y.example".into() }));
        for line in ["RCPT TO:<postmaster>", "rcpt to:<PostMaster>", "RCPT TO: <POSTMASTER> "] {
            assert_eq!(read_one(line), Ok(Command::Rcpt { to: "postmaster".into() }), "{line}");
        }
        assert_eq!(read_one("RCPT TO:<анна@пример.рф>"), Ok(Command::Rcpt { to: "анна@пример.рф".into() }));
    }

    #[test]
    fn what_was_not_offered_is_refused() {
        for (line, code) in [
            ("MAIL FROM:<a@x.example> BODY=BINARYMIME", 555),
            ("MAIL FROM:<a@x.example> RET=HDRS", 555),
            ("MAIL FROM:<a@x.example> ENVID=QQ314159", 555),
            ("MAIL FROM:<a@x.example> AUTH=<>", 555),
            ("MAIL FROM:<a@x.example> HOLDFOR=100", 555),
            ("MAIL FROM:<a@x.example> NONSENSE=1", 555),
            ("RCPT TO:<b@y.example> NOTIFY=NEVER", 555),
            ("RCPT TO:<b@y.example> ORCPT=rfc822;b@y.example", 555),
            ("MAIL FROM:<анна@пример.рф>", 553),
            ("MAIL FROM:<a@x.example> SIZE=", 501),
            ("MAIL FROM:<a@x.example> SIZE=large", 501),
            ("MAIL FROM:<a@x.example> SIZE=99999999999999999999", 501),
            ("MAIL FROM:<a@x.example> BODY=9BIT", 501),
            ("MAIL FROM:a@x.example", 501),
            ("MAIL FROM", 501),
            ("MAIL", 501),
            ("MAIL TO:<a@x.example>", 501),
            ("RCPT TO:b@y.example", 501),
            ("RCPT TO:<b>", 501),
            ("RCPT TO:<postmaster> NOTIFY=NEVER", 555),
            ("RCPT TO:postmaster", 501),
            ("RCPT TO:<@y.example>", 501),
            ("EHLO", 501),
            ("DATA now", 501),
            ("STARTTLS now", 501),
            ("FROB", 500),
            ("", 500),
            ("GET / HTTP/1.1", 500),
            ("M\rAIL FROM:<a@x.example>", 501),
            ("NOOP \u{0}", 501),
            ("RCPT TO:<b\u{1b}[2J@y.example>", 501),
        ] {
            assert_eq!(read_one(line), Err(code), "{line:?}");
        }
        assert_eq!(read(b"NOOP \xff\r\n").unwrap_err().code, 501);
    }

    #[test]
    fn what_needs_no_arguments_takes_any() {
        for (line, expected) in [
            ("DATA", Command::Data),
            ("data", Command::Data),
            ("QUIT", Command::Quit),
            ("RSET", Command::Rset),
            ("NOOP whatever", Command::Noop),
            ("HELP", Command::Help),
            ("VRFY sales", Command::Vrfy),
            ("STARTTLS", Command::StartTls),
            ("AUTH PLAIN AGEAYg==", Command::NotOffered),
            ("BDAT 10 LAST", Command::NotOffered),
            ("EXPN all", Command::NotOffered),
            ("ETRN x.example", Command::NotOffered),
        ] {
            assert_eq!(read_one(line), Ok(expected), "{line}");
        }
    }
}
