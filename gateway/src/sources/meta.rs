//! How is a webhook of Meta set up, believed and taken apart? One way for all of them.
//!
//! Read in Meta's "Webhooks: Getting Started" (developers.facebook.com/docs/graph-api/webhooks/getting-started):
//! - `X-Hub-Signature-256` is `sha256=` and the HMAC-SHA256 of the body in lower-case hex, keyed with the app secret. It
//!   is made over Meta's own escaped spelling of the JSON, so only the bytes as they came will do.
//! - The webhook is set up by a GET: `hub.verify_token` must be the one that was agreed, `hub.challenge` is sent back.
//! - One request holds several entries with several changes.

use super::{Answer, Denied, JSON_TYPE, Refusal, Request, Setting, Value, json, signature, urlencoded};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(super) const VERIFY_TOKEN: Setting = Setting {
    name: "verify_token",
    value: Value::Secret,
    required: true,
    expected: "the token that Meta repeats when the webhook is set up",
};

const SIGNATURE: &str = "x-hub-signature-256";

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let genuine = if request.method == Method::GET { agreed(request, channel)? } else { signed(request, channel)? };
    if genuine { Ok(()) } else { Err(Denied::Wrong) }
}

fn agreed(request: &Request, channel: &Channel) -> Result<bool, Denied> {
    let token = channel.setting(VERIFY_TOKEN.name).ok_or(Denied::Misconfigured)?;
    let given = asked(request, "hub.verify_token").ok_or(Denied::Missing)?;
    let subscribes = asked(request, "hub.mode").as_deref() == Some("subscribe");
    Ok(signature::same(token.as_bytes(), given.as_bytes()) && subscribes)
}

fn signed(request: &Request, channel: &Channel) -> Result<bool, Denied> {
    if channel.secrets.is_empty() {
        return Err(Denied::Misconfigured);
    }
    let given = request.header(SIGNATURE).ok_or(Denied::Missing)?;
    let proves = |secret: &[u8]| signature::same(sign(secret, &request.body).as_bytes(), given.as_bytes());
    Ok(signature::any(&channel.secrets, proves))
}

fn asked(request: &Request, name: &str) -> Option<String> {
    let pairs = urlencoded::flat(request.query.as_bytes()).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn sign(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&signature::hmac_sha256(secret, &[body])))
}

/// The challenge of a set-up; 200 otherwise, for Meta takes nothing else as received.
pub(super) fn answer(request: &Request, _: &Channel, _: Option<&str>) -> Answer {
    match asked(request, "hub.challenge").filter(|_| request.method == Method::GET) {
        Some(challenge) => Answer::Body(challenge, "text/plain; charset=utf-8"),
        None => Answer::Accepted,
    }
}

/// The proof of a sample.
pub(super) fn header(channel: &Channel, body: &[u8]) -> Vec<(String, String)> {
    let secret = signature::current(&channel.secrets);
    secret.map(|secret| (SIGNATURE.to_owned(), sign(secret.as_bytes(), body))).into_iter().collect()
}

/// One request: what happened to several objects.
#[derive(Deserialize)]
pub(super) struct Notice<'a> {
    #[serde(borrow)]
    pub(super) entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(super) changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) field: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) value: &'a RawValue,
}

pub(super) fn read(request: &Request) -> Result<Notice<'_>, Refusal> {
    if !request.is(JSON_TYPE) {
        return Err(Refusal::MediaType);
    }
    let notice: Notice<'_> = json::typed(&request.body)?;
    if notice.entry.is_empty() {
        return Err(Refusal::Unreadable("the request tells of nothing"));
    }
    Ok(notice)
}
