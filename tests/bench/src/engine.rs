//! How fast are leads decided, and what does it cost beyond writing them down?
//!
//! The floor writes the very batches the engine made, into the same store as it was before, without deciding: no
//! reading of the inbox, no look-ups, no rules. Both runs alternate, each on a fresh copy.

use crate::customers;
use crate::deciding::{self, Mix, Phases, Ran};
use crate::known;
use crate::machine::processor_us;
use crate::report::{Figure, median};
use anyhow::{Context as _, Result};
use lead::rules::Rules;
use lead::time::At;
use ledger::embedded::Embedded;
use ledger::journal::{Bounds, Journal};
use ledger::{Batch, Ledger, SharedLedger};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one run is asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) known: Vec<u64>,
    pub(crate) entries: u64,
    pub(crate) rounds: usize,
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Level {
    pub(crate) known_contacts: u64,
    pub(crate) mix: Mix,
    pub(crate) entries: u64,
    pub(crate) entries_per_s: f64,
    pub(crate) floor_per_s: f64,
    pub(crate) ratio: f64,
    pub(crate) us_per_entry: f64,
    /// Over all threads, for each entry.
    pub(crate) processor_us: f64,
    pub(crate) floor_processor_us: f64,
    pub(crate) phases: Phases,
    /// Of all entries: the share of each verdict.
    pub(crate) verdicts: std::collections::BTreeMap<String, f64>,
}

impl Level {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let what = format!("{} known, {:?}", self.known_contacts, self.mix).to_lowercase();
        let mut figures = vec![
            Figure::new(format!("engine, {what}"), self.entries_per_s, "entries/s"),
            Figure::new("  floor: the same batches, only written", self.floor_per_s, "entries/s"),
            Figure::new("  ratio", self.ratio, ""),
            Figure::new("  cost", self.us_per_entry, "us/entry"),
            Figure::new("  processor time", self.processor_us, "us/entry"),
            Figure::new("  floor's processor time", self.floor_processor_us, "us/entry"),
        ];
        figures.extend(self.phases.figures());
        figures
    }
}

/// Fills one store level by level and measures at each.
pub(crate) async fn run(folder: &Path, plan: &Plan) -> Result<Vec<Level>> {
    let (base, rules) = (folder.join("base"), Arc::new(customers::rules()));
    let mut levels = Vec::new();
    let mut filled = 0;
    for known in &plan.known {
        let store = Store::open(&base)?;
        known::fill(&*store.ledger, &rules, now(), filled, *known).await?;
        store.close().await;
        filled = *known;
        for mix in [Mix::Strangers, Mix::Everyday] {
            let rounds = if mix == Mix::Strangers { plan.rounds } else { 1 };
            let level = level(folder, &base, &rules, (*known, mix, plan.entries), rounds).await?;
            crate::report::print(&level.figures());
            levels.push(level);
        }
    }
    Ok(levels)
}

async fn level(
    folder: &Path,
    base: &Path,
    rules: &Arc<Rules>,
    (known, mix, entries): (u64, Mix, u64),
    rounds: usize,
) -> Result<Level> {
    let (loaded, work) = (folder.join("loaded"), folder.join("work"));
    copy(base, &loaded)?;
    journal(&loaded, mix, known, entries).await?;
    copy(&loaded, &work)?;
    let (batches, phases) = record(&work, rules, entries).await?;
    let (mut engine, mut floor, mut verdicts) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    let (mut costs, mut floor_costs) = (Vec::new(), Vec::new());
    let cost = |before: f64| (processor_us("self") - before) / entries as f64;
    for _ in 0..rounds {
        copy(&loaded, &work)?;
        let before = processor_us("self");
        let ran = decide(&work, rules, entries).await?;
        costs.push(cost(before));
        engine.push(entries as f64 / ran.took.as_secs_f64());
        verdicts = ran.verdicts;
        copy(&loaded, &work)?;
        let before = processor_us("self");
        let took = replay(&work, rules, &batches).await?;
        floor_costs.push(cost(before));
        floor.push(entries as f64 / took.as_secs_f64());
    }
    let (entries_per_s, floor_per_s) = (median(&engine), median(&floor));
    Ok(Level {
        known_contacts: known,
        mix,
        entries,
        entries_per_s,
        floor_per_s,
        ratio: entries_per_s / floor_per_s,
        us_per_entry: 1e6 / entries_per_s,
        processor_us: median(&costs),
        floor_processor_us: median(&floor_costs),
        phases,
        verdicts,
    })
}

/// The accepted entries, waiting to be decided.
async fn journal(folder: &Path, mix: Mix, known: u64, entries: u64) -> Result<()> {
    let store = Store::open(folder)?;
    deciding::accept(&store.journal, mix, known, entries).await?;
    store.close().await;
    Ok(())
}

async fn decide(folder: &Path, rules: &Arc<Rules>, entries: u64) -> Result<Ran> {
    let store = Store::open(folder)?;
    let ran = deciding::run(Arc::clone(&store.ledger) as SharedLedger, rules, entries).await?;
    store.close().await;
    Ok(ran)
}

async fn record(folder: &Path, rules: &Rules, entries: u64) -> Result<(Vec<Batch>, Phases)> {
    let store = Store::open(folder)?;
    let recorded = deciding::step_by_step(&*store.ledger, rules, entries).await?;
    store.close().await;
    Ok(recorded)
}

/// The floor: writes the batches down, one transaction each.
async fn replay(folder: &Path, rules: &Rules, batches: &[Batch]) -> Result<Duration> {
    let store = Store::open(folder)?;
    let claim = store.ledger.claim(&rules.workspace).await?;
    let copies = batches.to_vec();
    let begun = Instant::now();
    for batch in copies {
        store.ledger.commit(&rules.workspace, &claim, batch).await?;
    }
    let took = begun.elapsed();
    store.close().await;
    Ok(took)
}

/// A journal and a ledger in one folder.
struct Store {
    journal: Journal,
    ledger: Arc<Embedded>,
}

impl Store {
    fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let journal = Journal::open(folder, Bounds::default())?;
        let ledger = Arc::new(Embedded::open(folder, journal.clone())?);
        Ok(Self { journal, ledger })
    }

    async fn close(self) {
        self.journal.close().await;
        self.ledger.close().await;
    }
}

/// A fresh copy, on the disk before anything is timed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        // Both stores were closed, which empties their logs into the files themselves.
        if file.path().extension().is_none_or(|kind| kind == "db") && file.file_type()?.is_file() {
            let target = to.join(file.file_name());
            std::fs::copy(file.path(), &target).context("failed to copy the store")?;
            std::fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}

fn now() -> At {
    gateway::clock::Clock::default().now()
}
