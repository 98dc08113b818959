//! How does a form of a WordPress site become a touch? Contact Form 7, WPForms and Gravity Forms, as their webhook
//! add-ons post them: JSON or form fields, names by the site's owner.
//!
//! - None of them signs: the secret is a header of the owner's, or the channel has a `url_key`.
//! - Contact Form 7 numbers its fields (`tel-123`); the number says nothing.
//! - Gravity Forms sends an entry whose fields have numbers for names. A mail address and a phone are known by their
//!   looks; `1.3` and `1.6` beside no `1.1` are the parts of a name (docs.gravityforms.com, Name field).

use super::shared::aliases::{Field, of_path};

use super::shared::fields::{Pairs, get};

use super::shared::submission::{self, is_mapped};

use super::shared::shown;
use super::{Answer, BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source, form};
use crate::channel::Channel;
use chrono::NaiveDateTime;
use http::Method;
use lead::entry::Kind;
use lead::phone::{self, Region};

use lead::time::At;
use std::borrow::Cow;
use url::Url;

pub const SOURCE: Source = Source {
    name: "wordpress",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Open,
    settings: &[],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("wordpress.md"),
};

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.body.is_empty() {
        return Err(Refusal::Bad("the form is empty"));
    }
    if matches!(&*request.body, b"[]" | b"{}") {
        return Ok(Reading::ignored("wordpress.empty"));
    }
    let (pairs, files) = form::body(request)?;
    let gravity = ["id", "form_id", "date_created"].iter().all(|name| get(&pairs, name).is_some());
    let id = entry_id(&pairs, gravity);
    let status = get(&pairs, "status").filter(|_| gravity).map(str::to_owned);
    let created = get(&pairs, "date_created").filter(|_| gravity).and_then(utc);
    let is_inner = |name: &str| name.starts_with("_wpcf7_") || DROPPED.contains(&name);
    let is_kept = |name: &str| !(is_inner(name) || gravity && GRAVITY.contains(&name));
    let named = pairs.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| {
        let name = if is_mapped(name, channel) { name } else { called(name, value, &pairs, channel.region) };
        (Cow::Borrowed(name), value.clone())
    });
    let (mut touch, service) = submission::touch(named.collect(), files, channel);
    touch.occurred_at = touch.occurred_at.or(created);
    touch.junk = if status.as_deref() == Some("spam") {
        Some("wordpress.spam".to_owned())
    } else {
        service.honeypot.then(|| "form.honeypot".to_owned())
    };
    let id = id.or_else(|| form::post_id(request, service));
    Ok(submission::reading(SOURCE.name, id, touch, [], "wordpress.empty"))
}

/// Said by plug-ins to each other.
const DROPPED: [&str; 3] = ["_wpnonce", "g-recaptcha-response", "h-captcha-response"];

/// What every entry of Gravity Forms has besides its fields.
const GRAVITY: [&str; 18] = [
    "id",
    "date_created",
    "date_updated",
    "status",
    "is_starred",
    "is_read",
    "created_by",
    "post_id",
    "source_id",
    "currency",
    "payment_status",
    "payment_date",
    "payment_amount",
    "payment_method",
    "transaction_id",
    "transaction_type",
    "is_fulfilled",
    "user_agent",
];

/// An entry is numbered within its site, so site and form belong to its id. WPForms sends `entry_id` where the owner
/// mapped it.
fn entry_id(pairs: &Pairs<'_>, gravity: bool) -> Option<String> {
    let entry = get(pairs, if gravity { "id" } else { "entry_id" })?;
    let page = get(pairs, "source_url").and_then(|url| Url::parse(url).ok());
    let site = page.as_ref().and_then(Url::host_str).unwrap_or_default();
    let form = get(pairs, "form_id").unwrap_or_default();
    Some(format!("{site}:{form}:{entry}")).filter(|id| id.len() <= 256)
}

/// Gravity Forms writes UTC.
fn utc(text: &str) -> Option<At> {
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(At::from_millis(moment.and_utc().timestamp_millis()))
}

fn called<'p>(name: &'p str, value: &str, pairs: &Pairs<'_>, region: Region) -> &'p str {
    match name {
        "_url" => return "page",
        "_post_title" => return "page_title",
        "_remote_ip" => return "ip",
        "_wpcf7" => return "form_id",
        _ if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            return numbered(name, value, pairs, region);
        }
        _ => {}
    }
    let unnumbered = name.rsplit_once('-').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let known = |tag: &str| matches!(of_path(tag), Some(Field::Phone | Field::Email | Field::Text | Field::Consent));
    // `text-123` may be anything; `textarea-123` is a message.
    unnumbered.map(|(tag, _)| tag).filter(|tag| known(tag) && *tag != "text").unwrap_or(name)
}

fn numbered<'p>(name: &'p str, value: &str, pairs: &Pairs<'_>, region: Region) -> &'p str {
    if let Some((field, part)) = name.split_once('.') {
        let is_name = !pairs.iter().any(|(path, _)| path.split_once('.') == Some((field, "1")));
        return match part {
            "3" if is_name => "first_name",
            "4" if is_name => "middle_name",
            "6" if is_name => "last_name",
            _ => name,
        };
    }
    if value.contains('@') && lead::email::normalise(value).is_some() {
        return "email";
    }
    let is_long = value.len() <= 32 && value.bytes().filter(u8::is_ascii_digit).count() >= 7;
    if is_long && matches!(&phone::parse(value, region)[..], [one] if one.valid) { "phone" } else { name }
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let about = [("entry_id", sample.nonce.as_str()), ("form_id", "test")];
    let said = sample.said(["your-name", "your-tel", "your-email", "your-message"]);
    let said = said.chain(about).map(|(tag, value)| (tag.to_owned(), value.into()));
    let body = serde_json::Value::Object(said.collect());
    SampleRequest::json(&body).with(shown::header(channel))
}
