//! How is a sender believed that cannot sign? It shows the channel's secret: as the password of HTTP Basic, as a Bearer
//! token, in the header `X-Api-Key` or in the query as `key`. Where its address alone can be kept secret, the address's
//! own key, which the edge has compared already, is enough.

use super::{signature, urlencoded};
use crate::channel::Channel;
use crate::sources::{Denied, Request};
use data_encoding::BASE64;

/// For a source that nobody may knock at without a secret or a key of its address.
pub(crate) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if by_address(channel) {
        return Ok(());
    }
    signature::required(channel)?;
    prove(request, channel)
}

/// Is the key of its address all that is to be shown?
pub(crate) fn by_address(channel: &Channel) -> bool {
    channel.secrets.is_empty() && channel.url_key.is_some()
}

/// Is one of the channel's secrets shown?
pub(crate) fn prove(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let given = given(request)?;
    let is_secret = signature::any(&channel.secrets, |secret| signature::same(secret, &given));
    if is_secret { Ok(()) } else { Err(Denied::Wrong) }
}

fn given(request: &Request) -> Result<Vec<u8>, Denied> {
    if let Some(said) = request.header("authorization") {
        let (scheme, proof) = said.split_once(' ').ok_or(Denied::Wrong)?;
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Ok(proof.trim().as_bytes().to_vec()),
            "basic" => password(proof).ok_or(Denied::Wrong),
            _ => Err(Denied::Wrong),
        };
    }
    let header = request.header("x-api-key").map(|key| key.as_bytes().to_vec());
    header.or_else(|| in_query(&request.query)).ok_or(Denied::Missing)
}

fn password(proof: &str) -> Option<Vec<u8>> {
    let pair = BASE64.decode(proof.trim().as_bytes()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

fn in_query(query: &str) -> Option<Vec<u8>> {
    let pairs = urlencoded::flat(query.as_bytes()).ok()?;
    let mut keys = pairs.into_iter().filter(|(name, _)| name == KEY);
    // Two are none: another reader may take the other one.
    let (Some((_, key)), None) = (keys.next(), keys.next()) else { return None };
    Some(key.into_owned().into_bytes())
}

/// The query's parameter that holds the secret, and so is nobody's field.
pub(crate) const KEY: &str = "key";

/// Shows it in a sample of a provider that posts wherever it is told to and sets no header: below the channel's URL.
pub(crate) fn in_url(channel: &Channel) -> String {
    let key = |secret| format!("?{}", urlencoded::write(&[(KEY, secret)]));
    signature::current(&channel.secrets).map(key).unwrap_or_default()
}

/// The header of a sample that shows the current secret.
pub(crate) fn header(channel: &Channel) -> Option<(String, String)> {
    let secret = signature::current(&channel.secrets)?;
    Some(("authorization".to_owned(), format!("Basic {}", BASE64.encode(format!("leadgate:{secret}").as_bytes()))))
}
