//! How is a proof compared? In constant time, against every secret that is valid while one is being rotated.

use super::{Denied, Request};
use crate::channel::Channel;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// HMAC-SHA1 over the parts as if they were one text.
pub(super) fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 over the parts as if they were one text.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Equal? Both sides are hashed first, so neither the place of the first difference nor the length shows in the time.
pub(super) fn same(ours: &[u8], theirs: &[u8]) -> bool {
    equal(ours, theirs).into()
}

fn equal(ours: &[u8], theirs: &[u8]) -> Choice {
    Sha256::digest(ours).ct_eq(&Sha256::digest(theirs))
}

/// Does any valid secret prove it? Every secret is tried, so the time does not tell which one fitted.
pub(super) fn any(secrets: &[SecretString], proves: impl Fn(&[u8]) -> bool) -> bool {
    secrets.iter().fold(false, |proven, secret| proves(secret.expose_secret().as_bytes()) | proven)
}

/// Is `given` itself one of the valid secrets?
pub(super) fn is_secret(secrets: &[SecretString], given: &[u8]) -> bool {
    any(secrets, |secret| same(secret, given))
}

/// Does the head show one of the valid secrets, as the password of HTTP Basic or as a Bearer token?
pub(super) fn is_shown(secrets: &[SecretString], request: &Request) -> Result<(), Denied> {
    let (scheme, proof) =
        request.header("authorization").and_then(|said| said.split_once(' ')).ok_or(Denied::Missing)?;
    let given = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => proof.trim().as_bytes().to_vec(),
        "basic" => password(proof).ok_or(Denied::Wrong)?,
        _ => return Err(Denied::Wrong),
    };
    if is_secret(secrets, &given) { Ok(()) } else { Err(Denied::Wrong) }
}

fn password(proof: &str) -> Option<Vec<u8>> {
    let pair = BASE64.decode(proof.trim().as_bytes()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// For a sender that can show a password at most: a channel without a secret must have an unguessable address.
pub(super) fn is_shown_or_keyed(request: &Request, channel: &Channel) -> Result<(), Denied> {
    match (channel.secrets.is_empty(), &channel.url_key) {
        (false, _) => is_shown(&channel.secrets, request),
        (true, Some(_)) => Ok(()),
        (true, None) => Err(Denied::Misconfigured),
    }
}

/// The header with which a sample shows the current secret.
pub(super) fn basic(channel: &Channel) -> Option<(String, String)> {
    let pair = BASE64.encode(format!("leadgate:{}", current(&channel.secrets)?).as_bytes());
    Some(("authorization".to_owned(), format!("Basic {pair}")))
}

/// The secret that signs samples: the current one.
pub(super) fn current(secrets: &[SecretString]) -> Option<&str> {
    secrets.first().map(ExposeSecret::expose_secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn hmac_gives_the_values_of_rfc_2202_and_rfc_4231() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(HEXLOWER.encode(&hmac_sha1(b"Jefe", &parts)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            HEXLOWER.encode(&hmac_sha256(b"Jefe", &parts)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_equal_texts_are_the_same_whatever_their_length() {
        assert!(same(b"secret", b"secret"));
        for other in [&b""[..], b"secre", b"secret1", b"Secret"] {
            assert!(!same(b"secret", other));
        }
    }

    #[test]
    fn while_a_secret_is_rotated_both_are_valid() {
        let secrets = ["new".to_owned().into(), "old".to_owned().into()];
        assert!(is_secret(&secrets, b"new") && is_secret(&secrets, b"old"));
        assert!(!is_secret(&secrets, b"older"));
        assert!(!is_secret(&[], b""));
    }
}
