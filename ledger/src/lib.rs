//! What is durable, and in what order did it become so?
//!
//! Read in this order: [`journal`] (what was accepted, before anyone was told so), [`Ledger`] (state, timers, events
//! and the books of every workspace, moved forward one batch at a time), [`embedded`] (both in SQLite), [`redis`] (the
//! ledger on streams, which gateways and workers share). Only this crate knows SQLite and Redis. Every backend passes
//! [`conformance`].

pub mod commit;
pub mod conformance;
pub mod embedded;
pub mod error;
pub mod folder;
pub mod journal;
mod place;
pub mod redis;
mod sqlite;
mod wait;

pub use commit::{Batch, Position};
pub use error::{Error, Result};

use async_trait::async_trait;
use lead::books::Verdict;
use lead::changes::{AsideKind, Timer};
use lead::entry::Entry;
use lead::identity::Pepper;
use lead::ids::{ChannelId, LeadId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state;
use lead::time::At;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// State, timers, events and books of every workspace.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Takes the lease on a duty for `life`, or keeps it; false while another holder has it. A lease only says who
    /// should do it; that nobody else's commits count is the claim's doing.
    async fn lease(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str, life: Duration) -> Result<bool>;

    /// Gives a lease back before its time.
    async fn give_back(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str) -> Result<()>;

    /// What was last put under this name, for somebody who goes on where another stopped.
    async fn note(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<String>>;

    /// Keeps a short text under a name; the last one counts.
    async fn put_note(&self, workspace: &WorkspaceId, name: &str, text: &str) -> Result<()>;

    /// Says that a worker is there for `life`, none being a farewell; returns how many are.
    async fn present(&self, holder: &str, life: Duration) -> Result<usize>;

    /// Takes the workspace over: bumps the epoch, so that every commit of an earlier owner aborts whole.
    async fn claim(&self, workspace: &WorkspaceId) -> Result<Claim>;

    /// Entries after `after` in their order, waiting up to `wait` for the first.
    async fn inbox(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Arrived>>;

    /// The records of `keys`, in the order asked; what is not known is `None`.
    async fn fetch(&self, workspace: &WorkspaceId, keys: &[Key]) -> Result<Vec<Option<Record>>>;

    /// The oldest leads of the queue.
    async fn queue(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<(At, LeadId)>>;

    /// Timers due at `now`, oldest first.
    async fn due(&self, workspace: &WorkspaceId, now: At, limit: usize) -> Result<Vec<Timer>>;

    /// When the next timer is due.
    async fn next_due(&self, workspace: &WorkspaceId) -> Result<Option<At>>;

    /// State, events, timers, counters and the cursor, together or not at all. [`Error::Fenced`] when another worker
    /// has claimed the workspace since.
    async fn commit(&self, workspace: &WorkspaceId, claim: &Claim, batch: Batch) -> Result<()>;

    /// Writes down that `entry` is about to be decided alone; returns how often that has been tried before.
    async fn attempt(&self, workspace: &WorkspaceId, entry: Uid) -> Result<u32>;

    /// Says that the engine stopped with nothing under way.
    async fn rest(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<()>;

    /// Events after `after`, waiting up to `wait` for the first.
    async fn events(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Published>>;

    /// The position of the newest event.
    async fn last_event(&self, workspace: &WorkspaceId) -> Result<Position>;

    /// Where a registered consumer stands; a new name starts at the beginning.
    async fn consumer(&self, workspace: &WorkspaceId, name: &str) -> Result<Position>;

    /// Registers a consumer or moves its position; it never moves back unless `rewind`.
    async fn acknowledge(&self, workspace: &WorkspaceId, name: &str, position: Position, rewind: bool) -> Result<()>;

    async fn lead(&self, workspace: &WorkspaceId, id: LeadId) -> Result<Option<(state::Lead, Option<state::Contact>)>>;

    /// Leads, newest first, before `before`.
    async fn leads(
        &self,
        workspace: &WorkspaceId,
        filter: &LeadFilter,
    ) -> Result<Vec<(state::Lead, Option<state::Contact>)>>;

    /// Open, sales-relevant leads nobody has contacted: per channel the number and the oldest arrival.
    async fn waiting(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, (u64, At)>>;

    async fn exclusions(
        &self,
        workspace: &WorkspaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<state::Exclusion>>;

    /// Entries set aside: dead, quarantined, excluded or junk; newest first.
    async fn aside(
        &self,
        workspace: &WorkspaceId,
        kind: AsideKind,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<SetAside>>;

    async fn aside_one(&self, workspace: &WorkspaceId, uid: Uid) -> Result<Option<SetAside>>;

    async fn aside_count(&self, workspace: &WorkspaceId, kind: AsideKind) -> Result<u64>;

    /// Takes an entry out of what was set aside; the caller has already journalled it anew, as an entry of its own.
    async fn release(&self, workspace: &WorkspaceId, uid: Uid) -> Result<bool>;

    /// Per channel: what was accepted, what became of it, and what is still in flight, at one instant.
    async fn books(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, Account>>;

    /// When the oldest accepted entry that is not decided yet was received.
    async fn behind_since(&self, workspace: &WorkspaceId) -> Result<Option<At>>;

    /// Rules are kept by their hash, so that a decision can be explained after the rules have changed.
    async fn keep_rules(&self, version: &str, text: &str) -> Result<()>;

    /// Removes what is past its age and past every registered consumer. Returns how much. The books stay as they are.
    /// With a contact go the keys that lead to it, which the pepper tells.
    async fn trim(&self, now: At, keep: &Keep, pepper: &Pepper) -> Result<u64>;

    /// A consistent copy into a new folder. A journal is copied after it by whoever has one, so that its copy holds
    /// every row that this copy has not decided.
    async fn backup(&self, folder: &std::path::Path) -> Result<()>;
}

pub type SharedLedger = Arc<dyn Ledger>;

/// What one process at a time should do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Duty<'a> {
    /// Decide for the workspace.
    Decide,
    /// Keep the connection of a channel that is fetched rather than sent.
    Feed(&'a ChannelId),
}

/// The right to decide for a workspace, until somebody else claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub epoch: u64,
    /// The entry up to which everything is decided.
    pub cursor: Position,
    /// The last owner stopped with a batch under way: go one entry at a time for a while.
    pub unclean: bool,
}

#[derive(Clone, Debug)]
pub struct Arrived {
    pub position: Position,
    pub entry: Arc<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub position: Position,
    pub id: String,
    pub kind: String,
    pub subject: String,
    /// The CloudEvent, whole.
    pub json: String,
}

#[derive(Clone, Debug, Default)]
pub struct LeadFilter {
    pub before: Option<(At, LeadId)>,
    pub open: Option<bool>,
    pub channel: Option<ChannelId>,
    pub owner: Option<String>,
    pub stage: Option<lead::entry::Stage>,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct SetAside {
    pub position: Position,
    pub kind: AsideKind,
    pub reason: String,
    pub attempts: u32,
    pub at: At,
    pub entry: Entry,
    /// The request's bytes where the journal still has them.
    pub raw: Option<Vec<u8>>,
}

/// One channel's line in the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub accepted: u64,
    pub verdicts: BTreeMap<Verdict, i64>,
    pub in_flight: u64,
}

impl Account {
    /// What is missing (above zero) or too much (below); zero when the books balance.
    pub fn difference(&self) -> i64 {
        let known: i64 = self.verdicts.values().sum::<i64>() + i64::try_from(self.in_flight).unwrap_or(i64::MAX);
        i64::try_from(self.accepted).unwrap_or(i64::MAX) - known
    }
}

/// How long things are kept.
#[derive(Clone, Debug)]
pub struct Keep {
    pub events: Duration,
    pub inbox: Duration,
    pub journal: Duration,
    pub seen: Duration,
    pub closed: Duration,
    /// What was set aside, from that moment on. Dead letters stay whatever it says.
    pub aside: Duration,
}
