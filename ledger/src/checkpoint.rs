//! Who carries committed pages from the write-ahead log into the database file? A thread beside the writer, so that no
//! commit waits for it.
//!
//! It never blocks anybody. A writer that is never idle still empties the log by itself now and then, and then finds
//! most of it carried over already.

use crate::error::{Error, Result};
use crate::sqlite::{self, Schema};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Pages written before it is worth starting.
const WORTH: usize = 2_000;

/// Lives as long as the writer that owns it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    written: usize,
}

impl Checkpointer {
    pub(crate) fn start(folder: &Path, schema: &Schema) -> Result<Self> {
        let db = sqlite::open_beside(folder, schema)?;
        // One may wait: what is written meanwhile is carried in the next round.
        let (wake, woken) = sync_channel::<()>(1);
        let work = move || {
            step_back();
            while woken.recv().is_ok() {
                let carried = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if let Err(error) = carried {
                    tracing::warn!(error = %error, "store.checkpoint_failed: the log keeps growing for now");
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(work);
        let thread = thread.map_err(|source| Error::File { path: "checkpoint thread".to_owned(), source })?;
        Ok(Self { wake: Some(wake), thread: Some(thread), written: 0 })
    }

    /// Tells of a commit and of about how many pages it wrote.
    pub(crate) fn wrote(&mut self, pages: usize) {
        self.written += pages;
        if self.written >= WORTH && self.wake.as_ref().is_some_and(|wake| wake.try_send(()).is_ok()) {
            self.written = 0;
        }
    }
}

/// Lets the calling thread go after those that take knocks, when there are not processors enough for all: a sender waits
/// for its answer, a decision can come a moment later.
pub(crate) fn step_back() {
    // On Linux this counts for the one thread. Where it is refused all run alike, as they would without it.
    let _ = rustix::process::nice(5);
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
