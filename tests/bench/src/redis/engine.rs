//! How fast are leads decided on Redis, and what does it cost beyond what Redis itself takes?
//!
//! The floor sends the very bytes that the deciding connection of the engine sent, look-ups and commits in the same
//! pipelines, to the same store as it was before: no reading of the inbox, no answers taken apart, no rules. Both runs
//! alternate, each on a fresh copy.

use super::halves::{self, key};
use super::server::{Fsync, Server, copy};
use super::tape::{self, Order, Recorder};
use crate::customers::{self, PEPPER, WORKSPACE};
use crate::deciding::{self, Mix, Phases};
use crate::engine::Plan;
use crate::known;
use crate::machine::processor_us;
use crate::report::{Figure, median, print};
use anyhow::{Result, ensure};
use lead::rules::Rules;
use ledger::SharedLedger;
use ledger::redis::Redis;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Level {
    pub(crate) fsync: Fsync,
    pub(crate) known_contacts: u64,
    pub(crate) mix: Mix,
    entries: u64,
    entries_per_s: f64,
    floor_per_s: f64,
    pub(crate) ratio: f64,
    pub(crate) us_per_entry: f64,
    /// For each entry: of this process, and of Redis.
    processor_us: f64,
    redis_us: f64,
    floor_redis_us: f64,
    phases: Phases,
    verdicts: BTreeMap<String, f64>,
}

/// Where the stores of one run lie.
struct Places {
    base: PathBuf,
    loaded: PathBuf,
    work: PathBuf,
    journal: PathBuf,
}

/// What is measured at once.
#[derive(Copy, Clone)]
struct Case {
    fsync: Fsync,
    known: u64,
    mix: Mix,
    entries: u64,
    rounds: usize,
}

/// Fills one store level by level and measures at each.
pub(crate) async fn run(folder: &Path, plan: &Plan) -> Result<Vec<Level>> {
    let [base, loaded, work, journal] = ["base", "loaded", "work", "journal"].map(|name| folder.join(name));
    let (places, rules) = (Places { base, loaded, work, journal }, Arc::new(customers::rules()));
    let mut levels = Vec::new();
    let mut filled = 0;
    for known in &plan.known {
        fill(&places.base, &rules, filled, *known).await?;
        filled = *known;
        for mix in [Mix::Strangers, Mix::Everyday] {
            load(&places, mix, *known, plan.entries).await?;
            let rounds = if mix == Mix::Strangers { plan.rounds } else { 1 };
            for fsync in Fsync::BOTH {
                let case = Case { fsync, known: *known, mix, entries: plan.entries, rounds };
                let level = level(&places, &rules, case).await?;
                print(&level.figures());
                levels.push(level);
            }
        }
    }
    std::fs::remove_dir_all(folder)?;
    Ok(levels)
}

async fn fill(base: &Path, rules: &Rules, from: u64, to: u64) -> Result<()> {
    let server = Server::start(base, Fsync::Everysec).await?;
    let now = gateway::clock::Clock::default().now();
    known::fill(&*halves::ledger(&server)?, rules, now, from, to).await?;
    server.compact().await?;
    server.stop().await
}

/// The inbox: journalled and sent as ever.
async fn load(places: &Places, mix: Mix, known: u64, entries: u64) -> Result<()> {
    copy(&places.base, &places.loaded)?;
    let server = Server::start(&places.loaded, Fsync::Everysec).await?;
    let journal = halves::journal(&places.journal)?;
    deciding::accept(&journal, mix, known, entries).await?;
    halves::forward(&server, &journal, entries).await?;
    journal.close().await;
    server.stop().await
}

impl Places {
    async fn fresh(&self, fsync: Fsync) -> Result<Server> {
        copy(&self.loaded, &self.work)?;
        Server::start(&self.work, fsync).await
    }
}

