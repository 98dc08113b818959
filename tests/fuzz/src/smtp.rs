//! What does the entrance for mails promise of any client? What it stores is what was sent: dots taken off by RFC 5321
//! 4.5.2 and nothing else, an end that is CR LF `.` CR LF and nothing else. The first byte says SMTP or LMTP.

use crate::wire::{CUT, Wire};
use gateway::Gateway;
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::clock::Clock;
use gateway::config::{Config, Limits};
use gateway::metrics::Metrics;
use gateway::smtp::session::Protocol;
use gateway::smtp::{self, Server, fuzzing};
use gateway::sources::mail;
use lead::identity::Pepper;
use lead::ids::WorkspaceId;
use lead::units::{Rate, Size};
use ledger::journal::{Bounds, Journal, JournalReader};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Rows after which a new journal is begun.
const FULL: i64 = 2_000;

/// A gateway with one mailbox, `sales@company.example`.
pub(crate) struct Post {
    runtime: Runtime,
    house: RefCell<House>,
}

struct House {
    server: Arc<Server>,
    rows: JournalReader,
    seen: i64,
    _folder: TempDir,
}

impl Post {
    pub(crate) fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
        Self { runtime, house: RefCell::new(House::open()) }
    }

    pub(crate) fn play(&self, bytes: &[u8]) {
        let Some((kind, stream)) = bytes.split_first() else { return };
        let protocol = if kind & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
        let mut house = self.house.borrow_mut();
        self.runtime.block_on(fuzzing::session(&house.server, protocol, Wire::new(stream)));
        let sent: Vec<u8> = stream.iter().copied().filter(|byte| *byte != CUT).collect();
        for mail in house.stored() {
            assert!(was_sent(&sent, &mail), "what was stored was not sent: {:?}", String::from_utf8_lossy(&mail));
        }
        if house.seen > FULL {
            *house = House::open();
        }
    }
}

impl House {
    fn open() -> Self {
        let folder = TempDir::new().expect("a folder for what is temporary");
        let journal = Journal::open(folder.path(), Bounds::default()).expect("a new journal");
        let rows = journal.reader().expect("a journal can be read");
        let channel = Channel::new("sales".into(), "demo".into(), "mail");
        let channel = Channel { address: Some("sales@company.example".to_owned()), ..channel };
        let table = ChannelTable::new([Entrance { channel, source: &mail::SOURCE, state: State::Open }], []);
        let often = Rate { count: 1_000_000, period: Duration::from_secs(1), burst: 1_000_000 };
        let public = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: "https://leads.example".to_owned(),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            tls: None,
            limits: Limits { mail: Size(10_000), per_channel: often, ..Limits::default() },
        };
        let metrics = Metrics::new(&prometheus::Registry::new());
        let gateway = Gateway::new(public, table, journal, metrics, Pepper::new(b"pepper"), Clock::default());
        let server = Server::new(Arc::new(gateway), smtp::Config::default()).expect("no certificates to read");
        Self { server: Arc::new(server), rows, seen: 0, _folder: folder }
    }

    /// The mails of new rows, without the line that we write above them.
    fn stored(&mut self) -> Vec<Vec<u8>> {
        let rows = self.rows.after(&WorkspaceId::new("demo"), self.seen, 1_000).expect("the journal can be read");
        self.seen = rows.last().map_or(self.seen, |row| row.seq);
        let raw = rows.iter().filter_map(|row| self.rows.raw(row.seq).expect("the journal can be read"));
        raw.map(|raw| {
            let end = raw.iter().position(|byte| *byte == b'\n').expect("our own line has an end");
            assert!(raw[..end].starts_with(b"Return-Path: <") && raw[..end].ends_with(b">\r"));
            raw[end + 1..].to_vec()
        })
        .collect()
    }
}

/// Whether the mail is what RFC 5321 makes of the lines behind one of the lines `DATA`.
fn was_sent(sent: &[u8], mail: &[u8]) -> bool {
    let ends = sent.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let after_data = |start: &usize| {
        let line = sent[..start - 1].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        line.trim_ascii().eq_ignore_ascii_case(b"DATA")
    };
    ends.filter(after_data).any(|start| plain(&sent[start..]).as_deref() == Some(mail))
}

/// RFC 5321 4.5.2 as plainly as it can be said; none where a mail does not end or holds a line feed alone.
fn plain(mut sent: &[u8]) -> Option<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let end = sent.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &sent[..end];
        if line == b"." {
            return Some(mail);
        }
        if line.contains(&b'\n') {
            return None;
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        mail.extend_from_slice(b"\r\n");
        sent = &sent[end + 2..];
    }
}
