//! How does `tests/fuzz` play an exchange that says anything at all? It is listened to as the feed listens, over a wire
//! of its own, and hears what would be told of its calls.

use super::ami::Ami;
use super::fold::{Fold, Plan};
use crate::channel::Channel;
use lead::time::At;
use tokio::io::{AsyncRead, AsyncWrite};

/// The bodies of the requests that the source reads.
#[doc(hidden)]
pub async fn ami(
    wire: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    channel: &Channel,
    now: At,
) -> Vec<Vec<u8>> {
    let Ok(mut ami) = Ami::begin(Box::new(wire)).await else { return Vec::new() };
    let (mut fold, mut listed, mut steps) = (Fold::new(Plan::of(channel)), Vec::new(), Vec::new());
    while let Ok(block) = ami.read().await {
        match block.get("Event") {
            Some("CoreShowChannel") => listed.push(block),
            Some("CoreShowChannelsComplete") => steps.extend(fold.going_on(&std::mem::take(&mut listed), now)),
            _ => steps.extend(fold.event(&block, now)),
        }
    }
    steps.iter().map(|step| serde_json::to_vec(step).unwrap_or_default()).collect()
}
