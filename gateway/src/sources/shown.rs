//! Does the sender know the secret? It is shown in a header: as the password of HTTP Basic, as a Bearer token, or in
//! `X-Api-Key` for tools that fill in `Authorization` themselves.

use super::{Denied, Request, signature};
use crate::channel::Channel;
use data_encoding::BASE64;

const OWN: &str = "x-api-key";

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if channel.secrets.is_empty() {
        return Err(Denied::Misconfigured);
    }
    let given = match request.header(OWN) {
        Some(secret) => secret.as_bytes().to_vec(),
        None => authorization(request.header("authorization").ok_or(Denied::Missing)?).ok_or(Denied::Wrong)?,
    };
    if signature::is_secret(&channel.secrets, &given) { Ok(()) } else { Err(Denied::Wrong) }
}

/// RFC 6750 and RFC 7617; the name before the password may be anything.
fn authorization(said: &str) -> Option<Vec<u8>> {
    let (scheme, proof) = said.split_once(' ')?;
    let proof = proof.trim().as_bytes();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(proof.to_vec());
    }
    let pair = BASE64.decode(proof).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// The header of a sample.
pub(super) fn header(channel: &Channel) -> Option<(String, String)> {
    signature::current(&channel.secrets).map(|secret| ("authorization".to_owned(), format!("Bearer {secret}")))
}
