//! How is the real engine run until everything is decided, on whichever store? And how one step after the other?

use crate::customers;
use crate::report::Figure;
use anyhow::{Result, ensure};
use arc_swap::ArcSwap;
use lead::books::Verdict;
use lead::rules::Rules;
use ledger::journal::{Journal, Row};
use ledger::{Batch, Ledger, SharedLedger};
use prometheus::Registry;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use workers::batch::Decider;
use workers::engine::Engine;
use workers::watchdog::Watchdog;

/// People who were never here before start at this number.
const STRANGERS: u64 = 30_000_000;

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

/// Puts the entries into the journal, as the gateway would.
pub(crate) async fn accept(journal: &Journal, mix: Mix, known: u64, entries: u64) -> Result<()> {
    let (channel, start) = (customers::channel("form"), gateway::clock::Clock::default().now());
    let mut rows: Vec<Row> = Vec::new();
    for index in 0..entries {
        let at = start.plus(Duration::from_micros(index * 100));
        rows.push(customers::row(&channel, mix.person(index, known), at));
        if rows.len() == 256 || index + 1 == entries {
            journal.append(std::mem::take(&mut rows)).await?;
        }
    }
    Ok(())
}

/// A run to the end: the time it took, and of all entries the share of each verdict.
pub(crate) struct Ran {
    pub(crate) took: Duration,
    pub(crate) verdicts: BTreeMap<String, f64>,
}

/// Runs the engine until every entry is decided.
pub(crate) async fn run(ledger: SharedLedger, rules: &Arc<Rules>, entries: u64) -> Result<Ran> {
    let metrics = workers::Metrics::register(&Registry::new())?;
    let config = workers::Config::default();
    let engine = Engine {
        workspace: rules.workspace.clone(),
        rules: Arc::new(ArcSwap::new(Arc::clone(rules))),
        ledger,
        metrics: metrics.clone(),
        watchdog: Watchdog::start(config.watchdog.0),
        config,
        clock: workers::clock::Clock::Wall,
    };
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let engine = tokio::spawn(engine.run(stop.clone()));
    while verdicts(&metrics).values().sum::<u64>() < entries {
        ensure!(begun.elapsed() < Duration::from_mins(10), "the engine did not finish in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = begun.elapsed();
    stop.cancel();
    engine.await?;
    let share = |(verdict, count): (&'static str, u64)| (verdict.to_owned(), count as f64 / entries as f64);
    Ok(Ran { took, verdicts: verdicts(&metrics).into_iter().filter(|(_, count)| *count > 0).map(share).collect() })
}

/// Counted after each commit.
fn verdicts(metrics: &workers::Metrics) -> BTreeMap<&'static str, u64> {
    let count = |verdict: Verdict| {
        metrics.signals.with_label_values(&[customers::WORKSPACE, customers::CHANNEL, verdict.word()]).get()
    };
    Verdict::ALL.into_iter().map(|verdict| (verdict.word(), count(verdict))).collect()
}

/// Where the time of one entry goes when nothing runs beside anything else.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Phases {
    pub(crate) inbox_us: f64,
    pub(crate) look_ups_us: f64,
    pub(crate) deciding_us: f64,
    pub(crate) commit_us: f64,
}

impl Phases {
    pub(crate) fn figures(&self) -> [Figure; 4] {
        [
            Figure::new("    one after the other: reading the inbox", self.inbox_us, "us/entry"),
            Figure::new("    look-ups, and opening the entries", self.look_ups_us, "us/entry"),
            Figure::new("    deciding", self.deciding_us, "us/entry"),
            Figure::new("    commit", self.commit_us, "us/entry"),
        ]
    }
}

/// Decides everything once, one step after the other, and keeps a copy of each batch.
pub(crate) async fn step_by_step(ledger: &dyn Ledger, rules: &Rules, entries: u64) -> Result<(Vec<Batch>, Phases)> {
    let watchdog = Watchdog::start(Duration::from_mins(1));
    let claim = ledger.claim(&rules.workspace).await?;
    let decider = Decider { workspace: &rules.workspace, rules, ledger, watchdog: &watchdog };
    let (mut cursor, mut batches, mut phases) = (claim.cursor, Vec::new(), Phases::default());
    let share = |spent: Duration| spent.as_secs_f64() * 1e6 / entries as f64;
    loop {
        let size = workers::Config::default().batch;
        let begun = Instant::now();
        let found = ledger.inbox(&rules.workspace, cursor, size, Duration::ZERO).await?;
        let read = Instant::now();
        let Some(last) = found.last().map(|last| last.position) else { break };
        let decided = decider.decide(&found, &[], cursor).await;
        let decided = decided.map_err(|why| anyhow::anyhow!("undecided: {why:?}"))?;
        let (done, deciding) = (Instant::now(), decided.times.iter().sum());
        batches.push(decided.batch.clone());
        let kept = Instant::now();
        ledger.commit(&rules.workspace, &claim, decided.batch).await?;
        phases.inbox_us += share(read - begun);
        phases.deciding_us += share(deciding);
        phases.look_ups_us += share((done - read).saturating_sub(deciding));
        phases.commit_us += share(kept.elapsed());
        cursor = last;
    }
    Ok((batches, phases))
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