async fn level(places: &Places, rules: &Arc<Rules>, case: Case) -> Result<Level> {
    let Case { fsync, known, mix, entries, rounds } = case;
    let phases = phases(places, rules, case).await?;
    let (orders, left) = record(places, rules, case).await?;
    let (mut engine, mut floor, mut verdicts) = (Vec::new(), Vec::new(), BTreeMap::new());
    let (mut costs, mut redis, mut floor_redis) = (Vec::new(), Vec::new(), Vec::new());
    let each = |spent: f64| spent / entries as f64;
    for _ in 0..rounds {
        let server = places.fresh(fsync).await?;
        let before = (processor_us("self"), processor_us(&server.id()));
        let ran = deciding::run(halves::ledger(&server)? as SharedLedger, rules, entries).await?;
        costs.push(each(processor_us("self") - before.0));
        redis.push(each(processor_us(&server.id()) - before.1));
        engine.push(entries as f64 / ran.took.as_secs_f64());
        verdicts = ran.verdicts;
        drop(server);
        let server = places.fresh(fsync).await?;
        let before = processor_us(&server.id());
        let took = replay(&server, &orders, &left).await?;
        floor_redis.push(each(processor_us(&server.id()) - before));
        floor.push(entries as f64 / took.as_secs_f64());
    }
    let (entries_per_s, floor_per_s) = (median(&engine), median(&floor));
    Ok(Level {
        fsync,
        known_contacts: known,
        mix,
        entries,
        entries_per_s,
        floor_per_s,
        ratio: entries_per_s / floor_per_s,
        us_per_entry: 1e6 / entries_per_s,
        processor_us: median(&costs),
        redis_us: median(&redis),
        floor_redis_us: median(&floor_redis),
        phases,
        verdicts,
    })
}

async fn phases(places: &Places, rules: &Rules, case: Case) -> Result<Phases> {
    let server = places.fresh(case.fsync).await?;
    let (_, phases) = deciding::step_by_step(&*halves::ledger(&server)?, rules, case.entries).await?;
    Ok(phases)
}

/// What an engine's run leaves: the lengths of everything it fills.
type Left = Vec<u64>;

async fn record(places: &Places, rules: &Arc<Rules>, case: Case) -> Result<(Vec<Order>, Left)> {
    let server = places.fresh(case.fsync).await?;
    let recorder = Arc::new(Recorder::new(server.address));
    let ledger = Arc::new(Redis::new(Arc::clone(&recorder) as _, PEPPER.as_bytes()));
    deciding::run(ledger, rules, case.entries).await?;
    Ok((recorder.decider()?, left(&server).await?))
}

async fn left(server: &Server) -> Result<Left> {
    let mut lengths = Vec::new();
    for (order, name) in [
        ("HLEN", "lead"),
        ("HLEN", "contact"),
        ("HLEN", "identity"),
        ("HLEN", "seen"),
        ("ZCARD", "leads"),
        ("ZCARD", "timers"),
        ("XLEN", "events"),
    ] {
        lengths.push(server.ask(&[order, &key(WORKSPACE, name)]).await?);
    }
    Ok(lengths)
}

async fn replay(server: &Server, orders: &[Order], expected: &Left) -> Result<Duration> {
    let begun = Instant::now();
    tape::play(server.address, orders).await?;
    let took = begun.elapsed();
    ensure!(left(server).await? == *expected, "what was played did not leave what the engine left");
    Ok(took)
}

impl Level {
    pub(crate) fn name(&self) -> String {
        let Self { fsync, known_contacts, mix, .. } = self;
        format!("{}, {known_contacts} known, {mix:?}", fsync.word()).to_lowercase()
    }

    fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            Figure::new(format!("redis engine, {} (reach 10000)", self.name()), self.entries_per_s, "entries/s"),
            Figure::new("  floor: the same bytes to Redis", self.floor_per_s, "entries/s"),
            Figure::new("  ratio (reach 0.7)", self.ratio, ""),
            Figure::new("  cost", self.us_per_entry, "us/entry"),
            Figure::new("  processor time of the engine", self.processor_us, "us/entry"),
            Figure::new("  processor time of Redis", self.redis_us, "us/entry"),
            Figure::new("    below the floor", self.floor_redis_us, "us/entry"),
        ];
        figures.extend(self.phases.figures());
        figures
    }
}
