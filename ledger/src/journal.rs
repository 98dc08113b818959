//! What was accepted? One SQLite file per gateway process, written by one thread with group commit.
//!
//! A request is answered 2xx only after [`Journal::append`] has returned. The thread takes what is queued, up to a
//! bound, commits it once, and then answers everybody who waited: with a slow disk the groups grow, not the waiting.

mod read;
mod send;
mod writer;

pub use read::{JournalReader, Stored};
pub(crate) use send::{Gaps, Identity, Mark, Places, ToSend};

use crate::error::{Error, Result};
use crate::sqlite::{self, Schema};
use bytes::Bytes;
use lead::entry::{Entry, Signal};
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::{oneshot, watch};

pub(crate) const SCHEMA: Schema = Schema {
    file: "journal.db",
    steps: &[
        "
        CREATE TABLE row (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            workspace TEXT NOT NULL,
            channel TEXT NOT NULL,
            received_at INTEGER NOT NULL,
            forever INTEGER NOT NULL,
            entry BLOB NOT NULL,
            raw BLOB,
            spool TEXT
        );
        CREATE INDEX row_inbox ON row (workspace);
        CREATE TABLE accepted (
            workspace TEXT NOT NULL,
            channel TEXT NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (workspace, channel)
        ) WITHOUT ROWID;
    ",
        "
        CREATE TABLE gateway (id BLOB NOT NULL);
        CREATE TABLE stint (first INTEGER PRIMARY KEY, id BLOB NOT NULL);
        CREATE TABLE sent (
            workspace TEXT PRIMARY KEY,
            server TEXT NOT NULL,
            born BLOB NOT NULL,
            seq INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE placed (
            id INTEGER PRIMARY KEY,
            workspace TEXT NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            places BLOB NOT NULL
        );
        CREATE INDEX placed_last ON placed (workspace, last);
        ALTER TABLE accepted ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
    ",
    ],
};

/// Bounds of the journal.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Appends that may wait for the writer; beyond it [`Error::Busy`].
    pub waiting: usize,
    /// Rows of one commit.
    pub group: usize,
    /// A body larger than this lies in the spool folder beside the journal.
    pub spool_over: usize,
    /// Below this share of free disk nothing is accepted,
    pub free_percent: u64,
    /// unless this many bytes are free.
    pub free_enough: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { waiting: 4_096, group: 256, spool_over: 256 << 10, free_percent: 5, free_enough: 1 << 30 }
    }
}

/// One signal to be made durable, and the request's own bytes on the first signal of a request.
#[derive(Clone, Debug)]
pub struct Row {
    pub entry: Entry,
    pub raw: Option<Bytes>,
}

/// A row as the writer takes it: encoded where there are many cores, not on the one writer thread.
#[derive(Debug)]
struct Encoded {
    workspace: String,
    channel: String,
    received_at: i64,
    forever: bool,
    entry: Vec<u8>,
    raw: Option<Bytes>,
    spool: Option<String>,
}

enum Job {
    Append {
        rows: Vec<Encoded>,
        done: oneshot::Sender<Result<()>>,
    },
    Trim {
        workspace: String,
        before_seq: i64,
        before_time: i64,
        done: oneshot::Sender<Result<u64>>,
    },
    Backup {
        to: PathBuf,
        done: oneshot::Sender<Result<()>>,
    },
    Skip {
        to: i64,
        done: SyncSender<Result<()>>,
    },
    Note {
        marks: Vec<Mark>,
        done: oneshot::Sender<Result<()>>,
    },
    Rebase {
        workspace: WorkspaceId,
        decided: BTreeMap<ChannelId, u64>,
        missing: Gaps,
        done: oneshot::Sender<Result<()>>,
    },
    Stop {
        done: oneshot::Sender<()>,
    },
}

#[derive(Debug)]
struct Health {
    healthy: AtomicBool,
    waiting: AtomicU64,
    /// Jobs that the thread has not finished.
    jobs: AtomicU64,
    /// The newest committed row; readers wait for it to grow.
    newest: watch::Sender<i64>,
    /// Set once, when the disk has failed in a way that only a restart mends.
    broken: watch::Sender<bool>,
}

/// A cheap handle to the writer thread.
#[derive(Clone, Debug)]
pub struct Journal {
    jobs: SyncSender<Job>,
    health: Arc<Health>,
    folder: Arc<Path>,
    bounds: Arc<Bounds>,
}

