//! How does one workspace move forward? One loop: entries after the cursor, timers that are due, decide, one commit.
//!
//! One engine decides for a workspace; whoever claims it later fences this one off, and it ends. A batch that cannot be decided is
//! undone whole and its entries go one at a time, so that only the one that is poison is buried.

use crate::batch::{Decided, Decider, Undecided};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::watchdog::Watchdog;
use arc_swap::ArcSwap;
use lead::changes::{Timer, TimerChange};
use lead::decide;
use lead::ids::WorkspaceId;
use lead::rules::Rules;
use lead::time::At;
use ledger::{Arrived, Batch, Claim, Error, Position, SharedLedger};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest sleep: a step of the clock is noticed within it.
const NAP: Duration = Duration::from_secs(1);
/// Waits between failures of the store.
const BACKOFF: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Everything an engine is made of.
#[derive(Clone, Debug)]
pub struct Engine {
    pub workspace: WorkspaceId,
    /// Swapped when the file changes; one snapshot is used for a whole batch.
    pub rules: Arc<ArcSwap<Rules>>,
    pub ledger: SharedLedger,
    pub metrics: Metrics,
    pub config: Config,
    pub clock: Clock,
    pub watchdog: Watchdog,
}

/// Where an engine stands.
struct Place {
    claim: Claim,
    cursor: Position,
    /// Entries still to be decided one at a time.
    alone: usize,
    next_due: Option<At>,
}

