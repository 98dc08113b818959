//! The embedded ledger is a ledger.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be unwrapped has failed")]

use async_trait::async_trait;
use bytes::Bytes;
use lead::entry::Entry;
use ledger::conformance::{self, Backend};
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::{Bounds, Journal, Row};
use ledger::{Ledger, SharedLedger};
use std::sync::Arc;

struct InAFolder {
    ledger: Arc<Embedded>,
    journal: Journal,
    _taken: Folder,
    _folder: tempfile::TempDir,
}

impl InAFolder {
    fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let taken = Folder::take(folder.path()).unwrap();
        let journal = Journal::open(folder.path(), Bounds { free_percent: 0, ..Bounds::default() }).unwrap();
        let ledger = Arc::new(Embedded::open(folder.path(), journal.clone()).unwrap());
        Self { ledger, journal, _taken: taken, _folder: folder }
    }
}

#[async_trait]
impl Backend for InAFolder {
    fn ledger(&self) -> SharedLedger {
        Arc::clone(&self.ledger) as Arc<dyn Ledger>
    }

    async fn accept(&self, entries: Vec<Entry>, raw: &'static [u8]) {
        let rows = entries.into_iter().map(|entry| Row { entry, raw: Some(Bytes::from_static(raw)) }).collect();
        self.journal.append(rows).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_ledger_is_a_ledger() {
    conformance::run(async || InAFolder::fresh()).await;
}
