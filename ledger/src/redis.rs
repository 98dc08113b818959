//! The ledger on Redis streams: shared by any number of gateways and workers.
//!
//! Read in this order: `keys` (what lies where), [`Forwarder`] (journal to inbox), `tenure` (who decides, and the fence
//! around every commit), `commit` (what a batch writes), `desk` and `books` (what is read). A workspace is one hash
//! slot, a batch one transaction, and a connection is dropped after any error.

mod bell;
mod books;
mod commit;
mod desk;
mod dump;
mod forward;
mod greet;
mod inbox;
mod inspect;
mod keys;
pub mod link;
mod refill;
mod rows;
pub mod settings;
mod tenure;
mod trim;
mod words;

pub use dump::{Dump, Progress, Restored};
pub use forward::{Durability, Forwarder, Forwarding, Unreleased};
pub use inspect::Inspection;
pub use link::{Address, Dial, SharedDial};

use crate::commit::{Batch, Position};
use crate::error::{Error, Result};
use crate::wait::until;
use crate::{Account, Arrived, Claim, Duty, Keep, LeadFilter, Ledger, Published, SetAside};
use ::redis::Pipeline;
use async_trait::async_trait;
use bell::Bells;
use keys::{Keys, place};
use lead::changes::{AsideKind, Timer};
use lead::identity::Pepper;
use lead::ids::{ChannelId, LeadId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state;
use lead::time::At;
use link::Shared;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tenure::Tenure;
use words::{Answers, read, stream_id};

/// See the module.
#[derive(Debug)]
pub struct Redis {
    dial: SharedDial,
    shared: Shared,
    /// What tells the store's pepper from another, without telling it.
    fingerprint: String,
    tenures: Mutex<HashMap<WorkspaceId, Arc<Tenure>>>,
    bells: Bells,
    sweeps: trim::Sweeps,
}

impl Redis {
    /// Does not connect: a store that is away is no reason not to start.
    pub fn new(dial: SharedDial, pepper: &[u8]) -> Self {
        Self {
            shared: Shared::new(Arc::clone(&dial)),
            bells: Bells::new(Arc::clone(&dial)),
            fingerprint: greet::fingerprint(pepper),
            tenures: Mutex::default(),
            sweeps: trim::Sweeps::default(),
            dial,
        }
    }

    fn tenure(&self, workspace: &WorkspaceId) -> Option<Arc<Tenure>> {
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner).get(workspace).cloned()
    }

    /// A tenure that failed is over, whoever noticed first.
    fn end(&self, workspace: &WorkspaceId, tenure: &Arc<Tenure>) {
        let mut tenures = self.tenures.lock().unwrap_or_else(PoisonError::into_inner);
        if tenures.get(workspace).is_some_and(|current| Arc::ptr_eq(current, tenure)) {
            tenures.remove(workspace);
        }
    }

    fn unless_failed<T>(&self, workspace: &WorkspaceId, tenure: &Arc<Tenure>, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.end(workspace, tenure);
        }
        outcome
    }

    /// What was decided well and could not be committed has not been tried in vain: an owner who is ousted must not bring
    /// an entry nearer to its burial. Where that cannot be said now, it counts.
    async fn forgive(&self, keys: &Keys, uid: Uid) {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(keys.at("attempts")).arg(uid.bytes());
        let Ok(mut told) = self.shared.ask(&question).await else { return };
        // None: the commit went through after all.
        if let Ok(Some(1..)) = read::<Option<i64>>(told.pop().unwrap_or_default()) {
            let mut order = Pipeline::new();
            order.cmd("HINCRBY").arg(keys.at("attempts")).arg(uid.bytes()).arg(-1);
            let _ = self.shared.ask(&order).await;
        }
    }

    fn claimed(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<Arc<Tenure>> {
        self.tenure(workspace).filter(|tenure| tenure.epoch() == claim.epoch).ok_or(Error::Fenced)
    }

    /// On the owner's connection where there is one, so that what is read is what its commit will find.
    async fn ask(&self, workspace: &WorkspaceId, question: &Pipeline) -> Result<Answers> {
        match self.tenure(workspace) {
            Some(tenure) => self.unless_failed(workspace, &tenure, tenure.ask(question).await),
            None => Ok(Answers::of(self.shared.ask(question).await?)),
        }
    }

    /// Records on the connection that everybody shares.
    async fn look_up(&self, keys: &Keys, names: &[Key]) -> Result<Vec<Option<Record>>> {
        let Some((question, order)) = record_question(keys, names) else { return Ok(Vec::new()) };
        records(names, &order, Answers::of(self.shared.ask(&question).await?))
    }
}