impl Engine {
    /// Runs until `stop` or until somebody else has claimed the workspace, and through every failure of the store.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        let mut first = true;
        while !stop.is_cancelled() {
            match self.serve(&stop, first, &mut failures).await {
                Ok(()) => return,
                Err(Error::Fenced) => {
                    self.metrics.engine_failures.with_label_values(&[self.workspace.as_str(), "fenced"]).inc();
                    tracing::warn!(workspace = %self.workspace, "engine.fenced: somebody else has claimed the workspace");
                    return;
                }
                Err(error) => {
                    let wait = BACKOFF[failures.min(BACKOFF.len() - 1)];
                    failures += 1;
                    self.metrics.engine_failures.with_label_values(&[self.workspace.as_str(), reason(&error)]).inc();
                    tracing::error!(workspace = %self.workspace, error = %error, retry_ms = wait.as_millis() as u64, "engine.failed: a batch was undone");
                    tokio::select! { () = tokio::time::sleep(wait) => {}, () = stop.cancelled() => {} }
                }
            }
            first = false;
        }
    }

    /// Claims the workspace and moves it forward until told to stop.
    async fn serve(&self, stop: &CancellationToken, first: bool, failures: &mut usize) -> Result<(), Error> {
        let claim = self.ledger.claim(&self.workspace).await?;
        let alone = if claim.unclean && first { self.config.batch } else { 0 };
        tracing::info!(workspace = %self.workspace, epoch = claim.epoch, cursor = claim.cursor.0, unclean = claim.unclean, "engine.claimed: deciding");
        let next_due = self.ledger.next_due(&self.workspace).await?;
        let mut place = Place { cursor: claim.cursor, claim, alone, next_due };
        loop {
            let limit = if place.alone > 0 { 1 } else { self.config.batch };
            let entries = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                entries = self.ledger.inbox(&self.workspace, place.cursor, limit, self.nap(&place)) => entries?,
            };
            let timers = self.due(&mut place, &entries).await?;
            if entries.is_empty() && timers.is_empty() {
                // The old batch is behind us: nothing is left that could have been in it.
                place.alone = 0;
                continue;
            }
            if place.alone > 0 {
                self.one_alone(&mut place, &entries, &timers).await?;
            } else {
                self.together(&mut place, &entries, &timers).await?;
            }
            *failures = 0;
        }
        self.ledger.rest(&self.workspace, &place.claim).await
    }

    fn nap(&self, place: &Place) -> Duration {
        place.next_due.map_or(NAP, |due| due.since(self.clock.now()).min(NAP))
    }

    /// Timers due by the last entry's moment; with no entry waiting, by now.
    async fn due(&self, place: &mut Place, entries: &[Arrived]) -> Result<Vec<Timer>, Error> {
        let horizon = entries.last().map_or_else(|| self.clock.now(), |last| last.entry.received_at);
        if place.next_due.is_none_or(|due| due > horizon) {
            return Ok(Vec::new());
        }
        self.ledger.due(&self.workspace, horizon, self.config.batch).await
    }

    async fn together(&self, place: &mut Place, entries: &[Arrived], timers: &[Timer]) -> Result<(), Error> {
        let rules = self.rules.load_full();
        match self.decider(&rules).decide(entries, timers, place.cursor).await {
            Ok(decided) => self.commit(place, decided, !timers.is_empty()).await,
            Err(Undecided::Store(error)) => Err(error),
            Err(Undecided::Poison(why)) => {
                tracing::error!(workspace = %self.workspace, entries = entries.len(), why, "engine.poison: going one entry at a time");
                self.metrics.engine_failures.with_label_values(&[self.workspace.as_str(), "poison"]).inc();
                place.alone = entries.len().max(1);
                if entries.is_empty() { self.drop_timers(place, timers).await } else { Ok(()) }
            }
        }
    }

    /// One entry, counted before it is tried, so that even a crash of the process counts.
    async fn one_alone(&self, place: &mut Place, entries: &[Arrived], timers: &[Timer]) -> Result<(), Error> {
        let Some(arrived) = entries.first() else { return self.together(place, entries, timers).await };
        let tried = self.ledger.attempt(&self.workspace, arrived.entry.uid).await?;
        if tried >= self.config.attempts {
            return self.bury(place, arrived, "deciding failed or did not end", tried).await;
        }
        let rules = self.rules.load_full();
        match self.decider(&rules).decide(entries, timers, place.cursor).await {
            Ok(mut decided) => {
                decided.batch.survived = Some(arrived.entry.uid);
                place.alone -= 1;
                self.commit(place, decided, !timers.is_empty()).await
            }
            Err(Undecided::Store(error)) => Err(error),
            Err(Undecided::Poison(_)) => Ok(()),
        }
    }

    async fn bury(&self, place: &mut Place, arrived: &Arrived, why: &str, tried: u32) -> Result<(), Error> {
        tracing::error!(workspace = %self.workspace, channel = %arrived.entry.channel, uid = %arrived.entry.uid, attempts = tried, why, "engine.buried: an entry went to the dead letters");
        let changes = decide::bury(&arrived.entry, why, tried);
        let mut decided = Decided::default();
        decided.batch.records.clone_from(&changes.records);
        decided.batch.absorb(changes, Some((arrived.position, &arrived.entry)));
        decided.batch.cursor = arrived.position;
        place.alone -= 1;
        self.commit(place, decided, false).await
    }

    /// A timer that cannot be decided is no entry and has nothing to bury: it is dropped, loudly.
    async fn drop_timers(&self, place: &mut Place, timers: &[Timer]) -> Result<(), Error> {
        let timers = timers.iter().map(|timer| TimerChange::Clear(*timer)).collect();
        let batch = Batch { cursor: place.cursor, timers, ..Batch::default() };
        self.commit(place, Decided { batch, ..Decided::default() }, true).await
    }

    async fn commit(&self, place: &mut Place, decided: Decided, fired: bool) -> Result<(), Error> {
        let Decided { mut batch, measures, times } = decided;
        batch.at = self.clock.now();
        let cursor = batch.cursor;
        let soonest = batch
            .timers
            .iter()
            .filter_map(|change| match change {
                TimerChange::Set(timer) => Some(timer.due),
                TimerChange::Clear(_) => None,
            })
            .min();
        let books = batch.books.clone();
        self.ledger.commit(&self.workspace, &place.claim, batch).await?;
        place.cursor = cursor;
        place.next_due = if fired {
            self.ledger.next_due(&self.workspace).await?
        } else {
            [place.next_due, soonest].into_iter().flatten().min()
        };
        for ((channel, verdict), count) in &books {
            self.metrics.verdict(&self.workspace, channel, *verdict, *count);
        }
        for measure in &measures {
            self.metrics.measure(&self.workspace, measure);
        }
        for time in times {
            self.metrics.decide.observe(time.as_secs_f64());
        }
        Ok(())
    }

    fn decider<'a>(&'a self, rules: &'a Rules) -> Decider<'a> {
        Decider { workspace: &self.workspace, rules, ledger: &*self.ledger, watchdog: &self.watchdog }
    }
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::Fenced => "fenced",
        Error::Full => "full",
        Error::Corrupt(_) => "corrupt",
        Error::Away(_) => "away",
        Error::Setup(_) => "setup",
        _ => "store",
    }
}
