//! What becomes of an entry that cannot be read back? It must not hold up those behind it, nor vanish.

use lead::entry::{Entry, Signal, Unreadable};
use lead::ids::{ChannelId, Uid, WorkspaceId};
use lead::time::At;

/// What is known of an entry without reading it.
pub(crate) struct Place {
    pub(crate) workspace: WorkspaceId,
    pub(crate) channel: ChannelId,
    pub(crate) received_at: At,
}

impl Place {
    /// It goes to quarantine, with the request's own bytes. No other entry of its channel has this name.
    pub(crate) fn damaged(self, holder: &str, name: &str) -> Entry {
        let Self { workspace, channel, received_at } = self;
        tracing::error!(%workspace, %channel, holder, name, "entry.damaged: it cannot be read and goes to quarantine");
        Entry {
            uid: Uid::derived(channel.as_str(), name, "damaged row"),
            workspace,
            channel,
            received_at,
            source: "journal".to_owned(),
            synthetic: None,
            same: None,
            signal: Signal::Unreadable(Unreadable {
                reason: format!("it is damaged in the {holder}"),
                content_type: None,
                rest: None,
            }),
        }
    }
}
