//! Which engines run? One for every workspace that was ever in force: what was accepted for a company is decided even
//! after its file is gone.

use crate::config::watch::Snapshot;
use arc_swap::ArcSwap;
use lead::ids::WorkspaceId;
use lead::rules::Rules;
use ledger::SharedLedger;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::clock::Clock;
use workers::engine::Engine;
use workers::watchdog::Watchdog;
use workers::{Config, Metrics};

/// The running engines and the rules each of them reads at its next batch.
#[derive(Debug)]
pub(super) struct Engines {
    ledger: SharedLedger,
    metrics: Metrics,
    config: Config,
    rules: BTreeMap<WorkspaceId, Arc<ArcSwap<Rules>>>,
    served: watch::Sender<Vec<WorkspaceId>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Engines {
    pub(super) fn new(ledger: SharedLedger, metrics: Metrics, config: Config) -> Self {
        Self {
            ledger,
            metrics,
            config,
            rules: BTreeMap::new(),
            served: watch::Sender::new(Vec::new()),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Gives running engines their new rules and starts engines for new workspaces.
    pub(super) async fn follow(&mut self, snapshot: &Snapshot) {
        for (id, workspace) in &snapshot.workspaces {
            let rules = Arc::clone(&workspace.rules);
            if let Err(error) = self.ledger.keep_rules(&rules.version, &workspace.text).await {
                tracing::warn!(workspace = %id, %error, "rules.not_kept: decisions will name rules that are not on record");
            }
            match self.rules.get(id) {
                Some(current) => current.store(rules),
                None => self.start(id, rules),
            }
        }
        self.served.send_replace(self.rules.keys().cloned().collect());
    }

    fn start(&mut self, id: &WorkspaceId, rules: Arc<Rules>) {
        let rules = Arc::new(ArcSwap::new(rules));
        self.rules.insert(id.clone(), Arc::clone(&rules));
        let engine = Engine {
            workspace: id.clone(),
            rules,
            ledger: Arc::clone(&self.ledger),
            metrics: self.metrics.clone(),
            config: self.config.clone(),
            clock: Clock::Wall,
            // One each: an engine that decides must not hide that another hangs.
            watchdog: Watchdog::start(self.config.watchdog.0),
        };
        self.tasks.spawn(engine.run(self.stop.clone()));
    }

    pub(super) fn served(&self) -> watch::Receiver<Vec<WorkspaceId>> {
        self.served.subscribe()
    }

    /// Lets every engine finish its batch and say that it rests.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
