//! How does a mail become a touch, and our own answer a reply? One raw RFC 5322 message per request.
//!
//! - The customer is in Reply-To; else in the fields of a form a site sent by mail; else in From, unless that is ours
//!   or a machine's.
//! - A mail from one of our own addresses to somebody else is a human reply.
//! - Automatic mail is kept aside as junk with the rule that says so. A site's form is not, though sites mark their
//!   mail as automatic.
//! - At most 200 MIME parts are looked at; attachments are told of, never opened.

use super::shared::carried::Carried;
use super::shared::excerpt::Excerpt;
use super::shared::fields::{self, LONGEST_TEXT, attribute};
use super::shared::verdicts::{AUTHSERV, DMARC_FAIL, Verdicts};
use super::shared::{letter, multipart, shown, unnamed};
use super::{Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use data_encoding::BASE64;
use http::Method;
use lead::entry::{Kind, Reply, Signal, Touch};
use lead::text::cut;
use lead::time::At;
use mail_parser::{
    Addr, Address, ContentType, Encoding, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};
use serde_json::Value;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "mail",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::Open,
    settings: &[AUTHSERV, DMARC_FAIL],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("mail.md"),
};

const MOST_PARTS: usize = 200;
const MOST_HOPS: usize = 50;
const MOST_FILES: usize = 20;
const LONGEST_ADDRESS: usize = 320;

/// Where the channel has a secret, it is the password of HTTP Basic or a Bearer token.
pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if channel.secrets.is_empty() {
        return Ok(());
    }
    shown::prove(request, channel)
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if !["message/rfc822", "text/plain", "application/octet-stream"].iter().any(|kind| request.is(kind)) {
        return Err(Refusal::MediaType);
    }
    if request.body.is_empty() {
        return Err(Refusal::Bad("the mail is empty"));
    }
    letter(&Carried::raw(&request.body), channel)
}

/// Reads one message, whoever carried it here.
pub(super) fn letter(carried: &Carried<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let excerpt = Excerpt::of(&carried.raw);
    // What was left out of a large mail is found by its place, so its head stays as it is.
    let whole = if excerpt.is_whole() { unnamed::head(&excerpt.bytes) } else { Cow::Borrowed(&*excerpt.bytes) };
    let raw = bounded(&whole);
    let message = MessageParser::default().parse(raw).ok_or(Refusal::Unreadable(NO_MAIL))?;
    let verdicts = carried.verdicts.or(Verdicts::of(&message, channel));
    let mail = Mail { message: &message, channel, carried, excerpt: &excerpt, verdicts };
    if message.from().is_none() && message.date().is_none() && message.message_id().is_none() {
        return Err(Refusal::Unreadable(NO_MAIL));
    }
    let id = message.message_id().map(|id| cut(id, 998).to_owned()).or_else(|| carried.id.clone());
    if mail.is_from_us() && mail.dmarc_failed() {
        return Err(Refusal::Unreadable("the mail claims to be ours and is not"));
    }
    let signal = match mail.reply() {
        Some(_) if mail.automatic().is_some() => return Ok(Reading::ignored("mail.own_automatic")),
        Some(reply) => Signal::Reply(Box::new(reply)),
        None => {
            let mut touch = mail.touch();
            if raw.len() < whole.len() || excerpt.ends_early || carried.without_body {
                touch.flags.insert("cut".to_owned());
            }
            Signal::Touch(Box::new(touch))
        }
    };
    let id = id.map(|id| (id, SOURCE.name.to_owned()));
    Ok(Reading { signals: vec![Read { id, signal }], ignored: Vec::new() })
}

const NO_MAIL: &str = "the body is not a mail";

/// The mail up to its 200th part. Every level of nesting needs a Content-Type of its own, so this bounds the depth.
fn bounded(raw: &[u8]) -> &[u8] {
    const MARK: &[u8] = b"content-type";
    let mut marks = (0..raw.len().saturating_sub(MARK.len()))
        .filter(|at| matches!(raw[*at], b'c' | b'C') && raw[*at..at + MARK.len()].eq_ignore_ascii_case(MARK));
    marks.nth(MOST_PARTS).map_or(raw, |end| &raw[..end])
}

/// One mail, seen from one channel.
struct Mail<'a> {
    message: &'a Message<'a>,
    channel: &'a Channel,
    carried: &'a Carried<'a>,
    excerpt: &'a Excerpt<'a>,
    verdicts: Verdicts,
}

