//! Does a request come from Twilio? It signs the public URL and, of a form post, every parameter.
//!
//! - Base64 of HMAC-SHA1 with the Auth Token; where `X-Twilio-Webhooks-Signature-Settings` names HMAC_SHA256, of that.
//!   Any other algorithm is refused.
//! - Parameters are sorted by name; a doubled name counts once for each different value, sorted.
//! - Twilio signs the URL sometimes with and sometimes without the port, so either is believed.
//! - Another body than a form is signed by its SHA-256 in the URL, `bodySHA256`.

use super::shared::{signature, urlencoded};
use super::{Denied, FORM_TYPE, Request};
use crate::channel::Channel;
use data_encoding::{BASE64, HEXLOWER};
use http::Method;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

pub(super) const SIGNATURE: &str = "x-twilio-signature";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const MOST_SIGNATURES: usize = 8;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
}

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::required(channel)?;
    if request.headers.get_all(SIGNATURE).iter().count() > MOST_SIGNATURES {
        return Err(Denied::Malformed);
    }
    let given = request.header(SIGNATURE).ok_or(Denied::Missing)?;
    let algorithm = algorithm(request)?;
    let parameters = signed_parameters(request)?;
    let spellings = spellings(&request.url);
    let genuine = spellings
        .iter()
        .fold(false, |genuine, url| genuine | is_signed(&channel.secrets, algorithm, url, &parameters, given));
    if genuine { Ok(()) } else { Err(Denied::Wrong) }
}

fn is_signed(secrets: &[SecretString], algorithm: Algorithm, url: &str, parameters: &str, given: &str) -> bool {
    signature::any(secrets, |secret| {
        signature::same(proof(secret, algorithm, url, parameters).as_bytes(), given.as_bytes())
    })
}

fn proof(secret: &[u8], algorithm: Algorithm, url: &str, parameters: &str) -> String {
    let parts = [url.as_bytes(), parameters.as_bytes()];
    match algorithm {
        Algorithm::Sha1 => BASE64.encode(&signature::hmac_sha1(secret, &parts)),
        Algorithm::Sha256 => BASE64.encode(&signature::hmac_sha256(secret, &parts)),
    }
}

/// As Twilio would sign a form post.
pub(super) fn sign(secret: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect();
    proof(secret.as_bytes(), Algorithm::Sha1, url, &joined(fields))
}

/// `key=…,algorithm=HMAC_SHA256`. Without an algorithm it is the old one; one we do not know is no proof.
fn algorithm(request: &Request) -> Result<Algorithm, Denied> {
    if !request.headers.contains_key(SETTINGS) {
        return Ok(Algorithm::Sha1);
    }
    let settings = request.header(SETTINGS).ok_or(Denied::Wrong)?;
    let named = settings.split(',').filter_map(|part| part.split_once('='));
    let named = named.filter(|(name, value)| name.trim() == "algorithm" && !value.trim().is_empty());
    match named.map(|(_, value)| value.trim()).next() {
        None => Ok(Algorithm::Sha1),
        Some(name) if name.eq_ignore_ascii_case("HMAC_SHA1") => Ok(Algorithm::Sha1),
        Some(name) if name.eq_ignore_ascii_case("HMAC_SHA256") => Ok(Algorithm::Sha256),
        Some(_) => Err(Denied::Wrong),
    }
}

/// What is signed beside the URL. A body that neither the parameters nor the URL cover is nobody's word.
fn signed_parameters(request: &Request) -> Result<String, Denied> {
    if request.body.is_empty() {
        return Ok(String::new());
    }
    if request.method == Method::POST && request.is(FORM_TYPE) {
        return urlencoded::flat(&request.body).map(joined).map_err(|_| Denied::Malformed);
    }
    let query = urlencoded::flat(request.query.as_bytes()).map_err(|_| Denied::Malformed)?;
    let (_, stated) = query.iter().find(|(name, _)| name == "bodySHA256").ok_or(Denied::Wrong)?;
    let real = HEXLOWER.encode(&Sha256::digest(&request.body));
    if signature::same(real.as_bytes(), stated.as_bytes()) { Ok(String::new()) } else { Err(Denied::Wrong) }
}

fn joined(mut fields: super::shared::fields::Pairs<'_>) -> String {
    fields.sort_unstable();
    fields.dedup();
    let mut joined = String::with_capacity(fields.iter().map(|(name, value)| name.len() + value.len()).sum());
    for (name, value) in &fields {
        joined.push_str(name);
        joined.push_str(value);
    }
    joined
}

/// The URL without a port and with one.
fn spellings(url: &str) -> [Cow<'_, str>; 2] {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |length| start + length);
    let (scheme, authority, rest) = (&url[..start], &url[start..end], &url[end..]);
    match authority.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())) {
        Some((host, _)) => [Cow::Owned(format!("{scheme}{host}{rest}")), Cow::Borrowed(url)],
        None => {
            let port = if scheme.eq_ignore_ascii_case("https://") { 443 } else { 80 };
            [Cow::Borrowed(url), Cow::Owned(format!("{scheme}{authority}:{port}{rest}"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_tried_with_and_without_its_port() {
        for (url, without, with) in [
            ("https://a.example/in/x?b=c", "https://a.example/in/x?b=c", "https://a.example:443/in/x?b=c"),
            ("http://a.example", "http://a.example", "http://a.example:80"),
            ("http://a.example:8080/x:1", "http://a.example/x:1", "http://a.example:8080/x:1"),
            ("https://[::1]:8443/", "https://[::1]/", "https://[::1]:8443/"),
            ("https://[::1]/", "https://[::1]/", "https://[::1]:443/"),
            ("https://a.example?u=b:1", "https://a.example?u=b:1", "https://a.example:443?u=b:1"),
        ] {
            assert_eq!(spellings(url), [without, with], "{url}");
        }
    }
}
