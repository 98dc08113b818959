//! Is a request HubSpot's own? It signs in three ways, and its newest word counts (developers.hubspot.com, Validating
//! requests).
//!
//! - v3: base64 HMAC-SHA256 over method, address, body and time, not older than five minutes. Apps.
//! - v2: hex SHA-256 over secret, method, address and body. Workflows.
//! - v1: hex SHA-256 over secret and body. Apps, beside v3.
//! - A workflow may show a key instead: here the secret as `Authorization: Bearer …`.

use super::shared::signature;
use super::{Denied, Request, mail};

use crate::channel::Channel;
use data_encoding::{BASE64, HEXLOWER};

use lead::time::At;
use sha2::{Digest, Sha256};

const V3: &str = "x-hubspot-signature-v3";
pub(super) const OLDER: &str = "x-hubspot-signature";
pub(super) const VERSION: &str = "x-hubspot-signature-version";
const TIMESTAMP: &str = "x-hubspot-request-timestamp";

/// The escapes that HubSpot undoes in the address before it signs, and only these.
const UNDONE: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    if request.headers.contains_key(V3) {
        return newest(request, channel);
    }
    let Some(given) = request.header(OLDER) else { return mail::verify(request, channel) };
    let is_v2 = request.header(VERSION) == Some("v2");
    signature::prove(channel, |secret| {
        let ours = if is_v2 {
            v2(secret, request.method.as_str(), &request.url, &request.body)
        } else {
            v1(secret, &request.body)
        };
        signature::same(ours.as_bytes(), given.as_bytes())
    })
}

fn newest(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let timestamp = request.header(TIMESTAMP).ok_or(Denied::Missing)?;
    let sent_at = timestamp.parse().map(At::from_millis).map_err(|_| Denied::Wrong)?;
    let url = UNDONE.iter().fold(request.url.clone(), |url, (escape, letter)| url.replace(escape, letter));
    let parts = [request.method.as_str().as_bytes(), url.as_bytes(), &request.body, timestamp.as_bytes()];
    signature::in_header(request, channel, V3, |secret| BASE64.encode(&signature::hmac_sha256(secret, &parts)))?;
    signature::fresh(sent_at, request, signature::CLOCKS)
}

fn v1(secret: &[u8], body: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::new().chain_update(secret).chain_update(body).finalize())
}

pub(super) fn v2(secret: &[u8], method: &str, url: &str, body: &[u8]) -> String {
    let signed = Sha256::new().chain_update(secret).chain_update(method).chain_update(url).chain_update(body);
    HEXLOWER.encode(&signed.finalize())
}
