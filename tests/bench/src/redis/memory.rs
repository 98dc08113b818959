//! What does one of each kind take of Redis's memory? So many of exactly that kind are added to a store, by the domain's
//! own decisions of which all else is left out, and what Redis says it uses is subtracted before from after.

use super::halves;
use super::server::{Fsync, Server};
use crate::customers;
use crate::deciding::{self, Mix};
use crate::known::write;
use crate::report::Figure;
use anyhow::Result;
use lead::record::Key;
use lead::rules::Rules;
use ledger::{Batch, Ledger};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Kind {
    what: &'static str,
    pub(crate) bytes: f64,
    reach: Option<f64>,
    count: u64,
}

type Pick = fn(&mut Batch);

/// What is added, what one may take, and what is left of the batches that hold it.
const KINDS: [(&str, Option<f64>, Pick); 5] = [
    ("a known contact beside its leads", Some(350.0), |batch| {
        only(batch, |key| matches!(key, Key::Contact(_) | Key::Identity(_)));
    }),
    ("an open lead", Some(2_500.0), |batch| {
        let timers = std::mem::take(&mut batch.timers);
        let queue = std::mem::take(&mut batch.queue);
        only(batch, |key| matches!(key, Key::Lead(_)));
        (batch.timers, batch.queue) = (timers, queue);
    }),
    ("a remembered signal", Some(120.0), |batch| only(batch, |key| matches!(key, Key::Seen(_)))),
    ("the content of a post without an id, beside it", None, |batch| only(batch, |key| matches!(key, Key::Same(_)))),
    ("the events of a new lead, while the stream keeps them", None, |batch| {
        let events = std::mem::take(&mut batch.events);
        only(batch, |_| false);
        batch.events = events;
    }),
];

/// Leaves nothing but records of some keys.
fn only(batch: &mut Batch, which: fn(&Key) -> bool) {
    let records = std::mem::take(&mut batch.records);
    let records = records.into_iter().filter(|(key, _)| which(key)).collect();
    *batch = Batch { cursor: batch.cursor, records, ..Batch::default() };
}

pub(crate) async fn run(folder: &Path, count: u64) -> Result<Vec<Kind>> {
    let place = folder.join("memory");
    let server = Server::start(&place.join("redis"), Fsync::Everysec).await?;
    let (ledger, rules) = (halves::ledger(&server)?, customers::rules());
    let mut kinds = Vec::new();
    // The first of each kind pays for the kind's own keys.
    for (_, _, pick) in KINDS {
        add(&*ledger, &rules, 0..1, pick).await?;
    }
    for (what, reach, pick) in KINDS {
        let before = used(&server).await?;
        add(&*ledger, &rules, 1..count + 1, pick).await?;
        let bytes = (used(&server).await? - before) / count as f64;
        kinds.push(Kind { what, bytes, reach, count });
    }
    kinds.push(entry(&place, &server, count / 5).await?);
    drop(server);
    std::fs::remove_dir_all(&place)?;
    Ok(kinds)
}

async fn add(ledger: &dyn Ledger, rules: &Rules, people: std::ops::Range<u64>, pick: Pick) -> Result<()> {
    write(ledger, rules, gateway::clock::Clock::default().now(), people, pick).await
}

async fn entry(place: &Path, server: &Server, count: u64) -> Result<Kind> {
    let journal = halves::journal(&place.join("journal"))?;
    deciding::accept(&journal, Mix::Strangers, 1, count).await?;
    let before = used(server).await?;
    halves::forward(server, &journal, count).await?;
    let bytes = (used(server).await? - before) / count as f64;
    journal.close().await;
    Ok(Kind { what: "an entry, while the inbox keeps it", bytes, reach: None, count })
}

/// Without what connections and the append-only file hold for a moment.
async fn used(server: &Server) -> Result<f64> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut used = server.info("used_memory").await?;
    for passing in ["mem_clients_normal", "mem_aof_buffer"] {
        used -= server.info(passing).await?;
    }
    Ok(used)
}

impl Kind {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let reach = self.reach.map_or_else(String::new, |reach| format!(" (reach {reach})"));
        vec![Figure::new(format!("redis memory of {}{reach}", self.what), self.bytes, "B")]
    }
}
