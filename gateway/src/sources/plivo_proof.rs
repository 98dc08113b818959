//! Does a request come from Plivo? It signs the public URL, a nonce and, since V3, every parameter.
//!
//! As the vendor's SDK does it (plivo 4.63.0, `plivo/utils/signature_v3.py`), base64 of HMAC-SHA256 with the Auth
//! Token:
//! - V3: the URL without its query, then `?` and the query's parameters, sorted, as `a=1&b=2`; of a POST with
//!   parameters `.` and these, sorted, as `a1b2`; at last `.` and the nonce. A POST whose URL has no query has the `?`
//!   and no first dot.
//! - V2: the URL without its query and the nonce. It does not cover what is said, so the channel has to ask for it.
//!
//! The header may hold several signatures; the main account signs into a header of its own.

use super::shared::fields::Pairs;
use super::shared::{signature, urlencoded};
use super::{Denied, FORM_TYPE, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::BASE64;
use http::Method;
use std::borrow::Cow;

pub(super) const VERSION: Setting = Setting::optional(
    "signature",
    Value::Word(&["v3", "v2"]),
    "\"v3\", or \"v2\" for an account that does not sign with V3 yet",
);

const V3: &str = "x-plivo-signature-v3";
const MAIN_V3: &str = "x-plivo-signature-ma-v3";
const V2: &str = "x-plivo-signature-v2";
const MOST_SIGNATURES: usize = 8;

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    let (names, nonce) = headers_of(channel);
    let nonce = request.header(nonce).ok_or(Denied::Missing)?;
    let given: Vec<&str> = names.iter().filter_map(|name| request.header(name)).collect();
    let given: Vec<&str> = given.iter().flat_map(|header| header.split(',')).map(str::trim).collect();
    if given.len() > MOST_SIGNATURES {
        return Err(Denied::Malformed);
    }
    if given.is_empty() {
        return Err(Denied::Missing);
    }
    let signed = if is_v2(channel) { bare(&request.url).to_owned() } else { base(request)? + "." };
    signature::prove(channel, |secret| {
        let proof = proof(secret, &signed, nonce);
        given.iter().fold(false, |genuine, given| signature::same(proof.as_bytes(), given.as_bytes()) | genuine)
    })
}

fn is_v2(channel: &Channel) -> bool {
    channel.setting(VERSION.name) == Some("v2")
}

fn headers_of(channel: &Channel) -> (&'static [&'static str], &'static str) {
    if is_v2(channel) { (&[V2], "x-plivo-signature-v2-nonce") } else { (&[V3, MAIN_V3], "x-plivo-signature-v3-nonce") }
}

fn proof(secret: &[u8], signed: &str, nonce: &str) -> String {
    BASE64.encode(&signature::hmac_sha256(secret, &[signed.as_bytes(), nonce.as_bytes()]))
}

fn bare(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// What V3 signs before the nonce. A body that it does not cover is nobody's word.
fn base(request: &Request) -> Result<String, Denied> {
    let query = urlencoded::flat(request.query.as_bytes()).map_err(|_| Denied::Malformed)?;
    let body = if request.body.is_empty() {
        Vec::new()
    } else if request.method == Method::POST && request.is(FORM_TYPE) {
        urlencoded::flat(&request.body).map_err(|_| Denied::Malformed)?
    } else {
        return Err(Denied::Wrong);
    };
    Ok(joined(bare(&request.url), query, body))
}

fn joined(url: &str, mut query: Pairs<'_>, mut body: Pairs<'_>) -> String {
    query.sort_unstable();
    body.sort_unstable();
    let mut base = url.to_owned();
    if !query.is_empty() || !body.is_empty() {
        base.push('?');
    }
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    base.push_str(&query.join("&"));
    if !query.is_empty() && !body.is_empty() {
        base.push('.');
    }
    body.iter().for_each(|(name, value)| base.extend([&**name, &**value]));
    base
}

/// What a form post of these fields to the channel's URL would carry.
pub(super) fn headers(channel: &Channel, fields: &[(&str, &str)], nonce: &str) -> Vec<(String, String)> {
    let Some(secret) = signature::current(&channel.secrets) else { return Vec::new() };
    let fields = fields.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect();
    let url = bare(&channel.url);
    let signed = if is_v2(channel) { url.to_owned() } else { joined(url, Vec::new(), fields) + "." };
    let (names, nonce_name) = headers_of(channel);
    let proof = proof(secret.as_bytes(), &signed, nonce);
    vec![(names[0].to_owned(), proof), (nonce_name.to_owned(), nonce.to_owned())]
}
