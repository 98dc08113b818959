//! The ledger without a server: one SQLite file beside the journal, one thread that writes it.
//!
//! The journal itself is the inbox. A batch commits the state together with "decided up to row N", so after a crash
//! deciding goes on exactly where the last commit left it.

mod commit;
mod desk;
mod readers;
mod records;
mod schema;
mod trim;
mod worker;

use crate::commit::{Batch, Position};
use crate::error::{Error, Result};
use crate::journal::{Journal, JournalReader};
use crate::wait::until;
use crate::{Account, Arrived, Claim, Duty, Keep, LeadFilter, Ledger, Published, SetAside};
use async_trait::async_trait;
use lead::changes::{AsideKind, Timer};
use lead::identity::Pepper;
use lead::ids::{ChannelId, LeadId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state;
use lead::time::At;
use readers::Readers;
use rusqlite::Connection;
pub(crate) use schema::SCHEMA;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use worker::{Store, Worker};

/// See the module.
#[derive(Debug)]
pub struct Embedded {
    journal: Journal,
    inbox: Arc<Mutex<JournalReader>>,
    writer: Worker,
    /// For the desk: reads that may be long and must not hold up deciding.
    readers: Readers,
    /// Grows with every commit that published something.
    published: Arc<watch::Sender<u64>>,
    folder: Arc<Path>,
}

impl Embedded {
    /// Opens or makes the ledger of a folder this process holds.
    pub fn open(folder: &Path, journal: Journal) -> Result<Self> {
        let store = Store::open(folder)?;
        journal.begin_after(store.furthest()?)?;
        let writer = Worker::start(store)?;
        let inbox = journal.reader()?;
        Ok(Self {
            journal,
            inbox: Arc::new(Mutex::new(inbox)),
            writer,
            readers: Readers::new(folder),
            published: Arc::new(watch::Sender::new(0)),
            folder: Arc::from(folder),
        })
    }

    /// Closes the file after what is queued.
    pub async fn close(&self) {
        self.writer.stop().await;
    }

    async fn read<T, F>(&self, ask: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.ask(ask).await
    }

    async fn read_inbox<T, F>(&self, ask: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&JournalReader) -> Result<T> + Send + 'static,
    {
        let inbox = Arc::clone(&self.inbox);
        blocking(move || ask(&*inbox.lock().map_err(|_| Error::Closed)?)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

#[async_trait]
impl Ledger for Embedded {
    async fn lease(&self, _: &WorkspaceId, _: Duty<'_>, _: &str, _: Duration) -> Result<bool> {
        // The folder's lock keeps everybody else out.
        Ok(true)
    }

    async fn give_back(&self, _: &WorkspaceId, _: Duty<'_>, _: &str) -> Result<()> {
        Ok(())
    }

    async fn note(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<String>> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.read(move |db| desk::note(db, &workspace, &name)).await
    }

    async fn put_note(&self, workspace: &WorkspaceId, name: &str, text: &str) -> Result<()> {
        let (workspace, name, text) = (workspace.clone(), name.to_owned(), text.to_owned());
        self.writer.call(move |store| store.put_note(&workspace, &name, &text)).await
    }

    async fn present(&self, _: &str, _: Duration) -> Result<usize> {
        Ok(1)
    }

    async fn claim(&self, workspace: &WorkspaceId) -> Result<Claim> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.claim(&workspace)).await
    }

    async fn inbox(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Arrived>> {
        until(wait, self.journal.newest(), || {
            let workspace = workspace.clone();
            self.read_inbox(move |inbox| {
                let rows = inbox.after(&workspace, after.row(), limit)?;
                let arrived =
                    |row: crate::journal::Stored| Arrived { position: Position::of_row(row.seq), entry: row.entry };
                Ok(rows.into_iter().map(arrived).collect())
            })
        })
        .await
    }

    async fn fetch(&self, workspace: &WorkspaceId, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let (workspace, keys) = (workspace.clone(), keys.to_vec());
        self.writer.call(move |store| store.fetch(&workspace, &keys)).await
    }

    async fn queue(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<(At, LeadId)>> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.queue(&workspace, limit)).await
    }

    async fn due(&self, workspace: &WorkspaceId, now: At, limit: usize) -> Result<Vec<Timer>> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.due(&workspace, now, limit)).await
    }

    async fn next_due(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.next_due(&workspace)).await
    }

    async fn commit(&self, workspace: &WorkspaceId, claim: &Claim, batch: Batch) -> Result<()> {
        let (workspace, epoch) = (workspace.clone(), claim.epoch);
        let raws = if batch.asides.is_empty() {
            Vec::new()
        } else {
            let rows: Vec<i64> = batch.asides.iter().map(|(position, ..)| position.row()).collect();
            self.read_inbox(move |inbox| rows.into_iter().map(|seq| inbox.raw(seq)).collect::<Result<Vec<_>>>()).await?
        };
        let published = !batch.events.is_empty();
        self.writer.call(move |store| store.commit(&workspace, epoch, &batch, &raws)).await?;
        if published {
            self.published.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    async fn attempt(&self, workspace: &WorkspaceId, entry: Uid) -> Result<u32> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.attempt(&workspace, entry)).await
    }

    async fn rest(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<()> {
        let (workspace, epoch) = (workspace.clone(), claim.epoch);
        self.writer.call(move |store| store.rest(&workspace, epoch)).await
    }

    async fn events(
        &self,
        workspace: &WorkspaceId,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Published>> {
        until(wait, self.published.subscribe(), || {
            let workspace = workspace.clone();
            self.read(move |db| desk::events(db, &workspace, after, limit))
        })
        .await
    }

    async fn last_event(&self, workspace: &WorkspaceId) -> Result<Position> {
        let workspace = workspace.clone();
        self.read(move |db| desk::last_event(db, &workspace)).await
    }

    async fn consumer(&self, workspace: &WorkspaceId, name: &str) -> Result<Position> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.read(move |db| desk::consumer(db, &workspace, &name)).await
    }

    async fn acknowledge(&self, workspace: &WorkspaceId, name: &str, position: Position, rewind: bool) -> Result<()> {
        let (workspace, name) = (workspace.clone(), name.to_owned());
        self.writer.call(move |store| store.acknowledge(&workspace, &name, position, rewind)).await
    }

    async fn lead(&self, workspace: &WorkspaceId, id: LeadId) -> Result<Option<(state::Lead, Option<state::Contact>)>> {
        let workspace = workspace.clone();
        self.read(move |db| desk::lead(db, &workspace, id)).await
    }

    async fn leads(
        &self,
        workspace: &WorkspaceId,
        filter: &LeadFilter,
    ) -> Result<Vec<(state::Lead, Option<state::Contact>)>> {
        let (workspace, filter) = (workspace.clone(), filter.clone());
        self.read(move |db| desk::leads(db, &workspace, &filter)).await
    }

    async fn waiting(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, (u64, At)>> {
        let workspace = workspace.clone();
        self.read(move |db| desk::waiting(db, &workspace)).await
    }

    async fn exclusions(
        &self,
        workspace: &WorkspaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<state::Exclusion>> {
        let (workspace, after) = (workspace.clone(), after.unwrap_or_default().to_owned());
        self.read(move |db| desk::exclusions(db, &workspace, &after, limit)).await
    }

    async fn aside(
        &self,
        workspace: &WorkspaceId,
        kind: AsideKind,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<SetAside>> {
        let workspace = workspace.clone();
        self.read(move |db| desk::aside(db, &workspace, kind, before, limit)).await
    }

    async fn aside_one(&self, workspace: &WorkspaceId, uid: Uid) -> Result<Option<SetAside>> {
        let workspace = workspace.clone();
        self.read(move |db| desk::aside_one(db, &workspace, uid)).await
    }

    async fn aside_count(&self, workspace: &WorkspaceId, kind: AsideKind) -> Result<u64> {
        let workspace = workspace.clone();
        self.read(move |db| desk::aside_count(db, &workspace, kind)).await
    }

    async fn release(&self, workspace: &WorkspaceId, uid: Uid) -> Result<bool> {
        let workspace = workspace.clone();
        self.writer.call(move |store| store.release(&workspace, uid)).await
    }

    async fn books(&self, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, Account>> {
        let asked = workspace.clone();
        let (cursor, verdicts) = self.read(move |db| desk::verdicts(db, &asked)).await?;
        let asked = workspace.clone();
        let accepted = self.read_inbox(move |inbox| inbox.account(&asked, cursor)).await?;
        Ok(desk::balance(accepted, verdicts))
    }

    async fn behind_since(&self, workspace: &WorkspaceId) -> Result<Option<At>> {
        let asked = workspace.clone();
        let (cursor, _) = self.read(move |db| desk::verdicts(db, &asked)).await?;
        let asked = workspace.clone();
        self.read_inbox(move |inbox| inbox.oldest_after(&asked, cursor)).await
    }

    async fn keep_rules(&self, version: &str, text: &str) -> Result<()> {
        let (version, text) = (version.to_owned(), text.to_owned());
        self.writer.call(move |store| store.keep_rules(&version, &text)).await
    }

    async fn trim(&self, now: At, keep: &Keep, pepper: &Pepper) -> Result<u64> {
        let (keep, pepper) = (keep.clone(), pepper.clone());
        let journal_keep = keep.journal;
        let (removed, decided) = self.writer.call(move |store| store.trim(now, &keep, &pepper)).await?;
        let mut removed = removed;
        for (workspace, cursor) in decided {
            removed += self.journal.trim(&workspace, cursor, now.minus(journal_keep)).await?;
        }
        Ok(removed)
    }

    async fn backup(&self, folder: &Path) -> Result<()> {
        let to = folder.to_owned();
        std::fs::create_dir_all(&to).map_err(|why| Error::File { path: to.display().to_string(), why })?;
        self.writer
            .call({
                let to = to.clone();
                move |store| store.backup(&to)
            })
            .await?;
        let pepper = to.join("pepper");
        std::fs::copy(self.folder.join("pepper"), &pepper).map(drop).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(Error::File { path: pepper.display().to_string(), why: error }),
        })
    }
}
