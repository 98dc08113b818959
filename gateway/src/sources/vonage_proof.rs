//! Does a request come from Vonage? It brings a JSON Web Token (RFC 7519) as a Bearer token.
//!
//! HS256 with the account's signature secret, and nothing else: the algorithm is ours, not the token's to choose. `iat`
//! must be fresh; `payload_hash` is the SHA-256 of the body in hex and is demanded of every request that has one
//! (developer.vonage.com, "Decoding signed webhooks").

use super::shared::phases::Event;
use super::shared::signature;
use super::{Denied, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::Method;
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Vonage began to sign voice webhooks endpoint by endpoint.
pub(super) const SIGNED: Setting = Setting::optional(
    "signed",
    Value::Word(&["all", "events", "if_present"]),
    "what Vonage signs: \"all\", \"events\" but not the answer webhook, or whatever comes signed: \"if_present\"",
);

const LONGEST_TOKEN: usize = 4 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    payload_hash: Option<String>,
}

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    if !request.headers.contains_key("authorization") {
        return if may_lack_token(request, channel) { Ok(()) } else { Err(Denied::Missing) };
    }
    let said = request.header("authorization").ok_or(Denied::Wrong)?;
    let (scheme, token) = said.split_once(' ').ok_or(Denied::Wrong)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Wrong);
    }
    if token.len() > LONGEST_TOKEN {
        return Err(Denied::Malformed);
    }
    let claims = claims(token.trim(), channel).ok_or(Denied::Wrong)?;
    signature::fresh(At::from_secs(claims.iat), request, signature::CLOCKS)?;
    if covers(&claims, &request.body) { Ok(()) } else { Err(Denied::Wrong) }
}

/// Where a webhook is not signed the secret has to be in the address.
fn may_lack_token(request: &Request, channel: &Channel) -> bool {
    let unsigned = match channel.setting(SIGNED.name) {
        Some("if_present") => true,
        Some("events") => only_asks(request, channel),
        _ => false,
    };
    unsigned && channel.url_key.is_some()
}

/// The answer webhook is the one that is asked with GET, or below the path `/answer`. It tells nothing of what became
/// of the call; before the body is there nothing is told yet.
fn only_asks(request: &Request, channel: &Channel) -> bool {
    let answer = request.method == Method::GET || request.rest == "answer";
    let tells = |event: &Event<'_>| event.first(&["status", "recording_url"]).is_some();
    answer && !Event::of(request, channel, &[]).is_ok_and(|event| tells(&event))
}

/// What a token says that one of our secrets signed.
fn claims(token: &str, channel: &Channel) -> Option<Claims> {
    let (signed, given) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header: Header = decoded(header)?;
    let given = BASE64URL_NOPAD.decode(given.as_bytes()).ok()?;
    let genuine = signature::any(&channel.secrets, |secret| {
        signature::same(&signature::hmac_sha256(secret, &[signed.as_bytes()]), &given)
    });
    (header.alg == "HS256" && genuine).then(|| decoded(payload))?
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

fn covers(claims: &Claims, body: &[u8]) -> bool {
    match &claims.payload_hash {
        Some(hash) => signature::same(hash.to_ascii_lowercase().as_bytes(), digest(body).as_bytes()),
        None => body.is_empty(),
    }
}

fn digest(body: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(body))
}

/// As Vonage would prove this body now.
pub(super) fn header(channel: &Channel, body: &[u8], now: At) -> Option<(String, String)> {
    let secret = signature::current(&channel.secrets)?;
    let part = |json: serde_json::Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let claims = json!({ "iss": "Vonage", "iat": now.millis() / 1000, "payload_hash": digest(body) });
    let signed = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let proof = signature::hmac_sha256(secret.as_bytes(), &[signed.as_bytes()]);
    Some(("authorization".to_owned(), format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(&proof))))
}
