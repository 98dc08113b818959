//! What do we say to a mail server? Every answer, with its enhanced code (RFC 3463). None repeats what was sent.

use crate::problem::Refused;
use bytes::BytesMut;
use std::borrow::Cow;

/// One answer; lines of a longer one are separated by line feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    text: Cow<'static, str>,
}

impl Reply {
    pub const OK: Self = Self::new(250, "2.0.0 ok");
    pub const SENDER: Self = Self::new(250, "2.1.0 ok");
    pub const RECIPIENT: Self = Self::new(250, "2.1.5 ok");
    pub const GO_ON: Self = Self::new(354, "end with a dot alone on a line");
    pub const STORED: Self = Self::new(250, "2.6.0 stored");
    pub const SECURE: Self = Self::new(220, "2.0.0 go ahead");
    pub const BYE: Self = Self::new(221, "2.0.0 bye");
    pub const PERHAPS: Self = Self::new(252, "2.1.5 send it and see");
    pub const HELP: Self = Self::new(214, "2.0.0 this takes mail for the mailboxes of leadgate");

    pub const FULL: Self = Self::new(421, "4.3.2 too many connections, come back");
    pub const STOPPING: Self = Self::new(421, "4.3.2 this server stops, come back");
    pub const SLOW: Self = Self::new(421, "4.4.2 waited too long");
    pub const COMMANDS: Self = Self::new(421, "4.7.0 too many commands, connect again");
    pub const MISTAKES: Self = Self::new(421, "4.7.0 too many mistakes");

    pub const UNKNOWN: Self = Self::new(500, "5.5.1 this command is not known here");
    pub const LONG: Self = Self::new(500, "5.5.6 the line is too long");
    pub const SYNTAX: Self = Self::new(501, "5.5.4 the command cannot be read");
    pub const CHARACTERS: Self = Self::new(501, "5.5.2 a command is UTF-8 without control characters");
    pub const ADDRESS: Self = Self::new(501, "5.1.3 the address cannot be read");
    pub const NOT_OFFERED: Self = Self::new(502, "5.5.1 this is not offered");
    pub const HELLO_FIRST: Self = Self::new(503, "5.5.1 say hello first");
    pub const SENDER_FIRST: Self = Self::new(503, "5.5.1 name the sender first");
    pub const RECIPIENT_FIRST: Self = Self::new(503, "5.5.1 name a recipient first");
    pub const SENDER_TWICE: Self = Self::new(503, "5.5.1 one mail after the other");
    pub const SECURE_TWICE: Self = Self::new(503, "5.5.1 this is encrypted already");
    pub const NEEDS_UTF8: Self = Self::new(553, "5.6.7 such an address needs SMTPUTF8");
    pub const PARAMETER: Self = Self::new(555, "5.5.4 this parameter is not offered");

    pub const RECIPIENTS: Self = Self::new(452, "4.5.3 too many recipients, send the rest in another mail");
    pub const TOO_LARGE: Self = Self::new(552, "5.3.4 the mail is larger than this server takes");
    /// Lines end with CR LF. What two servers could cut at different places is not taken at all.
    pub const BARE: Self = Self::new(550, "5.5.2 a line feed without its carriage return");
    pub const EARLY: Self = Self::new(550, "5.5.0 the mail was sent before it was asked for");

    pub const fn new(code: u16, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    pub fn of_lines(code: u16, lines: &[String]) -> Self {
        Self { code, text: Cow::Owned(lines.join("\n")) }
    }

    /// How a refusal of the gateway sounds here. What is ours to mend is temporary.
    pub const fn of(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::new(550, "5.1.1 there is no such mailbox here"),
            Refused::Paused => Self::new(450, "4.2.1 this mailbox is closed for now, come back"),
            Refused::PerChannel => Self::new(450, "4.3.2 too many mails for this mailbox, come back"),
            Refused::Overloaded => Self::new(452, "4.3.1 too much is being handled, come back"),
            Refused::Journal => Self::new(451, "4.3.0 nothing can be stored right now, come back"),
            Refused::TooLarge(_) => Self::TOO_LARGE,
            Refused::Bad(_) | Refused::Unreadable(_) | Refused::MediaType => {
                Self::new(554, "5.6.0 the mail cannot be read")
            }
            _ => Self::new(451, "4.3.0 this failed on our side, come back"),
        }
    }

    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Of a no: `550 5.5.2`.
    pub fn refusal(&self) -> Option<String> {
        let status = self.text.split(' ').next().unwrap_or_default();
        (self.code >= 400).then(|| format!("{} {status}", self.code))
    }

    pub fn write(&self, out: &mut BytesMut) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(format!("{}{mark}{line}\r\n", self.code).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_answer_marks_every_line_but_the_last() {
        let mut out = BytesMut::new();
        Reply::of_lines(250, &["a".to_owned(), "b".to_owned(), "c".to_owned()]).write(&mut out);
        Reply::BYE.write(&mut out);
        assert_eq!(out, "250-a\r\n250-b\r\n250 c\r\n221 2.0.0 bye\r\n");
    }

    #[test]
    fn what_is_ours_to_mend_is_temporary() {
        for (refused, code) in [
            (Refused::NotFound, 550),
            (Refused::Paused, 450),
            (Refused::PerChannel, 450),
            (Refused::Overloaded, 452),
            (Refused::Journal, 451),
            (Refused::Upstream, 451),
            (Refused::Late, 451),
            (Refused::Broken, 451),
            (Refused::TooLarge("x"), 552),
            (Refused::Bad("x"), 554),
        ] {
            assert_eq!(Reply::of(refused).code, code, "{refused:?}");
        }
    }
}
