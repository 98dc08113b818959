//! Does the address itself prove who posts? For providers that sign nothing and post wherever they are told to.
//!
//! Either the channel's `url_key` is part of the path, which the edge has compared already, or the channel has a
//! `secret`, which the query shows as `key` and which can be rotated. With neither nobody is believed.

use super::{Denied, Request, said, signature, urlencoded};
use crate::channel::Channel;

pub(super) const PARAMETER: &str = "key";

pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if channel.secrets.is_empty() {
        return if channel.url_key.is_some() { Ok(()) } else { Err(Denied::Misconfigured) };
    }
    let fields = urlencoded::flat(request.query.as_bytes()).map_err(|_| Denied::Malformed)?;
    let given = said::only(&fields, PARAMETER).ok_or(Denied::Missing)?;
    if signature::is_secret(&channel.secrets, given.as_bytes()) { Ok(()) } else { Err(Denied::Wrong) }
}

/// What proves a sample, below the channel's URL.
pub(super) fn path(channel: &Channel) -> String {
    let key = |secret| format!("?{}", urlencoded::write(&[(PARAMETER, secret)]));
    signature::current(&channel.secrets).map(key).unwrap_or_default()
}
