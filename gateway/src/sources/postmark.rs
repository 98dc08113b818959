//! How does a mail that Postmark received become a touch, and our own answer a reply?
//!
//! It comes as JSON, taken apart, and whole in `RawEmail` where the inbound stream is set to include it. The *Check*
//! button sends a mail that nobody wrote: only there attachments hold `Data` instead of `Content`.
//!
//! From the vendor's documentation of the inbound webhook and the fixtures of django-anymail.

use super::shared::carried::{self, Carried, Head};

use super::shared::multipart::{describe_file, plain_name};

use super::shared::verdicts::{self, Verdicts};

use super::shared::{json, shown};
use super::{Answer, BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source, mail};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "postmark",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    // 403 would stop what is sent again.
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("postmark.md"),
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inbound<'a> {
    #[serde(borrow)]
    record_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from_full: Option<Mailbox<'a>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    original_recipient: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reply_to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    date: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "MessageID")]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text_body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    html_body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    raw_email: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Vec<Line<'a>>,
    #[serde(borrow)]
    attachments: Vec<File<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mailbox<'a> {
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct File<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    content_type: Cow<'a, str>,
    content_length: Option<usize>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let inbound: Inbound<'_> = json::typed(request.json()?)?;
    if inbound.record_type.as_ref().is_some_and(|kind| kind != "Inbound") {
        return Ok(Reading::ignored("postmark.other_event"));
    }
    if inbound.attachments.iter().any(|file| file.data.is_some() && file.content.is_none()) {
        return Ok(Reading::ignored("postmark.check"));
    }
    let raw = match inbound.raw_email.map(|raw| json::text(raw).ok_or(Refusal::Unreadable(NO_TEXT))) {
        Some(raw) => bytes(raw?),
        None => Cow::Owned(apart(&inbound)),
    };
    let files = if inbound.raw_email.is_some() { Vec::new() } else { files(&inbound) };
    let carried = Carried {
        raw,
        recipient: inbound.original_recipient.clone(),
        files,
        verdicts: verdicts(&inbound),
        id: inbound.message_id.as_deref().map(str::to_owned),
        ..Carried::default()
    };
    mail::letter(&carried, channel)
}

const NO_TEXT: &str = "the raw mail is not a text";

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// `Received-SPF: Pass (sender SPF authorized) …` (RFC 7208 9.1) and the rules of SpamAssassin that applied. Postmark
/// writes both above the mail.
fn verdicts(inbound: &Inbound<'_>) -> Verdicts {
    let said = |name: &str| {
        let line = inbound.headers.iter().find(|line| line.name.eq_ignore_ascii_case(name));
        line.map(|line| &*line.value).unwrap_or_default()
    };
    let rules = said("X-Spam-Tests");
    let applied = |rule: &str| rules.split(',').any(|one| one.trim() == rule);
    let dkim = if applied("DKIM_VALID") { Some("pass") } else { applied("DKIM_INVALID").then_some("fail") };
    let spf = said("Received-SPF").split([' ', '(', ';']).next().and_then(verdicts::word);
    Verdicts { spf, dkim, dmarc: None }
}

/// The message, from its fields.
fn apart(inbound: &Inbound<'_>) -> Vec<u8> {
    let lines = inbound.headers.iter().map(|line| (Cow::Borrowed(&*line.name), Cow::Borrowed(&*line.value)));
    let mut head: Head<'_> = lines.take(carried::MOST_LINES).collect();
    if let Some(from) = inbound.from_full.as_ref().filter(|from| !from.email.is_empty()) {
        carried::add(&mut head, "From", carried::mailbox(&from.name, &from.email));
    }
    let date = inbound.date.as_deref().map(without_colon);
    let others = [
        ("From", inbound.from.as_deref()),
        ("To", inbound.to.as_deref()),
        ("Reply-To", inbound.reply_to.as_deref()),
        ("Subject", inbound.subject.as_deref()),
        ("Date", date.as_deref()),
    ];
    for (name, value) in others {
        carried::add(&mut head, name, value.unwrap_or_default().to_owned());
    }
    let text = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or_default().to_owned();
    carried::write(&head, &text(&inbound.text_body), &text(&inbound.html_body))
}

/// `Fri, 1 Aug 2014 16:45:32 -04:00` as RFC 5322 has it: `-0400`.
fn without_colon(date: &str) -> String {
    let zone = |before: &str| before.rsplit(' ').next().is_some_and(|zone| zone.starts_with(['+', '-']));
    match date.rsplit_once(':').filter(|(before, _)| zone(before)) {
        Some((before, minutes)) => format!("{before}{minutes}"),
        None => date.to_owned(),
    }
}

fn files(inbound: &Inbound<'_>) -> Vec<serde_json::Value> {
    let file = |file: &File<'_>| {
        let size = file.content_length.or(file.content.as_ref().map(|content| content.len() / 4 * 3));
        describe_file("attachment", plain_name(&file.name), Some(&file.content_type), size.unwrap_or_default())
    };
    inbound.attachments.iter().map(file).collect()
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let body = serde_json::json!({
        "MessageID": sample.nonce,
        "OriginalRecipient": channel.address,
        "RawEmail": mail::written(channel, sample, now),
        "Attachments": [],
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
