//! What follows from a command? The state of one session: pure, without a socket, a clock or a mailbox of its own.

use super::command::{self, Command};
use super::reply::Reply;
use crate::problem::Refused;

/// The language of a listener. LMTP greets with LHLO and is answered once for each recipient.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

impl Protocol {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
        }
    }
}

/// What this server offers, and how much of it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub host: String,
    pub size: usize,
    pub tls: bool,
    pub recipients: usize,
    pub commands: usize,
    pub mistakes: usize,
}

/// What is to be done after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Say(Reply),
    /// And hang up.
    Part(Reply),
    /// Say that TLS may begin, and begin it.
    Secure,
    /// A mail with its recipients is about to come, see [`Session::envelope`].
    Receive,
}

/// Who sends to whom; a recipient is what the one who looked it up makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<R> {
    /// Empty: nobody.
    pub sender: String,
    pub utf8: bool,
    pub recipients: Vec<R>,
    /// The address of the first of them.
    first: String,
}

impl<R> Envelope<R> {
    /// The address of the recipient, where there is only one.
    pub fn only(&self) -> Option<&str> {
        (self.recipients.len() == 1).then_some(self.first.as_str())
    }
}

/// How a client introduced itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    pub name: String,
    /// With a word that asks for what is offered.
    pub extended: bool,
}

#[derive(Debug)]
pub struct Session<R> {
    protocol: Protocol,
    offer: Offer,
    hello: Option<Hello>,
    secure: bool,
    envelope: Option<Envelope<R>>,
    commands: usize,
    mistakes: usize,
}

impl<R> Session<R> {
    pub const fn new(protocol: Protocol, offer: Offer) -> Self {
        Self { protocol, offer, hello: None, secure: false, envelope: None, commands: 0, mistakes: 0 }
    }

    pub fn greeting(&self) -> Reply {
        let word = match self.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        Reply::of_lines(220, &[format!("{} {word} leadgate", self.offer.host)])
    }

    /// Hears a line with its end; `find` looks up a recipient.
    pub fn hear(&mut self, line: &[u8], find: impl FnOnce(&str) -> Result<R, Refused>) -> Step {
        self.commands += 1;
        if self.commands > self.offer.commands {
            return Step::Part(Reply::COMMANDS);
        }
        let step = command::read(line).map_or_else(Step::Say, |command| self.follow(command, find));
        match &step {
            Step::Say(reply) if reply.is_permanent() => {
                self.mistakes += 1;
                if self.mistakes > self.offer.mistakes { Step::Part(Reply::MISTAKES) } else { step }
            }
            _ => step,
        }
    }

    /// TLS is on: nothing of what was said before counts (RFC 3207, 4.2).
    pub fn secured(&mut self) {
        (self.secure, self.hello, self.envelope) = (true, None, None);
    }

    /// The mail that comes now; the next one begins anew.
    pub fn envelope(&mut self) -> Option<Envelope<R>> {
        self.envelope.take()
    }

    /// Who is there; nobody before he said so.
    pub const fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// A mail was taken: whoever brings mails may go on for as long as he likes.
    pub const fn delivered(&mut self) {
        self.commands = 0;
    }

    fn follow(&mut self, command: Command<'_>, find: impl FnOnce(&str) -> Result<R, Refused>) -> Step {
        match command {
            Command::Helo(name) if self.protocol == Protocol::Smtp => self.greet(name.into_owned(), false),
            Command::Ehlo(name) if self.protocol == Protocol::Smtp => self.greet(name.into_owned(), true),
            Command::Lhlo(name) if self.protocol == Protocol::Lmtp => self.greet(name.into_owned(), true),
            Command::Helo(_) | Command::Ehlo(_) | Command::Lhlo(_) => Step::Say(Reply::UNKNOWN),
            Command::Mail { from, size, utf8 } => Step::Say(self.mail(from.into_owned(), size, utf8)),
            Command::Rcpt { to } => Step::Say(self.recipient(&to, find)),
            Command::Data => self.data(),
            Command::StartTls if self.secure => Step::Say(Reply::SECURE_TWICE),
            Command::StartTls if self.offer.tls => Step::Secure,
            Command::StartTls | Command::NotOffered => Step::Say(Reply::NOT_OFFERED),
            Command::Rset => {
                self.envelope = None;
                Step::Say(Reply::OK)
            }
            Command::Noop => Step::Say(Reply::OK),
            Command::Help => Step::Say(Reply::HELP),
            Command::Vrfy => Step::Say(Reply::PERHAPS),
            Command::Quit => Step::Part(Reply::BYE),
        }
    }

    fn greet(&mut self, name: String, extended: bool) -> Step {
        (self.hello, self.envelope) = (Some(Hello { name, extended }), None);
        let mut lines = vec![self.offer.host.clone()];
        if extended {
            lines.extend(["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"].map(str::to_owned));
            lines.extend((self.offer.tls && !self.secure).then(|| "STARTTLS".to_owned()));
            lines.push(format!("SIZE {}", self.offer.size));
        }
        Step::Say(Reply::of_lines(250, &lines))
    }

    fn mail(&mut self, sender: String, size: usize, utf8: bool) -> Reply {
        if self.hello.is_none() {
            return Reply::HELLO_FIRST;
        }
        if self.envelope.is_some() {
            return Reply::SENDER_TWICE;
        }
        if size > self.offer.size {
            return Reply::TOO_LARGE;
        }
        self.envelope = Some(Envelope { sender, utf8, recipients: Vec::new(), first: String::new() });
        Reply::SENDER
    }

    fn recipient(&mut self, to: &str, find: impl FnOnce(&str) -> Result<R, Refused>) -> Reply {
        let Some(envelope) = &mut self.envelope else { return Reply::SENDER_FIRST };
        if !envelope.utf8 && !to.is_ascii() {
            return Reply::NEEDS_UTF8;
        }
        if envelope.recipients.len() >= self.offer.recipients {
            return Reply::RECIPIENTS;
        }
        match find(to) {
            Ok(found) => {
                if envelope.recipients.is_empty() {
                    to.clone_into(&mut envelope.first);
                }
                envelope.recipients.push(found);
                Reply::RECIPIENT
            }
            Err(refused) => Reply::of(refused),
        }
    }

    fn data(&self) -> Step {
        match &self.envelope {
            None => Step::Say(Reply::SENDER_FIRST),
            Some(envelope) if envelope.recipients.is_empty() => Step::Say(Reply::RECIPIENT_FIRST),
            Some(_) => Step::Receive,
        }
    }
}
