//! How fast are leads decided, and what does it cost beyond writing them down?
//!
//! The floor writes the very batches the engine made, into the same store as it was before, without deciding: no
//! reading of the inbox, no look-ups, no rules. Both runs alternate, each on a fresh copy.

use crate::customers;
use crate::known;
use crate::machine::processor_us;
use crate::report::{Figure, median};
use anyhow::{Context as _, Result, ensure};
use arc_swap::ArcSwap;
use lead::rules::Rules;
use lead::time::At;
use ledger::embedded::Embedded;
use ledger::journal::{Bounds, Journal, Row};
use ledger::{Batch, Ledger, SharedLedger};
use prometheus::Registry;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use workers::batch::Decider;
use workers::engine::Engine;
use workers::watchdog::Watchdog;

/// People who were never here before start at this number.
const STRANGERS: u64 = 30_000_000;

/// What one run is asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) known: Vec<u64>,
    pub(crate) entries: u64,
    pub(crate) rounds: usize,
}

/// Who the entries are from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mix {
    /// Every entry makes a new lead of a new contact.
    Strangers,
    /// Of twenty: ten strangers, four with an open lead, four whose lead was closed, two posts sent twice.
    Everyday,
}

impl Mix {
    fn person(self, index: u64, known: u64) -> u64 {
        let stranger = STRANGERS + index;
        let spread = |parity: u64| (index.wrapping_mul(7_919) % known) / 2 * 2 + parity;
        match (self, index % 20) {
            (Mix::Strangers, _) => stranger,
            (Mix::Everyday, 0..10) => stranger,
            (Mix::Everyday, 10..14) => spread(0),
            (Mix::Everyday, 14..18) => spread(1),
            (Mix::Everyday, _) => stranger - 10,
        }
    }
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
        vec![
            Figure::new(format!("engine, {what}"), self.entries_per_s, "entries/s"),
            Figure::new("  floor: the same batches, only written", self.floor_per_s, "entries/s"),
            Figure::new("  ratio", self.ratio, ""),
            Figure::new("  cost", self.us_per_entry, "us/entry"),
            Figure::new("  processor time", self.processor_us, "us/entry"),
            Figure::new("  floor's processor time", self.floor_processor_us, "us/entry"),
            Figure::new("    one after the other: reading the inbox", self.phases.inbox_us, "us/entry"),
            Figure::new("    look-ups, and opening the entries", self.phases.look_ups_us, "us/entry"),
            Figure::new("    deciding", self.phases.deciding_us, "us/entry"),
            Figure::new("    commit", self.phases.commit_us, "us/entry"),
        ]
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
        let took = decide(&work, rules, entries, &mut verdicts).await?;
        costs.push(cost(before));
        engine.push(entries as f64 / took.as_secs_f64());
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
    let (channel, start) = (customers::channel("form"), now());
    let mut rows: Vec<Row> = Vec::new();
    for index in 0..entries {
        let at = start.plus(Duration::from_micros(index * 100));
        rows.push(customers::row(&channel, mix.person(index, known), at));
        if rows.len() == 256 || index + 1 == entries {
            store.journal.append(std::mem::take(&mut rows)).await?;
        }
    }
    store.close().await;
    Ok(())
}

/// Runs the engine until every entry is decided.
async fn decide(
    folder: &Path,
    rules: &Arc<Rules>,
    entries: u64,
    verdicts: &mut std::collections::BTreeMap<String, f64>,
) -> Result<Duration> {
    let store = Store::open(folder)?;
    let metrics = workers::Metrics::register(&Registry::new())?;
    let config = workers::Config::default();
    let engine = Engine {
        workspace: rules.workspace.clone(),
        rules: Arc::new(ArcSwap::new(Arc::clone(rules))),
        ledger: Arc::clone(&store.ledger) as SharedLedger,
        metrics: metrics.clone(),
        watchdog: Watchdog::start(config.watchdog.0),
        config,
        clock: workers::clock::Clock::Wall,
    };
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let engine = tokio::spawn(engine.run(stop.clone()));
    while decided(&metrics) < entries {
        ensure!(begun.elapsed() < Duration::from_mins(10), "the engine did not finish in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = begun.elapsed();
    stop.cancel();
    engine.await?;
    verdicts.clear();
    for verdict in lead::books::Verdict::ALL {
        let count =
            metrics.signals.with_label_values(&[customers::WORKSPACE, customers::CHANNEL, verdict.word()]).get();
        if count > 0 {
            verdicts.insert(verdict.word().to_owned(), count as f64 / entries as f64);
        }
    }
    store.close().await;
    Ok(took)
}

/// Counted after each commit.
fn decided(metrics: &workers::Metrics) -> u64 {
    let of = |verdict: &lead::books::Verdict| {
        metrics.signals.with_label_values(&[customers::WORKSPACE, customers::CHANNEL, verdict.word()]).get()
    };
    lead::books::Verdict::ALL.iter().map(of).sum()
}

/// Where the time of one entry goes when nothing runs beside anything else.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Phases {
    inbox_us: f64,
    look_ups_us: f64,
    deciding_us: f64,
    commit_us: f64,
}

/// Decides everything once, one step after the other, and keeps a copy of each batch.
async fn record(folder: &Path, rules: &Rules, entries: u64) -> Result<(Vec<Batch>, Phases)> {
    let store = Store::open(folder)?;
    let watchdog = Watchdog::start(Duration::from_mins(1));
    let claim = store.ledger.claim(&rules.workspace).await?;
    let decider = Decider { workspace: &rules.workspace, rules, ledger: &*store.ledger, watchdog: &watchdog };
    let (mut cursor, mut batches, mut phases) = (claim.cursor, Vec::new(), Phases::default());
    let share = |spent: Duration| spent.as_secs_f64() * 1e6 / entries as f64;
    loop {
        let size = workers::Config::default().batch;
        let begun = Instant::now();
        let found = store.ledger.inbox(&rules.workspace, cursor, size, Duration::ZERO).await?;
        let read = Instant::now();
        let Some(last) = found.last().map(|last| last.position) else { break };
        let decided = decider.decide(&found, &[], cursor).await;
        let decided = decided.map_err(|why| anyhow::anyhow!("undecided: {why:?}"))?;
        let (done, deciding) = (Instant::now(), decided.times.iter().sum());
        batches.push(decided.batch.clone());
        let kept = Instant::now();
        store.ledger.commit(&rules.workspace, &claim, decided.batch).await?;
        phases.inbox_us += share(read - begun);
        phases.deciding_us += share(deciding);
        phases.look_ups_us += share((done - read).saturating_sub(deciding));
        phases.commit_us += share(kept.elapsed());
        cursor = last;
    }
    store.close().await;
    Ok((batches, phases))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_everyday_mix_names_known_people_by_whether_their_lead_is_open() {
        for index in 0..1_000 {
            let person = Mix::Everyday.person(index, 10_000);
            match index % 20 {
                0..10 => assert_eq!(person, STRANGERS + index),
                10..14 => assert!(person < 10_000 && person.is_multiple_of(2)),
                14..18 => assert!(person < 10_000 && !person.is_multiple_of(2)),
                _ => assert_eq!(person, STRANGERS + index - 10, "somebody of the same twenty"),
            }
        }
    }
}
