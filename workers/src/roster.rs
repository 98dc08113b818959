//! Who decides for which workspace? Workspaces are spread evenly over the workers that are there, by leases that each
//! worker takes, keeps and gives back.
//!
//! A lease says who should decide and nothing more: that two never do is the claim's doing. A worker that dies stops
//! keeping its leases, and within two of their lives another has taken them.

use crate::clock::Clock;
use crate::config::Config;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::watchdog::Watchdog;
use arc_swap::ArcSwap;
use lead::ids::WorkspaceId;
use lead::rules::Rules;
use ledger::{Duty, Result, SharedLedger};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The rules of every workspace, each swapped when its file changes.
pub type Wanted = BTreeMap<WorkspaceId, Arc<ArcSwap<Rules>>>;

/// Leases are looked after this many times in their life.
const TIMES: u32 = 5;

/// One worker's share of the work.
#[derive(Debug)]
pub struct Roster {
    ledger: SharedLedger,
    metrics: Metrics,
    config: Config,
    clock: Clock,
    /// This worker, as no other calls itself.
    holder: String,
    wanted: watch::Receiver<Wanted>,
    served: watch::Sender<Vec<WorkspaceId>>,
    running: BTreeMap<WorkspaceId, Running>,
    failing: bool,
}

#[derive(Debug)]
struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

impl Roster {
    pub fn new(
        ledger: SharedLedger,
        metrics: Metrics,
        config: Config,
        holder: String,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        Self {
            ledger,
            metrics,
            config,
            clock: Clock::Wall,
            holder,
            wanted,
            served: watch::Sender::new(Vec::new()),
            running: BTreeMap::new(),
            failing: false,
        }
    }

    /// Engines by another clock than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The workspaces this worker decides for.
    pub fn served(&self) -> watch::Receiver<Vec<WorkspaceId>> {
        self.served.subscribe()
    }

    /// Takes its share until `stop`; then lets every engine finish its batch, and gives everything back.
    pub async fn run(mut self, stop: CancellationToken) {
        let every = self.config.lease.0 / TIMES;
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(()) => self.failing = false,
                Err(error) if !self.failing => {
                    self.failing = true;
                    tracing::warn!(%error, "roster.failed: keeping what there is");
                }
                Err(_) => {}
            }
            self.served.send_if_modified(|served| {
                let now: Vec<_> = self.running.keys().cloned().collect();
                let changed = *served != now;
                *served = now;
                changed
            });
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                changed = self.wanted.changed() => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
        }
        self.leave().await;
    }

    async fn round(&mut self) -> Result<()> {
        let life = self.config.lease.0;
        let workers = self.ledger.present(&self.holder, life).await?;
        self.keep(life).await?;
        let wanted = self.wanted.borrow_and_update().clone();
        let share = fair_share(wanted.len(), workers);
        while let Some(name) = one_too_many(&self.running, share) {
            self.hand_over(&name).await?;
        }
        for (name, rules) in in_turn(wanted, &self.holder) {
            if self.running.len() >= share {
                break;
            }
            if !self.running.contains_key(&name) && self.ledger.lease(&name, Duty::Decide, &self.holder, life).await? {
                self.start(name, rules);
            }
        }
        Ok(())
    }

    /// Keeps the leases of what runs. An engine without its lease, or one that was ousted, ends.
    async fn keep(&mut self, life: Duration) -> Result<()> {
        let names: Vec<WorkspaceId> = self.running.keys().cloned().collect();
        for name in names {
            let ousted = self.running.get(&name).is_some_and(|running| running.task.is_finished());
            if ousted || !self.ledger.lease(&name, Duty::Decide, &self.holder, life).await? {
                tracing::info!(workspace = %name, "roster.lost: another worker decides, or the store began anew");
                if let Some(running) = self.running.remove(&name) {
                    running.end().await;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, workspace: WorkspaceId, rules: Arc<ArcSwap<Rules>>) {
        let stop = CancellationToken::new();
        let engine = Engine {
            workspace: workspace.clone(),
            rules,
            ledger: Arc::clone(&self.ledger),
            metrics: self.metrics.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            // One each: an engine that decides must not hide that another hangs.
            watchdog: Watchdog::start(self.config.watchdog.0),
        };
        let task = tokio::spawn(engine.run(stop.clone()));
        self.running.insert(workspace, Running { task, stop });
    }

    async fn hand_over(&mut self, name: &WorkspaceId) -> Result<()> {
        tracing::info!(workspace = %name, "roster.handed_over: another worker has less to do");
        if let Some(running) = self.running.remove(name) {
            running.end().await;
        }
        self.ledger.give_back(name, Duty::Decide, &self.holder).await
    }

    async fn leave(&mut self) {
        let running = std::mem::take(&mut self.running);
        let names: Vec<WorkspaceId> = running.keys().cloned().collect();
        for engine in running.values() {
            engine.stop.cancel();
        }
        for engine in running.into_values() {
            engine.end().await;
        }
        for name in names {
            // Whoever cannot say so waits for the lease to end.
            let _ = self.ledger.give_back(&name, Duty::Decide, &self.holder).await;
        }
        let _ = self.ledger.present(&self.holder, Duration::ZERO).await;
    }
}

/// So many that nobody has more than one above another.
fn fair_share(workspaces: usize, workers: usize) -> usize {
    workspaces.div_ceil(workers.max(1))
}

fn one_too_many<T>(running: &BTreeMap<WorkspaceId, T>, share: usize) -> Option<WorkspaceId> {
    (running.len() > share).then(|| running.keys().next_back().cloned()).flatten()
}

/// Each worker begins somewhere else, so that they do not all reach for the same lease.
fn in_turn(wanted: Wanted, holder: &str) -> Vec<(WorkspaceId, Arc<ArcSwap<Rules>>)> {
    let from = usize::from(lead::ids::digest("turn", &[holder.as_bytes()])[0]) * wanted.len() / 256;
    let mut all: Vec<_> = wanted.into_iter().collect();
    all.rotate_left(from);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_one_above_another() {
        for (workspaces, workers, share) in [(0, 1, 0), (1, 1, 1), (5, 2, 3), (6, 2, 3), (1, 3, 1), (9, 0, 9)] {
            assert_eq!(fair_share(workspaces, workers), share, "{workspaces} over {workers}");
        }
    }

    #[test]
    fn what_is_above_the_share_goes_one_by_one() {
        let mut running: BTreeMap<_, _> = ["a", "b", "c"].map(|name| (WorkspaceId::new(name), ())).into();
        let mut gone = Vec::new();
        while let Some(name) = one_too_many(&running, 1) {
            running.remove(&name);
            gone.push(name.to_string());
        }
        assert_eq!(gone, ["c", "b"]);
    }
}
