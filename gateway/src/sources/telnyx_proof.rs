//! Does a request come from Telnyx? It signs timestamp, `|` and body with Ed25519.
//!
//! As the vendor's SDK checks it (telnyx 4.189.0, `telnyx/lib/webhook_verification.py`); what is older or newer than
//! five minutes is not believed. The public key is the account's. Nobody but Telnyx can sign with it, so samples are
//! signed with a key that is made from the channel's own secret, and count as genuine too.

use super::shared::signature;
use super::{Denied, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use lead::time::At;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub(super) const PUBLIC_KEY: Setting = Setting::required(
    "public_key",
    Value::Texts,
    "a list with the public key of your Telnyx account, as its portal shows it",
);

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let keys: Vec<[u8; 32]> = public_keys(channel).collect();
    if keys.is_empty() {
        return Err(Denied::Misconfigured);
    }
    let given = request.header(SIGNATURE).ok_or(Denied::Missing)?;
    let stamp = request.header(TIMESTAMP).ok_or(Denied::Missing)?;
    signature::fresh(signature::moment(stamp).ok_or(Denied::Wrong)?, request, signature::CLOCKS)?;
    // Telnyx sends no empty body; without one it is the edge that asks, and the costly part can wait.
    if request.body.is_empty() {
        return Err(Denied::Wrong);
    }
    let given = BASE64.decode(given.as_bytes()).map_err(|_| Denied::Wrong)?;
    let signed = signed(stamp, &request.body);
    let genuine = keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(&signed, &given).is_ok());
    if genuine { Ok(()) } else { Err(Denied::Wrong) }
}

fn signed(stamp: &str, body: &[u8]) -> Vec<u8> {
    [stamp.as_bytes(), b"|", body].concat()
}

/// Telnyx's keys, and one for each of our own secrets: the samples are signed with it.
fn public_keys(channel: &Channel) -> impl Iterator<Item = [u8; 32]> {
    let own = channel.secrets.iter().map(SecretString::expose_secret).filter_map(sample_key);
    let own = own.filter_map(|pair| pair.public_key().as_ref().try_into().ok());
    channel.each_setting(PUBLIC_KEY.name).filter_map(public_key).chain(own)
}

/// 32 bytes in base64 or hex, bare or behind the head of a DER key (RFC 8410).
fn public_key(text: &str) -> Option<[u8; 32]> {
    const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let text = text.trim().as_bytes();
    let bytes = HEXLOWER_PERMISSIVE.decode(text).or_else(|_| BASE64.decode(text)).ok()?;
    bytes.strip_prefix(&DER).unwrap_or(&bytes).try_into().ok()
}

fn sample_key(secret: &str) -> Option<Ed25519KeyPair> {
    let seed = Sha256::new_with_prefix(b"leadgate telnyx sample ").chain_update(secret).finalize();
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}

/// As a sample of this body would be proved now.
pub(super) fn headers(channel: &Channel, body: &[u8], now: At) -> Vec<(String, String)> {
    let Some(pair) = signature::current(&channel.secrets).and_then(sample_key) else { return Vec::new() };
    let stamp = (now.millis() / 1000).to_string();
    let proof = BASE64.encode(pair.sign(&signed(&stamp, body)).as_ref());
    vec![(SIGNATURE.to_owned(), proof), (TIMESTAMP.to_owned(), stamp)]
}