impl Mail<'_> {
    fn is_own(&self, address: &str) -> bool {
        let own = self.channel.own_emails.iter().chain(&self.channel.address);
        own.into_iter().any(|own| own.eq_ignore_ascii_case(address))
    }

    fn from(&self) -> Option<&Addr<'_>> {
        self.message.from().and_then(Address::first)
    }

    fn is_from_us(&self) -> bool {
        self.from().and_then(Addr::address).is_some_and(|from| self.is_own(from))
    }

    /// An answer of a colleague: from us to somebody who is not us.
    fn reply(&self) -> Option<Reply> {
        let by = self.from()?.address().filter(|from| self.is_own(from) && !lead::email::is_machine(from))?;
        let to = self.message.to().into_iter().flat_map(Address::iter).filter_map(Addr::address);
        let to: Vec<String> =
            to.filter(|to| !self.is_own(to)).take(20).map(|to| cut(to, LONGEST_ADDRESS).to_owned()).collect();
        let reply = Reply {
            to_phones: Vec::new(),
            to_emails: to,
            to_handles: Vec::new(),
            by: Some(cut(by, LONGEST_ADDRESS).to_owned()),
            occurred_at: self.sent_at(),
        };
        (!reply.to_emails.is_empty()).then_some(reply)
    }

    fn sent_at(&self) -> Option<At> {
        self.message.date().filter(|date| date.is_valid()).map(|date| At::from_secs(date.to_timestamp()))
    }

    fn touch(&self) -> Touch {
        let mut touch = Touch::new(Kind::Mail);
        touch.occurred_at = self.sent_at();
        let text = self.text();
        let own = letter::own_words(&text);
        let form = letter::form_fields(&own);
        let is_form = form.is_some();
        if let Some(pairs) = form {
            fields::fill(&mut touch, pairs, self.channel);
        }
        self.sender(&mut touch, is_form);
        touch.text_phones = fields::phones_in(&own, self.channel.region);
        touch.text_phones.retain(|_| !is_form);
        if text.len() > LONGEST_TEXT {
            touch.flags.insert("cut".to_owned());
        }
        if touch.text.is_none() {
            touch.text = Some(cut(text.trim(), LONGEST_TEXT).to_owned()).filter(|text| !text.is_empty());
        }
        self.about(&mut touch);
        self.verdicts.note(&mut touch);
        touch.junk = self.junk(is_form).map(str::to_owned);
        touch
    }

    /// Reply-To first. The From of a site's form is the site.
    fn sender(&self, touch: &mut Touch, is_form: bool) {
        let person = |addr: &&Addr<'_>| {
            addr.address().is_some_and(|one| !self.is_own(one) && !lead::email::is_machine(&one.to_lowercase()))
        };
        let asked = self.message.reply_to().into_iter().flat_map(Address::iter).find(person);
        let from = self.from();
        let customer = asked.or_else(|| from.filter(person).filter(|_| !is_form));
        if let Some(addr) = customer {
            let address = cut(addr.address().unwrap_or_default(), LONGEST_ADDRESS);
            if !touch.emails.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                touch.emails.insert(0, address.to_owned());
            }
            let name = addr.name().or_else(|| from.filter(|from| from.address() == addr.address())?.name());
            touch.name = touch.name.take().or_else(|| name.map(|name| cut(name.trim(), 1024).to_owned()));
        }
        if let Some(address) =
            from.and_then(Addr::address).filter(|from| !touch.emails.iter().any(|known| known == from))
        {
            attribute(touch, "mail_from", address);
        }
    }

    fn about(&self, touch: &mut Touch) {
        if let Some(subject) = self.message.subject().filter(|subject| !subject.trim().is_empty()) {
            attribute(touch, "subject", subject);
        }
        if let Some(to) = self.message.to().and_then(Address::first).and_then(Addr::address) {
            attribute(touch, "mail_to", to);
        }
        if let Some(recipient) = self.carried.recipient.as_deref().filter(|to| !to.is_empty()) {
            attribute(touch, "envelope_to", recipient);
        }
        let files: Vec<Value> = self.carried.files.iter().cloned().chain(self.files()).take(MOST_FILES).collect();
        if !files.is_empty() {
            touch.attributes.insert("files".to_owned(), Value::Array(files));
        }
    }

    fn files(&self) -> impl Iterator<Item = Value> {
        self.message.attachments().map(|part| {
            let kind =
                part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()));
            let name = part.attachment_name().and_then(multipart::plain_name);
            multipart::describe_file("attachment", name, kind.as_deref(), self.size(part))
        })
    }

    /// Also of what is not in the excerpt.
    fn size(&self, part: &MessagePart<'_>) -> usize {
        let place = part.offset_body as usize..part.offset_end as usize;
        match (&part.body, part.encoding) {
            (_, Encoding::Base64) => part.len() + self.excerpt.missing_in_base64(&place),
            (PartType::Message(_), _) => place.len() + self.excerpt.missing(&place),
            _ => part.len() + self.excerpt.missing(&place),
        }
    }

    /// Plain text where there is some, else the text of the HTML; a little more than we keep shows that it was longer.
    fn text(&self) -> String {
        let mut whole = String::new();
        for part in self.message.text_bodies().take(MOST_PARTS) {
            let text = match &part.body {
                PartType::Text(text) => self.letters(text, part),
                PartType::Html(html) => Cow::Owned(letter::from_html(cut(&self.letters(html, part), 4 * LONGEST_TEXT))),
                _ => continue,
            };
            let text = text.trim_end();
            if !text.is_empty() {
                whole.push_str(cut(text, (LONGEST_TEXT + 4).saturating_sub(whole.len())));
                whole.push('\n');
            }
        }
        whole
    }

    fn letters<'t>(&self, text: &'t str, part: &MessagePart<'_>) -> Cow<'t, str> {
        unnamed::text(text, part, &self.message.raw_message)
    }

    /// The rule by which this is no customer. What a machine sent for a person who filled in a form is one.
    fn junk(&self, is_form: bool) -> Option<&'static str> {
        if self.is_loop() {
            return Some("mail.loop");
        }
        if self.is_bounce() {
            return Some("mail.bounce");
        }
        if self.verdicts.fails_dmarc() && self.channel.setting(DMARC_FAIL.name) == Some("junk") {
            return Some("mail.dmarc");
        }
        self.automatic().filter(|_| !is_form || self.says("auto-submitted", "auto-replied"))
    }

    fn header(&self, name: &str) -> Option<String> {
        Some(self.message.header_raw(HeaderName::from(name))?.trim().to_ascii_lowercase())
    }

    fn says(&self, name: &str, start: &str) -> bool {
        self.header(name).is_some_and(|value| value.starts_with(start))
    }

    fn is_loop(&self) -> bool {
        let hops = self.message.headers().iter().filter(|header| header.name == HeaderName::Received).count();
        hops > MOST_HOPS || self.header("x-loop").is_some_and(|mark| self.is_own(&mark))
    }

    /// A report about a mail: not delivered, read (RFC 8098), or complained about (RFC 5965).
    fn is_bounce(&self) -> bool {
        let report = |kind: &ContentType<'_>| kind.ctype() == "multipart" && kind.subtype() == Some("report");
        let from = self.from().and_then(Addr::address).unwrap_or_default().to_ascii_lowercase();
        let postmaster = || from.starts_with("postmaster@") && self.is_unanswerable();
        self.message.content_type().is_some_and(report) || from.starts_with("mailer-daemon@") || postmaster()
    }

    /// The topmost says what the last server knew; one below came with the mail.
    fn no_return(&self) -> bool {
        let mut headers = self.message.headers_raw();
        let topmost = headers.find(|(name, _)| name.eq_ignore_ascii_case("return-path"));
        topmost.is_some_and(|(_, path)| path.trim() == "<>")
    }

    /// RFC 3834 and the marks that mailers use besides.
    fn automatic(&self) -> Option<&'static str> {
        let precedence = self.header("precedence").unwrap_or_default();
        if self.message.header(HeaderName::ListId).is_some() || matches!(&*precedence, "bulk" | "list" | "junk") {
            return Some("mail.list");
        }
        let submitted = self.header("auto-submitted").is_some_and(|said| !said.starts_with("no"));
        let suppressed = self.header("x-auto-response-suppress").is_some_and(|said| said != "none");
        (submitted || suppressed || self.is_unanswerable() || precedence == "auto_reply").then_some("mail.auto_reply")
    }

    fn is_unanswerable(&self) -> bool {
        self.carried.has_no_sender() || self.no_return()
    }

    /// Without a server to trust, anybody who says that this is not ours is right.
    fn dmarc_failed(&self) -> bool {
        if self.carried.forged || self.verdicts.fails_dmarc() {
            return true;
        }
        let results =
            self.message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case("authentication-results"));
        let mut failed = results.map(|(_, said)| said.to_ascii_lowercase().contains("dmarc=fail"));
        self.channel.setting(AUTHSERV.name).is_none() && failed.any(|failed| failed)
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    SampleRequest::post("message/rfc822", written(channel, sample, now)).with(shown::header(channel))
}

/// The message that a sample is about.
pub(super) fn written(channel: &Channel, sample: &Sample, now: At) -> String {
    let date = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default().to_rfc2822();
    let name = sample.name();
    let from = sample.email();
    let to = channel.address.as_deref().unwrap_or("sales@company.example");
    let id = sample.id();
    let words = [sample.text.as_deref().unwrap_or("Test"), sample.phone.as_deref().unwrap_or_default()].join("\r\n");
    let head = [
        ("From", format!("{} <{}>", encoded(name), one_line(from))),
        ("To", one_line(to)),
        ("Subject", "Test".to_owned()),
        ("Date", date),
        ("Message-ID", format!("<{id}@leadgate.invalid>")),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "base64".to_owned()),
    ];
    let head: String = head.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{head}\r\n{}", data_encoding::BASE64_MIME.encode(words.as_bytes()))
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A display name in any letters, RFC 2047.
fn encoded(name: &str) -> String {
    format!("=?utf-8?B?{}?=", BASE64.encode(cut(name, 45).as_bytes()))
}
