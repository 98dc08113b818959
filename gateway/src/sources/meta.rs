//! Is a request Meta's own? One proof for all its webhooks (developers.facebook.com, Webhooks, Getting Started).
//!
//! - A GET asks once, when the webhook is set up: who knows the channel's verify token gets its challenge echoed.
//! - A POST is signed with the app's secret over the raw body, whose letters beyond ASCII are escaped: written anew it
//!   would not fit its signature.

use super::{Answer, Denied, Request, Setting, Value, signature, urlencoded};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use secrecy::SecretString;

pub(super) const VERIFY_TOKEN: Setting = Setting {
    name: "verify_token",
    value: Value::Secret,
    required: true,
    expected: "the verify token: any text, entered here and in the app's webhook alike",
};

const SIGNATURE: &str = "x-hub-signature-256";

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if request.method == Method::GET {
        let expected = channel.setting(VERIFY_TOKEN.name).ok_or(Denied::Misconfigured)?;
        let given = asked(request, "hub.verify_token").ok_or(Denied::Missing)?;
        return if signature::same(expected.as_bytes(), given.as_bytes()) { Ok(()) } else { Err(Denied::Wrong) };
    }
    if channel.secrets.is_empty() {
        return Err(Denied::Misconfigured);
    }
    let given = request.header(SIGNATURE).ok_or(Denied::Missing)?;
    let proves = |secret: &[u8]| signature::same(signed(secret, &request.body).as_bytes(), given.as_bytes());
    if signature::any(&channel.secrets, proves) { Ok(()) } else { Err(Denied::Wrong) }
}

fn signed(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", HEXLOWER.encode(&signature::hmac_sha256(secret, &[body])))
}

/// The header that signs a sample.
pub(super) fn sign(secrets: &[SecretString], body: &str) -> Vec<(String, String)> {
    let secret = signature::current(secrets);
    secret.map(|secret| (SIGNATURE.to_owned(), signed(secret.as_bytes(), body.as_bytes()))).into_iter().collect()
}

/// What Meta wants to hear when it asks, and otherwise.
pub(super) fn answer(request: &Request) -> Answer {
    if request.method != Method::GET {
        return Answer::Text("ok");
    }
    Answer::Body(asked(request, "hub.challenge").unwrap_or_default(), "text/plain; charset=utf-8")
}

fn asked(request: &Request, name: &str) -> Option<String> {
    let pairs = urlencoded::flat(request.query.as_bytes()).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}
