//! What lies where? Every key of ours, and what it holds.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `lg:{ws}:inbox` | stream | entries to decide: `row`, `entry`, `raw` |
//! | `lg:{ws}:events` | stream | the clean stream: `id`, `type`, `subject`, `data` |
//! | `lg:{ws}:head` | hash | `born`, `epoch`, `cursor`, `resting`: the fence |
//! | `lg:{ws}:lease`, `lg:{ws}:lease:feed:<channel>` | string | who decides now, who keeps a feed, for some seconds |
//! | `lg:{ws}:seen` … `lg:{ws}:floor` | hash | the records, a hash for each kind |
//! | `lg:{ws}:leads`, `lg:{ws}:waiting:<channel>` | sorted set | leads by arrival; those nobody has contacted |
//! | `lg:{ws}:timers`, `lg:{ws}:queue` | sorted set | what is due when; who waits since when |
//! | `lg:{ws}:books` | hash | signals by channel and verdict |
//! | `lg:{ws}:rows` | hash | which journal rows are decided, by stint of a gateway |
//! | `lg:{ws}:accepted` | hash | what each gateway has accepted |
//! | `lg:{ws}:refill`, `lg:{ws}:refill:<gateway>` | hash, stream | who brings back what was lost, and what it brings |
//! | `lg:{ws}:aside`, `lg:{ws}:aside:<kind>` | hash, sorted set | what was set aside, found by uid and listed by kind |
//! | `lg:{ws}:attempts`, `lg:{ws}:consumers` | hash | tries of an entry; how far readers have come |
//! | `lg:{ws}:notes` | hash | how far feeds have come, by channel |
//! | `lg:store`, `lg:workers`, `lg:rules`, `lg:workspaces` | hash, sorted set, hash, set | of all workspaces together |
//!
//! The braces make all keys of a workspace one slot of a cluster.

use crate::Duty;
use lead::ids::{ChannelId, WorkspaceId};
use lead::record::Key;

/// Version of the layout and fingerprint of the pepper.
pub(super) const STORE: &str = "lg:store";
/// Workers by the moment until which they are believed to live.
pub(super) const WORKERS: &str = "lg:workers";
/// Rules by their version.
pub(super) const RULES: &str = "lg:rules";
/// Every workspace there ever was.
pub(super) const WORKSPACES: &str = "lg:workspaces";

/// The keys of one workspace.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn of(workspace: &WorkspaceId) -> Self {
        Self { prefix: format!("lg:{{{workspace}}}:") }
    }

    /// `inbox`, `events`, `head`, …
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn lease(&self, duty: Duty<'_>) -> String {
        match duty {
            Duty::Decide => self.at("lease"),
            Duty::Feed(channel) => format!("{}lease:feed:{channel}", self.prefix),
        }
    }

    pub(super) fn waiting(&self, channel: &ChannelId) -> String {
        format!("{}waiting:{channel}", self.prefix)
    }

    /// What one gateway brings back after a loss.
    pub(super) fn refill(&self, gateway: &str) -> String {
        format!("{}refill:{gateway}", self.prefix)
    }

    pub(super) fn aside(&self, kind: &str) -> String {
        format!("{}aside:{kind}", self.prefix)
    }
}

/// Keys that are there or not, with their types; another type means that somebody else writes here.
pub(super) const TYPES: [(&str, &str); 23] = [
    ("inbox", "stream"),
    ("events", "stream"),
    ("head", "hash"),
    ("lease", "string"),
    ("seen", "hash"),
    ("same", "hash"),
    ("identity", "hash"),
    ("contact", "hash"),
    ("lead", "hash"),
    ("call", "hash"),
    ("unmatched", "hash"),
    ("exclusion", "hash"),
    ("floor", "hash"),
    ("leads", "zset"),
    ("timers", "zset"),
    ("queue", "zset"),
    ("books", "hash"),
    ("rows", "hash"),
    ("accepted", "hash"),
    ("refill", "hash"),
    ("aside", "hash"),
    ("attempts", "hash"),
    ("notes", "hash"),
];

/// The hash a record lies in, and its field.
pub(super) fn place(key: &Key) -> (&'static str, &[u8]) {
    match key {
        Key::Seen(uid) => ("seen", uid.bytes()),
        Key::Same(digest) => ("same", digest.bytes()),
        Key::Identity(identity) => ("identity", &identity.0),
        Key::Contact(id) => ("contact", id.bytes()),
        Key::Lead(id) => ("lead", id.bytes()),
        Key::Call(call) => ("call", call.bytes()),
        Key::Unmatched(identity) => ("unmatched", identity),
        Key::Exclusion(matcher) => ("exclusion", matcher.as_bytes()),
        Key::Floor => ("floor", b"floor"),
    }
}
