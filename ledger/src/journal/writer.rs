//! The journal's one thread: take what is queued, commit it once, answer everybody.

use super::{Bounds, Encoded, Health, Job};
use crate::error::{Error, Result};
use crate::sqlite;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Rows removed in one go, so that trimming never holds up an append for long.
const TRIM: i64 = 1_000;
/// How long a look at the disk is good for.
const LOOK: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    db: Connection,
    folder: PathBuf,
    group: usize,
    free_percent: u64,
    free_enough: u64,
    health: Arc<Health>,
    looked: Option<Instant>,
    roomy: bool,
}

type Waiting = Vec<(Vec<Encoded>, oneshot::Sender<Result<()>>)>;

impl Writer {
    pub(super) fn new(db: Connection, folder: &Path, bounds: &Bounds, health: Arc<Health>) -> Self {
        let &Bounds { group, free_percent, free_enough, .. } = bounds;
        Self { db, folder: folder.to_owned(), group, free_percent, free_enough, health, looked: None, roomy: true }
    }

    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let first = match queue.recv_timeout(LOOK) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut waiting = Waiting::new();
            let mut rows = 0;
            let mut next = Some(first);
            let mut other = None;
            while let Some(job) = next.take() {
                match job {
                    Job::Append { rows: more, done } => {
                        rows += more.len();
                        waiting.push((more, done));
                        if rows < self.group {
                            next = queue.try_recv().ok();
                        }
                    }
                    job => other = Some(job),
                }
            }
            let taken = waiting.len() as u64 + u64::from(other.is_some());
            if !waiting.is_empty() {
                self.append(waiting);
            }
            match other {
                Some(Job::Trim { workspace, before_seq, before_time, done }) => {
                    drop(done.send(self.trim(&workspace, before_seq, before_time)));
                }
                Some(Job::Skip { to, done }) => drop(done.send(self.skip(to))),
                Some(Job::Note { marks, done }) => {
                    drop(done.send(super::send::note(&mut self.db, &marks)));
                }
                Some(Job::Rebase { workspace, decided, missing, done }) => {
                    drop(done.send(super::send::rebase(&mut self.db, &workspace, &decided, &missing)));
                }
                Some(Job::Backup { to, done }) => drop(done.send(self.backup(&to))),
                Some(Job::Stop { done }) => {
                    let _ = self.db.pragma_update(None, "wal_checkpoint", "TRUNCATE");
                    drop(self.db);
                    let _ = done.send(());
                    self.health.jobs.fetch_sub(taken, Ordering::AcqRel);
                    return;
                }
                Some(Job::Append { .. }) | None => {}
            }
            self.health.jobs.fetch_sub(taken, Ordering::AcqRel);
            if *self.health.broken.borrow() {
                return;
            }
        }
    }

    fn append(&mut self, waiting: Waiting) {
        let outcome = if self.has_room() { self.commit(&waiting) } else { Err(Error::Full) };
        self.health.healthy.store(outcome.is_ok(), Ordering::Relaxed);
        let failure = outcome.err();
        if let Some(error) = &failure {
            tracing::error!(error = %error, requests = waiting.len(), "journal.refused: the journal took nothing");
        }
        for (_, done) in waiting {
            let answer = match &failure {
                None => Ok(()),
                Some(Error::Full) => Err(Error::Full),
                Some(_) => Err(Error::Closed),
            };
            let _ = done.send(answer);
        }
    }

    fn commit(&mut self, waiting: &Waiting) -> Result<()> {
        match insert(&mut self.db, waiting) {
            Ok(newest) => {
                self.health.newest.send_replace(newest);
                Ok(())
            }
            Err(error) if sqlite::is_full(&error) => {
                self.looked = None;
                Err(Error::Full)
            }
            Err(error) => {
                if sqlite::is_broken(&error) {
                    self.health.broken.send_replace(true);
                }
                Err(error.into())
            }
        }
    }

    /// With nothing to do: has a full disk been freed? Nobody sends to a gateway that says it is not ready.
    fn look(&mut self) {
        if !self.health.healthy.load(Ordering::Relaxed) && self.has_room() {
            self.health.healthy.store(true, Ordering::Relaxed);
        }
    }

    /// Is enough of the disk free? Looked up at most once a second.
    fn has_room(&mut self) -> bool {
        if self.looked.is_none_or(|at| at.elapsed() > LOOK) {
            self.roomy = sqlite::has_room(&self.folder, self.free_percent, self.free_enough);
            self.looked = Some(Instant::now());
        }
        self.roomy
    }

    fn trim(&mut self, workspace: &str, before_seq: i64, before_time: i64) -> Result<u64> {
        let mut removed = 0;
        let spooled: Vec<String> = {
            let mut gone = self.db.prepare_cached(
                "DELETE FROM row WHERE seq IN (SELECT seq FROM row WHERE workspace = ?4 AND seq <= ?1 AND received_at < ?2 AND forever = 0 ORDER BY seq LIMIT ?3) RETURNING spool",
            )?;
            let rows = gone
                .query_map(params![before_seq, before_time, TRIM, workspace], |row| row.get::<_, Option<String>>(0))?;
            let all: rusqlite::Result<Vec<Option<String>>> = rows.collect();
            let all = all?;
            removed += all.len() as u64;
            all.into_iter().flatten().collect()
        };
        let unplace = "DELETE FROM placed WHERE workspace = ?1 AND last <
            (SELECT coalesce(min(seq), 9223372036854775807) FROM row WHERE workspace = ?1 AND forever = 0)";
        if removed > 0 {
            self.db.prepare_cached(unplace)?.execute([workspace])?;
        }
        for name in spooled {
            let _ = std::fs::remove_file(self.folder.join("spool").join(name));
        }
        Ok(removed)
    }

    /// Rows that were trimmed have numbers, too, so the newest row does not tell.
    fn skip(&mut self, to: i64) -> Result<()> {
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'row'";
        let numbered: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
        if numbered >= to {
            return Ok(());
        }
        tracing::error!(numbered, decided = to, "journal.lost: rows that were decided are gone; going on after them");
        let tx = self.db.transaction()?;
        tx.execute("DELETE FROM sqlite_sequence WHERE name = 'row'", [])?;
        tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('row', ?1)", [to])?;
        tx.commit()?;
        Ok(())
    }

    fn backup(&mut self, to: &Path) -> Result<()> {
        let target = to.join(super::SCHEMA.file);
        self.db.execute("VACUUM INTO ?1", params![target.display().to_string()])?;
        let spool = to.join("spool");
        let copied = std::fs::create_dir_all(&spool).and_then(|()| copy_all(&self.folder.join("spool"), &spool));
        copied.map_err(|why| Error::File { path: spool.display().to_string(), why })
    }
}

fn insert(db: &mut Connection, waiting: &Waiting) -> rusqlite::Result<i64> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut accepted: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    {
        let mut put = tx.prepare_cached(
            "INSERT INTO row (workspace, channel, received_at, forever, entry, raw, spool) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for row in waiting.iter().flat_map(|(rows, _)| rows) {
            put.execute(params![
                row.workspace,
                row.channel,
                row.received_at,
                row.forever,
                row.entry,
                row.raw.as_deref(),
                row.spool
            ])?;
            *accepted.entry((&row.workspace, &row.channel)).or_default() += 1;
        }
        let mut count = tx.prepare_cached(
            "INSERT INTO accepted (workspace, channel, n) VALUES (?1, ?2, ?3) ON CONFLICT (workspace, channel) DO UPDATE SET n = n + excluded.n",
        )?;
        for ((workspace, channel), n) in accepted {
            count.execute(params![workspace, channel, n])?;
        }
    }
    let newest = tx.last_insert_rowid();
    tx.commit()?;
    Ok(newest)
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
