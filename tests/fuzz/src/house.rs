//! Where does what was sent arrive? A whole gateway with a journal of its own, begun anew before it is large.

use gateway::Gateway;
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::clock::Clock;
use gateway::config::{Config, Limits};
use gateway::metrics::Metrics;
use gateway::sources::Source;
use lead::identity::Pepper;
use lead::ids::WorkspaceId;
use lead::units::{Rate, Size};
use ledger::journal::{Bounds, Journal, JournalReader};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Rows after which a new journal is begun.
const FULL: i64 = 2_000;

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime of one thread needs nothing")
}

pub(crate) struct House {
    pub(crate) gateway: Arc<Gateway>,
    rows: JournalReader,
    seen: i64,
    _folder: TempDir,
}

impl House {
    /// With channels of the workspace `demo`.
    pub(crate) fn open(channels: &[(&'static Source, Channel)]) -> Self {
        let folder = TempDir::new().expect("a folder for what is temporary");
        let journal = Journal::open(folder.path(), Bounds::default()).expect("a new journal");
        let rows = journal.reader().expect("a journal can be read");
        let entrance = |(source, channel): &(&'static Source, Channel)| Entrance {
            channel: Channel { workspace: "demo".into(), ..channel.clone() },
            source,
            state: State::Open,
        };
        let table = ChannelTable::new(channels.iter().map(entrance), []);
        let often = Rate { count: 1_000_000, period: Duration::from_secs(1), burst: 1_000_000 };
        let public = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: "https://leads.example.com".to_owned(),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            tls: None,
            limits: Limits { mail: Size(10_000), per_channel: often, per_address: often, ..Limits::default() },
        };
        let metrics = Metrics::new(&prometheus::Registry::new());
        let gateway = Gateway::new(public, table, journal, metrics, Pepper::new(b"pepper"), Clock::default());
        Self { gateway: Arc::new(gateway), rows, seen: 0, _folder: folder }
    }

    /// The bytes of the requests behind rows that were not asked for before.
    pub(crate) fn new_rows(&mut self) -> Vec<Vec<u8>> {
        let rows = self.rows.after(&WorkspaceId::new("demo"), self.seen, 1_000).expect("the journal can be read");
        self.seen = rows.last().map_or(self.seen, |row| row.seq);
        rows.iter().filter_map(|row| self.rows.raw(row.seq).expect("the journal can be read")).collect()
    }

    /// Who has gone holds nothing.
    pub(crate) fn assert_empty(&self) {
        let admission = &self.gateway.admission;
        assert_eq!((admission.requests.used(), admission.bodies.used()), (0, 0), "somebody who has gone holds a place");
    }

    pub(crate) fn is_full(&self) -> bool {
        self.seen > FULL
    }
}