/// One look-up for each kind, and which name each of its answers belongs to.
fn record_question(keys: &Keys, names: &[Key]) -> Option<(Pipeline, Vec<Vec<usize>>)> {
    let mut kinds: BTreeMap<&str, (Vec<&[u8]>, Vec<usize>)> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let (kind, field) = place(name);
        let (fields, order) = kinds.entry(kind).or_default();
        fields.push(field);
        order.push(index);
    }
    let mut question = Pipeline::new();
    let mut orders = Vec::new();
    for (kind, (fields, order)) in kinds {
        question.cmd("HMGET").arg(keys.at(kind)).arg(fields);
        orders.push(order);
    }
    (!names.is_empty()).then_some((question, orders))
}

fn records(names: &[Key], orders: &[Vec<usize>], mut told: Answers) -> Result<Vec<Option<Record>>> {
    let mut found: Vec<Option<Record>> = vec![None; names.len()];
    for order in orders {
        let values: Vec<Option<Vec<u8>>> = told.next()?;
        for (index, value) in order.iter().zip(values) {
            let decode = |bytes: Vec<u8>| names[*index].decode(&bytes).ok_or(Error::Corrupt("record"));
            found[*index] = value.map(decode).transpose()?;
        }
    }
    Ok(found)
}

#[async_trait]
impl Ledger for Redis {
    async fn lease(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str, life: Duration) -> Result<bool> {
        let key = Keys::of(workspace).lease(duty);
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let mut order = Pipeline::new();
        order.cmd("SET").arg(&key).arg(holder).arg("NX").arg("GET").arg("PX").arg(life);
        let held: Option<String> = read(self.shared.ask(&order).await?.pop().unwrap_or_default())?;
        if held.is_some() {
            let mut keep = Pipeline::new();
            let order = keep.cmd("PEXPIRE").arg(&key).arg(life);
            if held.as_deref() != Some(holder) {
                // Only ever shorter: a server whose clock went back would keep a dead holder's lease for as long.
                order.arg("LT");
            }
            self.shared.ask(&keep).await?;
        }
        Ok(held.is_none_or(|held| held == holder))
    }

    async fn give_back(&self, workspace: &WorkspaceId, duty: Duty<'_>, holder: &str) -> Result<()> {
        let key = Keys::of(workspace).lease(duty);
        let mut question = Pipeline::new();
        question.cmd("GET").arg(&key);
        let held: Option<String> = read(self.shared.ask(&question).await?.pop().unwrap_or_default())?;
        if held.as_deref() == Some(holder) {
            let mut order = Pipeline::new();
            order.cmd("DEL").arg(&key);
            self.shared.ask(&order).await?;
        }
        Ok(())
    }

    async fn note(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<String>> {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(Keys::of(workspace).at("notes")).arg(name);
        read(self.shared.ask(&question).await?.pop().unwrap_or_default())
    }

    async fn put_note(&self, workspace: &WorkspaceId, name: &str, text: &str) -> Result<()> {
        let mut order = Pipeline::new();
        order.cmd("HSET").arg(Keys::of(workspace).at("notes")).arg(name).arg(text);
        self.shared.ask(&order).await.map(drop)
    }

    async fn present(&self, holder: &str, life: Duration) -> Result<usize> {
        let mut question = Pipeline::new();
        question.cmd("TIME");
        let (seconds, micros): (u64, u64) = read(self.shared.ask(&question).await?.pop().unwrap_or_default())?;
        let now = seconds * 1_000 + micros / 1_000;
        let mut order = Pipeline::new();
        if life.is_zero() {
            order.cmd("ZREM").arg(keys::WORKERS).arg(holder);
        } else {
            let until = now + u64::try_from(life.as_millis()).unwrap_or(0);
            order.cmd("ZADD").arg(keys::WORKERS).arg(until).arg(holder);
        }
        order.cmd("ZREMRANGEBYSCORE").arg(keys::WORKERS).arg("-inf").arg(format!("({now}"));
        if !life.is_zero() {
            // Nobody promises to live so long: the server's clock was ahead when he did.
            let longest = now + 4 * u64::try_from(life.as_millis()).unwrap_or(0);
            order.cmd("ZREMRANGEBYSCORE").arg(keys::WORKERS).arg(format!("({longest}")).arg("+inf");
        }
        order.cmd("ZCARD").arg(keys::WORKERS);
        read(self.shared.ask(&order).await?.pop().unwrap_or_default())
    }

    async fn claim(&self, workspace: &WorkspaceId) -> Result<Claim> {
        self.greet().await?;
        let (tenure, claim) = Tenure::claim(workspace, &self.dial).await?;
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace.clone(), Arc::new(tenure));
        Ok(claim)
    }

