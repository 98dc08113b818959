//! How is a proof compared? In constant time, against every secret that is valid while one is being rotated.

use crate::channel::Channel;
use crate::sources::{Denied, Request};
use hmac::{Hmac, KeyInit, Mac};
use lead::time::At;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

/// HMAC-SHA1 over the parts as if they were one text.
pub(crate) fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 over the parts as if they were one text.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Equal? Both sides are hashed first, so neither the place of the first difference nor the length shows in the time.
pub(crate) fn same(ours: &[u8], theirs: &[u8]) -> bool {
    equal(ours, theirs).into()
}

fn equal(ours: &[u8], theirs: &[u8]) -> Choice {
    Sha256::digest(ours).ct_eq(&Sha256::digest(theirs))
}

/// Does any valid secret prove it? Every secret is tried, so the time does not tell which one fitted.
pub(crate) fn any(secrets: &[SecretString], proves: impl Fn(&[u8]) -> bool) -> bool {
    secrets.iter().fold(false, |proven, secret| proves(secret.expose_secret().as_bytes()) | proven)
}

/// By how much two clocks may differ: the window of every provider that signs anew for each try.
pub(crate) const CLOCKS: Duration = Duration::from_secs(5 * 60);

/// Was it signed lately? `oldest` is how long the sender tries with one signature.
pub(crate) fn fresh(signed_at: At, request: &Request, oldest: Duration) -> Result<(), Denied> {
    let now = request.received_at;
    if signed_at >= now.minus(oldest) && signed_at.minus(CLOCKS) <= now { Ok(()) } else { Err(Denied::Stale) }
}

/// The moment that a count of seconds means; none for what no clock of this age would show.
pub(crate) fn moment(seconds: &str) -> Option<At> {
    let seconds = seconds.parse().ok().filter(|seconds| (0..=99_999_999_999).contains(seconds));
    seconds.map(At::from_secs)
}

/// Does a header hold what one of the channel's secrets makes of the request?
pub(crate) fn in_header<T: AsRef<[u8]>>(
    request: &Request,
    channel: &Channel,
    name: &str,
    expected: impl Fn(&[u8]) -> T,
) -> Result<(), Denied> {
    required(channel)?;
    let given = request.header(name).ok_or(Denied::Missing)?;
    prove(channel, |secret| same(expected(secret).as_ref(), given.as_bytes()))
}

/// Is what the sender shows one of the channel's secrets?
pub(crate) fn shown(channel: &Channel, given: impl AsRef<[u8]>) -> Result<(), Denied> {
    prove(channel, |secret| same(secret, given.as_ref()))
}

/// Does one of the channel's secrets prove it?
pub(crate) fn prove(channel: &Channel, proves: impl Fn(&[u8]) -> bool) -> Result<(), Denied> {
    required(channel)?;
    if any(&channel.secrets, proves) { Ok(()) } else { Err(Denied::Wrong) }
}

/// Without a secret nothing can be told; the configuration should not have come so far.
pub(crate) fn required(channel: &Channel) -> Result<(), Denied> {
    if channel.secrets.is_empty() { Err(Denied::Misconfigured) } else { Ok(()) }
}

/// The secret that signs samples: the current one.
pub(crate) fn current(secrets: &[SecretString]) -> Option<&str> {
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
        let is_one = |given: &[u8]| any(&secrets, |secret| same(secret, given));
        assert!(is_one(b"new") && is_one(b"old"));
        assert!(!is_one(b"older"));
        assert!(!any(&[], |_| true));
    }
}
