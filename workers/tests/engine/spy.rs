//! A ledger that fails on demand, in front of a real one.

use async_trait::async_trait;
use lead::changes::{AsideKind, Timer};
use lead::identity::Pepper;
use lead::ids::{ChannelId, ContactId, LeadId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state;
use lead::time::At;
use ledger::{
    Account, Arrived, Batch, Claim, Duty, Error, Keep, LeadFilter, Ledger, Position, Published, Result, SetAside,
    SharedLedger,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A record of another kind comes back for this entry: deciding it panics.
    Poison(Uid),
    /// So many commits fail.
    Commits(u32),
}

#[derive(Debug)]
pub(crate) struct Spy {
    real: SharedLedger,
    fault: Mutex<Option<Fault>>,
}

impl Spy {
    pub(crate) fn over(real: SharedLedger) -> Self {
        Self { real, fault: Mutex::new(None) }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    fn commit_fails(&self) -> bool {
        let mut fault = self.fault.lock().unwrap();
        match &mut *fault {
            Some(Fault::Commits(left)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[async_trait]
impl Ledger for Spy {
    async fn fetch(&self, workspace: &WorkspaceId, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let mut found = self.real.fetch(workspace, keys).await?;
        if let Some(Fault::Poison(uid)) = *self.fault.lock().unwrap() {
            for (key, record) in keys.iter().zip(&mut found) {
                if *key == Key::Seen(uid) {
                    *record = Some(Record::Identity(ContactId::from_bytes([0; 16])));
                }
            }
        }
        Ok(found)
    }

    async fn commit(&self, workspace: &WorkspaceId, claim: &Claim, batch: Batch) -> Result<()> {
        if self.commit_fails() {
            return Err(Error::Full);
        }
        self.real.commit(workspace, claim, batch).await
    }

    async fn lease(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str, life: Duration) -> Result<bool> {
        self.real.lease(workspace, duty, holder, life).await
    }
    async fn give_back(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str) -> Result<()> {
        self.real.give_back(workspace, duty, holder).await
    }
    async fn note(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<String>> {
        self.real.note(workspace, name).await
    }
    async fn put_note(&self, workspace: &WorkspaceId, name: &str, text: &str) -> Result<()> {
        self.real.put_note(workspace, name, text).await
    }
    async fn present(&self, holder: &str, life: Duration) -> Result<usize> {
        self.real.present(holder, life).await
    }
    async fn claim(&self, workspace: &WorkspaceId) -> Result<Claim> {
        self.real.claim(workspace).await
    }
    async fn inbox(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Arrived>> {
        self.real.inbox(workspace, after, limit, wait).await
    }
    async fn queue(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<(At, LeadId)>> {
        self.real.queue(workspace, limit).await
    }
    async fn due(&self, workspace: &WorkspaceId, now: At, limit: usize) -> Result<Vec<Timer>> {
        self.real.due(workspace, now, limit).await
    }
    async fn next_due(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        self.real.next_due(workspace).await
    }
    async fn attempt(&self, workspace: &WorkspaceId, entry: Uid) -> Result<u32> {
        self.real.attempt(workspace, entry).await
    }
    async fn rest(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<()> {
        self.real.rest(workspace, claim).await
    }
    async fn events(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Published>> {
        self.real.events(workspace, after, limit, wait).await
    }
    async fn last_event(&self, workspace: &WorkspaceId) -> Result<Position> {
        self.real.last_event(workspace).await
    }
    async fn consumer(&self, workspace: &WorkspaceId, name: &str) -> Result<Position> {
        self.real.consumer(workspace, name).await
    }
    async fn acknowledge(&self, workspace: &WorkspaceId, name: &str, position: Position, rewind: bool) -> Result<()> {
        self.real.acknowledge(workspace, name, position, rewind).await
    }
    async fn lead(&self, workspace: &WorkspaceId, id: LeadId) -> Result<Option<(state::Lead, Option<state::Contact>)>> {
        self.real.lead(workspace, id).await
    }
    async fn leads(
        &self,
        workspace: &WorkspaceId,
        filter: &LeadFilter,
    ) -> Result<Vec<(state::Lead, Option<state::Contact>)>> {
        self.real.leads(workspace, filter).await
    }
    async fn waiting(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, (u64, At)>> {
        self.real.waiting(workspace).await
    }
    async fn exclusions(
        &self,
        workspace: &WorkspaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<state::Exclusion>> {
        self.real.exclusions(workspace, after, limit).await
    }
    async fn aside(
        &self,
        workspace: &WorkspaceId,
        kind: AsideKind,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<SetAside>> {
        self.real.aside(workspace, kind, before, limit).await
    }
    async fn aside_one(&self, workspace: &WorkspaceId, uid: Uid) -> Result<Option<SetAside>> {
        self.real.aside_one(workspace, uid).await
    }
    async fn aside_count(&self, workspace: &WorkspaceId, kind: AsideKind) -> Result<u64> {
        self.real.aside_count(workspace, kind).await
    }
    async fn release(&self, workspace: &WorkspaceId, uid: Uid) -> Result<bool> {
        self.real.release(workspace, uid).await
    }
    async fn books(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, Account>> {
        self.real.books(workspace).await
    }
    async fn behind_since(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        self.real.behind_since(workspace).await
    }
    async fn keep_rules(&self, version: &str, text: &str) -> Result<()> {
        self.real.keep_rules(version, text).await
    }
    async fn trim(&self, now: At, keep: &Keep, pepper: &Pepper) -> Result<u64> {
        self.real.trim(now, keep, pepper).await
    }
    async fn backup(&self, folder: &Path) -> Result<()> {
        self.real.backup(folder).await
    }
}
