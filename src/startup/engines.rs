//! Which workspaces are to be decided, and by which rules? Every one that was ever in force: what was accepted for a
//! company is decided even after its file is gone.

use crate::config::watch::Snapshot;
use arc_swap::ArcSwap;
use ledger::SharedLedger;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::roster::{Roster, Wanted};
use workers::{Config, Metrics};

/// The rules that engines read at their next batch, and the worker that runs them.
#[derive(Debug)]
pub(super) struct Engines {
    ledger: SharedLedger,
    wanted: watch::Sender<Wanted>,
    roster: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Engines {
    /// Engines run from the first [`Engines::follow`] on; the workspaces they run for come out.
    pub(super) fn start(
        ledger: SharedLedger,
        metrics: Metrics,
        config: Config,
    ) -> (Self, watch::Receiver<Vec<lead::ids::WorkspaceId>>) {
        let (wanted, watching) = watch::channel(Wanted::new());
        let stop = CancellationToken::new();
        let holder = lead::ids::short_hash(&rand::random::<[u8; 16]>());
        let roster = Roster::new(Arc::clone(&ledger), metrics, config, holder, watching);
        let served = roster.served();
        let roster = tokio::spawn(roster.run(stop.clone()));
        (Self { ledger, wanted, roster: Some(roster), stop }, served)
    }

    /// Gives running engines their new rules, and new workspaces to whoever has room for them.
    pub(super) async fn follow(&self, snapshot: &Snapshot) {
        for (id, workspace) in &snapshot.workspaces {
            let rules = Arc::clone(&workspace.rules);
            if let Err(error) = self.ledger.keep_rules(&rules.version, &workspace.text).await {
                tracing::warn!(workspace = %id, %error, "rules.not_kept: decisions will name rules that are not on record");
            }
            let known = self.wanted.borrow().get(id).cloned();
            match known {
                Some(current) => current.store(rules),
                None => self.wanted.send_modify(|wanted| {
                    wanted.insert(id.clone(), Arc::new(ArcSwap::new(rules)));
                }),
            }
        }
    }

    /// Lets every engine finish its batch and say that it rests.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(roster) = self.roster.take() {
            let _ = roster.await;
        }
    }
}
