//! What was accepted? One SQLite file per gateway process, written by one thread with group commit.

use crate::error::Result;
use bytes::Bytes;
use lead::entry::Entry;

/// One signal to be made durable, and the request's own bytes on the first signal of a request.
#[derive(Clone, Debug)]
pub struct Row {
    pub entry: Entry,
    pub raw: Option<Bytes>,
}

/// A cheap handle to the writer thread.
#[derive(Clone, Debug)]
pub struct Journal {}

impl Journal {
    /// Returns when every row is committed and synced to disk; on an error none is.
    pub async fn append(&self, _rows: Vec<Row>) -> Result<()> {
        Ok(())
    }

    /// Cached: does the journal take rows?
    pub fn healthy(&self) -> bool {
        true
    }
}
