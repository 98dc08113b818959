//! How does a mail that Amazon SES received become a touch, and our own answer a reply?
//!
//! SES publishes it to a topic of SNS, which posts it here in an envelope of its own, see [`super::sns`]. A new
//! subscription is confirmed by asking for the address that SNS gave.
//!
//! Assumptions:
//! - An SNS action carries a mail of up to 150 KB. Of a larger one, or of one that an S3 action stored, only the head
//!   comes: who wrote, and about what, flagged `cut`.
//! - With `encoding` UTF-8 letters of other charsets are lost on Amazon's side; so the help asks for Base64.
//!
//! From the vendor's documentation of receiving mail and of HTTPS subscriptions.

use super::shared::carried::{self, Carried, Head};
use super::shared::fields::attribute;
use super::shared::verdicts::{self, DMARC_FAIL, Verdicts};
use super::shared::{json, shown};
use super::sns::{self, Envelope};
use super::{Answer, BodyLimit, Denied, Needed, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source, mail};
use crate::channel::Channel;
use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE};
use http::Method;
use lead::entry::{Kind, Signal};
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "ses",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::Open,
    settings: &[sns::TOPICS, sns::HOSTS, DMARC_FAIL],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("ses.md"),
};

/// Amazon signs; a sample, which cannot, shows the secret.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if !channel.secrets.is_empty() && request.header("authorization").is_some() {
        return shown::prove(request, channel);
    }
    sns::verify(request, channel)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Notice<'a> {
    #[serde(borrow)]
    notification_type: Cow<'a, str>,
    #[serde(borrow)]
    mail: Received<'a>,
    #[serde(borrow)]
    receipt: Receipt<'a>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Received<'a> {
    #[serde(borrow)]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    headers: Vec<Line<'a>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receipt<'a> {
    #[serde(borrow)]
    recipients: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    spf_verdict: Verdict<'a>,
    #[serde(borrow)]
    dkim_verdict: Verdict<'a>,
    #[serde(borrow)]
    dmarc_verdict: Verdict<'a>,
    #[serde(borrow)]
    spam_verdict: Verdict<'a>,
    #[serde(borrow)]
    virus_verdict: Verdict<'a>,
    #[serde(borrow)]
    action: Action<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Verdict<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Action<'a> {
    #[serde(borrow)]
    encoding: Option<Cow<'a, str>>,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let envelope = Envelope::of(request)?;
    match envelope.get("Type") {
        Some("SubscriptionConfirmation") => confirm(request, &envelope, channel),
        Some("UnsubscribeConfirmation") => Ok(Reading::ignored("ses.unsubscribed")),
        Some("Notification") => notice(envelope.get("Message").unwrap_or_default(), channel),
        _ => Err(Refusal::Unreadable("the body is not a message of Amazon SNS")),
    }
}

/// Whoever asks for the address confirms the subscription.
fn confirm(request: &Request, envelope: &Envelope<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let url = envelope.get("SubscribeURL").filter(|url| sns::is_amazons(url, channel));
    let url = url.ok_or(Refusal::Unreadable("the subscription is not to be confirmed at Amazon"))?;
    if request.documents.contains_key(url) {
        return Ok(Reading::ignored("ses.subscription"));
    }
    Err(Refusal::Needs(vec![Needed { url: url.to_owned(), shown: None, lasting: false }]))
}

fn notice(message: &str, channel: &Channel) -> Result<Reading, Refusal> {
    if message.starts_with("Successfully validated SNS topic") {
        return Ok(Reading::ignored("ses.validation"));
    }
    let notice: Notice<'_> = json::typed(message.as_bytes())?;
    if notice.notification_type != "Received" {
        return Ok(Reading::ignored("ses.other_notification"));
    }
    let raw = match notice.content.as_deref() {
        Some(content) => inside(content, &notice.receipt.action)?,
        None => Cow::Owned(carried::write(&head(&notice), "", "")),
    };
    let carried = Carried {
        raw,
        sender: notice.mail.source.clone(),
        recipient: Some(notice.receipt.recipients.join(", ").into()),
        forged: notice.receipt.dmarc_verdict.status == "FAIL",
        verdicts: verdicts(&notice.receipt),
        id: notice.mail.message_id.as_deref().map(str::to_owned),
        without_body: notice.content.is_none(),
        ..Carried::default()
    };
    let mut reading = mail::letter(&carried, channel)?;
    judged(&mut reading, &notice.receipt);
    Ok(reading)
}

fn inside<'a>(content: &'a str, action: &Action<'_>) -> Result<Cow<'a, [u8]>, Refusal> {
    if !action.encoding.as_deref().is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64")) {
        return Ok(Cow::Borrowed(content.as_bytes()));
    }
    let raw = BASE64_MIME_PERMISSIVE.decode(content.as_bytes());
    raw.map(Cow::Owned).map_err(|_| Refusal::Unreadable("the mail is not the base64 it should be"))
}

fn head<'a>(notice: &'a Notice<'_>) -> Head<'a> {
    let lines = notice.mail.headers.iter().map(|line| (Cow::Borrowed(&*line.name), Cow::Borrowed(&*line.value)));
    let mut head: Head<'a> = lines.take(carried::MOST_LINES).collect();
    carried::add(&mut head, "From", notice.mail.source.as_deref().unwrap_or_default());
    head
}

fn verdicts(receipt: &Receipt<'_>) -> Verdicts {
    let said = |verdict: &Verdict<'_>| verdicts::word(&verdict.status);
    let (spf, dkim) = (said(&receipt.spf_verdict), said(&receipt.dkim_verdict));
    Verdicts { spf, dkim, dmarc: said(&receipt.dmarc_verdict) }
}

/// What Amazon's filters thought of the mail is told to people, who may think otherwise.
fn judged(reading: &mut Reading, receipt: &Receipt<'_>) {
    let verdicts = [("spam_verdict", &receipt.spam_verdict), ("virus_verdict", &receipt.virus_verdict)];
    let touches = reading.signals.iter_mut().filter_map(|read| match &mut read.signal {
        Signal::Touch(touch) => Some(touch),
        _ => None,
    });
    for touch in touches {
        for (name, _) in verdicts.iter().filter(|(_, verdict)| verdict.status == "FAIL") {
            attribute(touch, name, "FAIL");
        }
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let message = json!({
        "notificationType": "Received",
        "mail": {"messageId": sample.nonce, "source": sample.email, "headers": []},
        "receipt": {"recipients": channel.address.iter().collect::<Vec<_>>(), "action": {"type": "SNS", "encoding": "BASE64"}},
        "content": BASE64.encode(mail::written(channel, sample, now).as_bytes()),
    });
    let envelope = json!({
        "Type": "Notification",
        "MessageId": sample.nonce,
        "TopicArn": channel.setting(sns::TOPICS.name),
        "Message": message.to_string(),
    });
    SampleRequest::post("text/plain; charset=UTF-8", envelope.to_string()).with(shown::header(channel))
}
