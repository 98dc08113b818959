//! The thread that owns the ledger's connection. Work comes to it as closures, in order.

use super::schema::SCHEMA;
use crate::error::{Error, Result};
use crate::sqlite;
use lead::ids::WorkspaceId;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// Closures that may wait: one per engine and desk call under way, so this is never reached.
const WAITING: usize = 1_024;

/// The connection and what is remembered beside it.
pub(super) struct Store {
    pub(super) db: Connection,
    names: HashMap<WorkspaceId, i64>,
    /// The last event position of each workspace.
    pub(super) newest: HashMap<i64, i64>,
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        Ok(Self { db: sqlite::open_writer(folder, &SCHEMA)?, names: HashMap::new(), newest: HashMap::new() })
    }

    /// The last row of the journal that any workspace has decided.
    pub(super) fn furthest(&self) -> Result<i64> {
        Ok(self.db.query_row("SELECT coalesce(max(cursor), 0) FROM workspace", [], |row| row.get(0))?)
    }

    /// The number under which the store knows a workspace, given at first sight.
    pub(super) fn ws(&mut self, name: &WorkspaceId) -> Result<i64> {
        if let Some(ws) = self.names.get(name) {
            return Ok(*ws);
        }
        self.db.execute("INSERT OR IGNORE INTO workspace (name) VALUES (?1)", [name.as_str()])?;
        let ws = self.db.query_row("SELECT ws FROM workspace WHERE name = ?1", [name.as_str()], |row| row.get(0))?;
        self.names.insert(name.clone(), ws);
        Ok(ws)
    }

    /// The last position of a workspace's stream; a trimmed stream does not begin anew.
    pub(super) fn newest_event(&mut self, ws: i64) -> Result<i64> {
        if let Some(newest) = self.newest.get(&ws) {
            return Ok(*newest);
        }
        let range = super::schema::stream(ws);
        let found: Option<i64> = self
            .db
            .query_row("SELECT max(pos) FROM event WHERE pos BETWEEN ?1 AND ?2", [range.start(), range.end()], |row| {
                row.get(0)
            })
            .optional()?
            .flatten();
        let newest = found.unwrap_or(*range.start());
        self.newest.insert(ws, newest);
        Ok(newest)
    }
}

type Call = Box<dyn FnOnce(&mut Store) + Send>;

#[derive(Clone, Debug)]
pub(super) struct Worker {
    calls: mpsc::Sender<Option<Call>>,
}

impl Worker {
    pub(super) fn start(mut store: Store) -> Result<Self> {
        let (calls, mut queue) = mpsc::channel::<Option<Call>>(WAITING);
        let work = move || {
            while let Some(Some(call)) = queue.blocking_recv() {
                call(&mut store);
            }
            let _ = store.db.pragma_update(None, "wal_checkpoint", "TRUNCATE");
        };
        let started = std::thread::Builder::new().name("ledger".to_owned()).spawn(work);
        started.map_err(|why| Error::File { path: "ledger thread".to_owned(), why })?;
        Ok(Self { calls })
    }

    pub(super) async fn call<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let call: Call = Box::new(move |store| {
            let _ = done.send(work(store));
        });
        self.calls.send(Some(call)).await.map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    pub(super) async fn stop(&self) {
        let _ = self.calls.send(None).await;
        self.calls.closed().await;
    }
}