impl Journal {
    /// Opens or makes the journal of a folder this process holds, and starts its writer.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Self> {
        let spool = folder.join("spool");
        std::fs::create_dir_all(&spool).map_err(|why| Error::File { path: spool.display().to_string(), why })?;
        let mut db = sqlite::open_writer(folder, &SCHEMA)?;
        send::begin_stint(&mut db)?;
        let newest: i64 = db.query_row("SELECT coalesce(max(seq), 0) FROM row", [], |row| row.get(0))?;
        let health = Arc::new(Health {
            healthy: AtomicBool::new(true),
            waiting: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
            newest: watch::Sender::new(newest),
            broken: watch::Sender::new(false),
        });
        let (jobs, queue) = sync_channel(bounds.waiting);
        let writer = writer::Writer::new(db, folder, &bounds, Arc::clone(&health));
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&queue))
            .map_err(|why| Error::File { path: "journal thread".to_owned(), why })?;
        Ok(Self { jobs, health, folder: Arc::from(folder), bounds: Arc::new(bounds) })
    }

    /// Returns when every row is committed and synced to disk; on an error none is.
    pub async fn append(&self, rows: Vec<Row>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = self.encode_all(rows).await;
        let (done, answer) = oneshot::channel();
        self.health.waiting.fetch_add(1, Ordering::Relaxed);
        let outcome = match rows.and_then(|rows| self.job(Job::Append { rows, done })) {
            Ok(()) => answer.await.unwrap_or(Err(Error::Closed)),
            Err(error) => Err(error),
        };
        self.health.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    /// Cached: does the journal take rows?
    pub fn healthy(&self) -> bool {
        self.health.healthy.load(Ordering::Relaxed)
    }

    /// Appends that wait for their commit.
    pub fn waiting(&self) -> u64 {
        self.health.waiting.load(Ordering::Relaxed)
    }

    /// Nothing has been handed to the thread that it has not finished.
    pub fn is_idle(&self) -> bool {
        self.health.jobs.load(Ordering::Acquire) == 0
    }

    /// Resolves when the disk has failed so that only a restart mends it.
    pub async fn broken(&self) {
        let mut broken = self.health.broken.subscribe();
        let _ = broken.wait_for(|broken| *broken).await;
    }

    /// Grows with every commit.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.health.newest.subscribe()
    }

    pub fn reader(&self) -> Result<JournalReader> {
        JournalReader::open(&self.folder)
    }

    /// Removes rows of a workspace that are both decided (up to `before_seq`) and older than `before_time`; commands and feedback
    /// stay for ever.
    pub async fn trim(&self, workspace: &str, before_seq: i64, before_time: lead::time::At) -> Result<u64> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Trim { workspace: workspace.to_owned(), before_seq, before_time: before_time.millis(), done })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Numbers rows above `decided`, up to which somebody has decided. A journal that is behind that has lost its end,
    /// and without this, what it accepts next would count as decided. Waits for the disk; for the start only.
    pub(crate) fn begin_after(&self, decided: i64) -> Result<()> {
        let (done, answer) = sync_channel(1);
        self.job(Job::Skip { to: decided, done })?;
        answer.recv().unwrap_or(Err(Error::Closed))
    }

    /// Remembers how far rows have been sent, and to which server.
    pub(crate) async fn note(&self, marks: Vec<Mark>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Note { marks, done })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// A store that begins anew cannot know rows that are gone from here: from now on only the others are counted.
    pub(crate) async fn rebase(
        &self,
        workspace: WorkspaceId,
        decided: BTreeMap<ChannelId, u64>,
        missing: Gaps,
    ) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Rebase { workspace, decided, missing, done })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// A consistent copy of the journal and its spool.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.job(Job::Backup { to: to.to_owned(), done })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Commits what is queued and closes the file.
    pub async fn close(&self) {
        let (done, answer) = oneshot::channel();
        if self.job(Job::Stop { done }).is_ok() {
            let _ = answer.await;
        }
    }

    fn job(&self, job: Job) -> Result<()> {
        self.health.jobs.fetch_add(1, Ordering::AcqRel);
        self.jobs.try_send(job).map_err(|refused| {
            self.health.jobs.fetch_sub(1, Ordering::AcqRel);
            match refused {
                TrySendError::Full(_) => Error::Busy,
                TrySendError::Disconnected(_) => Error::Closed,
            }
        })
    }

    /// Syncing a spool file takes as long as a commit, and does not hold up the requests beside it.
    async fn encode_all(&self, rows: Vec<Row>) -> Result<Vec<Encoded>> {
        let large = |row: &Row| row.raw.as_ref().is_some_and(|body| body.len() > self.bounds.spool_over);
        if !rows.iter().any(large) {
            return rows.into_iter().map(|row| self.encode(row)).collect();
        }
        let journal = self.clone();
        let encoding = move || rows.into_iter().map(|row| journal.encode(row)).collect();
        tokio::task::spawn_blocking(encoding).await.unwrap_or(Err(Error::Closed))
    }

    /// A large body goes to the spool, synced before its row.
    fn encode(&self, row: Row) -> Result<Encoded> {
        let Row { entry, raw } = row;
        let forever = matches!(entry.signal, Signal::Command(_) | Signal::Feedback(_));
        let (raw, spool) = match raw {
            Some(body) if body.len() > self.bounds.spool_over => (None, Some(self.spool(&entry, &body)?)),
            small => (small, None),
        };
        Ok(Encoded {
            workspace: entry.workspace.to_string(),
            channel: entry.channel.to_string(),
            received_at: entry.received_at.millis(),
            forever,
            entry: encode(&entry),
            raw,
            spool,
        })
    }

    fn spool(&self, entry: &Entry, body: &[u8]) -> Result<String> {
        let name = entry.uid.to_string();
        let path = self.folder.join("spool").join(&name);
        crate::folder::write_synced(&path, body).map_err(|source| match source.kind() {
            std::io::ErrorKind::StorageFull => Error::Full,
            _ => Error::File { path: "spool".to_owned(), why: source },
        })?;
        Ok(name)
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    rmp_serde::to_vec(entry).expect("an entry holds nothing that MessagePack cannot say")
}
