//! How is a webhook of Meta (WhatsApp, Messenger, Instagram) set up, believed and taken apart?
//!
//! Read in Meta's "Webhooks: Getting Started" (developers.facebook.com/docs/graph-api/webhooks/getting-started):
//! - `X-Hub-Signature-256` is `sha256=` and the HMAC-SHA256 of the body in lower-case hex, keyed with the app secret. It
//!   is made over Meta's own escaped spelling of the JSON, so only the bytes as they came will do.
//! - The webhook is set up by a GET: `hub.verify_token` must be the one that was agreed, `hub.challenge` is sent back.
//! - One request holds several entries with several changes, up to 3 MB.

use super::{json, signature, urlencoded};
use crate::channel::Channel;
use crate::sources::{Answer, Denied, Refusal, Request, Setting, Value};
use data_encoding::HEXLOWER;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(crate) const VERIFY_TOKEN: Setting =
    Setting::required("verify_token", Value::Secret, "the token that Meta repeats when the webhook is set up");

const SIGNATURE: &str = "x-hub-signature-256";

pub(crate) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if request.method != Method::GET {
        return signature::in_header(request, channel, SIGNATURE, |secret| sign(secret, &request.body));
    }
    let token = channel.setting(VERIFY_TOKEN.name).ok_or(Denied::Misconfigured)?;
    let given = asked(request, "hub.verify_token").ok_or(Denied::Missing)?;
    let subscribes = asked(request, "hub.mode").as_deref() == Some("subscribe");
    let agreed = signature::same(token.as_bytes(), given.as_bytes());
    if agreed && subscribes { Ok(()) } else { Err(Denied::Wrong) }
}

fn asked(request: &Request, name: &str) -> Option<String> {
    let pairs = urlencoded::flat(request.query.as_bytes()).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn sign(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&signature::hmac_sha256(secret, &[body])))
}

/// The challenge of a set-up; 200 otherwise, for Meta takes nothing else as received.
pub(crate) fn answer(request: &Request, _: &Channel, _: Option<&str>) -> Answer {
    match asked(request, "hub.challenge").filter(|_| request.method == Method::GET) {
        Some(challenge) => Answer::Body(challenge, "text/plain; charset=utf-8"),
        None => Answer::Accepted,
    }
}

/// The proof of a sample.
pub(crate) fn header(channel: &Channel, body: &[u8]) -> Option<(String, String)> {
    signature::current(&channel.secrets).map(|secret| (SIGNATURE.to_owned(), sign(secret.as_bytes(), body)))
}

/// One request: what happened to several objects.
#[derive(Deserialize)]
pub(crate) struct Notice<'a> {
    #[serde(borrow)]
    pub(crate) object: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Entry<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) changes: Vec<Change<'a>>,
    #[serde(borrow, default)]
    pub(crate) messaging: Vec<&'a RawValue>,
    /// The same while another app has the conversation.
    #[serde(borrow, default)]
    pub(crate) standby: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct Change<'a> {
    #[serde(borrow)]
    pub(crate) field: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) value: &'a RawValue,
}

impl Entry<'_> {
    /// Ids come as text, in Meta's own tests as numbers.
    pub(crate) fn id(&self) -> &str {
        self.id.map(|id| id.get().trim_matches('"')).unwrap_or_default()
    }
}

pub(crate) fn read(request: &Request) -> Result<Notice<'_>, Refusal> {
    let notice: Notice<'_> = json::typed(request.json()?)?;
    if notice.entry.is_empty() {
        return Err(Refusal::Unreadable("the request tells of nothing"));
    }
    Ok(notice)
}