    async fn inbox(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Arrived>> {
        match self.tenure(workspace) {
            Some(tenure) => self.unless_failed(workspace, &tenure, tenure.inbox(after, limit, wait).await),
            None => tenure::look(&self.dial, Keys::of(workspace), after, limit, wait).await,
        }
    }

    async fn fetch(&self, workspace: &WorkspaceId, names: &[Key]) -> Result<Vec<Option<Record>>> {
        let keys = Keys::of(workspace);
        let Some((question, order)) = record_question(&keys, names) else { return Ok(Vec::new()) };
        records(names, &order, self.ask(workspace, &question).await?)
    }

    async fn queue(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<(At, LeadId)>> {
        let mut question = Pipeline::new();
        let last = i64::try_from(limit).unwrap_or(i64::MAX) - 1;
        question.cmd("ZRANGE").arg(Keys::of(workspace).at("queue")).arg(0).arg(last);
        let names: Vec<Vec<u8>> = self.ask(workspace, &question).await?.next()?;
        let heads = if limit == 0 { Vec::new() } else { names };
        heads.iter().map(|name| commit::queued(name).ok_or(Error::Corrupt("place in the queue"))).collect()
    }

    async fn due(&self, workspace: &WorkspaceId, now: At, limit: usize) -> Result<Vec<Timer>> {
        let mut question = Pipeline::new();
        let range = question.cmd("ZRANGEBYSCORE").arg(Keys::of(workspace).at("timers")).arg("-inf").arg(now.millis());
        range.arg("LIMIT").arg(0).arg(limit);
        let names: Vec<Vec<u8>> = self.ask(workspace, &question).await?.next()?;
        names.iter().map(|name| commit::timer(name).ok_or(Error::Corrupt("timer"))).collect()
    }

    async fn next_due(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        let mut question = Pipeline::new();
        question.cmd("ZRANGE").arg(Keys::of(workspace).at("timers")).arg(0).arg(0);
        let names: Vec<Vec<u8>> = self.ask(workspace, &question).await?.next()?;
        names.first().map(|name| commit::timer(name).map(|timer| timer.due).ok_or(Error::Corrupt("timer"))).transpose()
    }

    async fn commit(&self, workspace: &WorkspaceId, claim: &Claim, batch: Batch) -> Result<()> {
        let tenure = self.claimed(workspace, claim)?;
        let rows = tenure.decided_by(batch.cursor);
        let mut changes = commit::commands(&tenure.keys, claim.epoch, tenure.past_repeats(batch.cursor), &batch, &rows);
        for (position, aside, entry) in &batch.asides {
            let number = tenure.asides.fetch_add(1, Ordering::Relaxed) + 1;
            let since = (number, batch.set_aside_at(entry));
            commit::put_aside(&mut changes, &tenure.keys, since, (aside, entry), &tenure.raw(*position));
        }
        let outcome = tenure.commit(changes).await;
        if let (Err(_), Some(uid)) = (&outcome, batch.survived) {
            self.forgive(&tenure.keys, uid).await;
        }
        self.unless_failed(workspace, &tenure, outcome)?;
        tenure.committed(batch.cursor, rows);
        Ok(())
    }

    async fn attempt(&self, workspace: &WorkspaceId, entry: Uid) -> Result<u32> {
        let mut order = Pipeline::new();
        order.cmd("HINCRBY").arg(Keys::of(workspace).at("attempts")).arg(entry.bytes()).arg(1);
        let tries: u32 = self.ask(workspace, &order).await?.next()?;
        Ok(tries.saturating_sub(1))
    }

    async fn rest(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<()> {
        let Some(tenure) = self.tenure(workspace).filter(|tenure| tenure.epoch() == claim.epoch) else { return Ok(()) };
        let mut order = tenure::transaction();
        order.cmd("HSET").arg(tenure.keys.at("head")).arg("resting").arg(1);
        self.end(workspace, &tenure);
        match tenure.commit(order).await {
            // The rest of an ousted owner says nothing.
            Err(Error::Fenced) => Ok(()),
            other => other,
        }
    }

    async fn events(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Published>> {
        let keys = Keys::of(workspace);
        if wait.is_zero() {
            return self.events_after(&keys, after, limit).await;
        }
        until(wait, self.bells.listen(workspace), || self.events_after(&keys, after, limit)).await
    }

    async fn last_event(&self, workspace: &WorkspaceId) -> Result<Position> {
        self.newest_event(&Keys::of(workspace)).await
    }

    async fn consumer(&self, workspace: &WorkspaceId, name: &str) -> Result<Position> {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(Keys::of(workspace).at("consumers")).arg(name);
        let id: Option<String> = read(self.shared.ask(&question).await?.pop().unwrap_or_default())?;
        id.map_or(Ok(Position::default()), |id| words::position(&id))
    }

    async fn acknowledge(&self, workspace: &WorkspaceId, name: &str, position: Position, rewind: bool) -> Result<()> {
        let key = Keys::of(workspace).at("consumers");
        let mut connection = self.dial.dial(link::PATIENCE).await?;
        loop {
            let mut question = Pipeline::new();
            question.cmd("WATCH").arg(&key);
            question.cmd("HGET").arg(&key).arg(name);
            let id: Option<String> = read(link::ask(&mut connection, &question).await?.pop().unwrap_or_default())?;
            if let Some(id) = id.filter(|_| !rewind)
                && words::position(&id)? >= position
            {
                return Ok(());
            }
            let mut order = Pipeline::new();
            order.cmd("MULTI");
            order.cmd("HSET").arg(&key).arg(name).arg(stream_id(position));
            order.cmd("EXEC");
            if link::ask(&mut connection, &order).await?.pop() != Some(::redis::Value::Nil) {
                return Ok(());
            }
        }
    }

    async fn lead(&self, workspace: &WorkspaceId, id: LeadId) -> Result<Option<(state::Lead, Option<state::Contact>)>> {
        self.lead_by_id(&Keys::of(workspace), id).await
    }

    async fn leads(
        &self,
        workspace: &WorkspaceId,
        filter: &LeadFilter,
    ) -> Result<Vec<(state::Lead, Option<state::Contact>)>> {
        self.leads_before(&Keys::of(workspace), filter).await
    }

    async fn waiting(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, (u64, At)>> {
        self.waiting_by_channel(&Keys::of(workspace)).await
    }

    async fn exclusions(
        &self,
        workspace: &WorkspaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<state::Exclusion>> {
        self.exclusions_after(&Keys::of(workspace), after.unwrap_or_default(), limit).await
    }

    async fn aside(
        &self,
        workspace: &WorkspaceId,
        kind: AsideKind,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<SetAside>> {
        self.aside_before(&Keys::of(workspace), kind, before, limit).await
    }

    async fn aside_one(&self, workspace: &WorkspaceId, uid: Uid) -> Result<Option<SetAside>> {
        self.aside_by_uid(&Keys::of(workspace), uid).await
    }

    async fn aside_count(&self, workspace: &WorkspaceId, kind: AsideKind) -> Result<u64> {
        self.count_aside(&Keys::of(workspace), kind).await
    }

    async fn release(&self, workspace: &WorkspaceId, uid: Uid) -> Result<bool> {
        self.take_aside(&Keys::of(workspace), uid).await
    }

    async fn books(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, Account>> {
        self.account_books(&Keys::of(workspace)).await
    }

    async fn behind_since(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        self.oldest_undecided(&Keys::of(workspace)).await
    }

    async fn keep_rules(&self, version: &str, text: &str) -> Result<()> {
        let mut order = Pipeline::new();
        order.cmd("HSETNX").arg(keys::RULES).arg(version).arg(text);
        self.shared.ask(&order).await.map(drop)
    }

    async fn trim(&self, now: At, keep: &Keep, pepper: &Pepper) -> Result<u64> {
        let tenures = self.tenures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut removed = 0;
        for (workspace, tenure) in tenures {
            match self.unless_failed(&workspace, &tenure, self.trim_one(&tenure, now, keep, pepper).await) {
                // Somebody else trims it now.
                Err(Error::Fenced | Error::Closed) => {}
                outcome => removed += outcome?,
            }
        }
        Ok(removed)
    }

    async fn backup(&self, folder: &Path) -> Result<()> {
        self.dump(folder).await
    }
}
