//! Which workspaces are to be decided, and by which rules? Every one that was ever in force: what was accepted for a
//! company is decided even after its file is gone.

use crate::config::watch::Snapshot;
use arc_swap::ArcSwap;
use lead::ids::WorkspaceId;
use ledger::SharedLedger;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::roster::{Roster, Wanted};
use workers::{Config, Metrics};

/// How often rules are offered to a store that is away.
const AGAIN: Duration = Duration::from_secs(5);

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
    ) -> (Self, watch::Receiver<Vec<WorkspaceId>>) {
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
            self.record(id, &rules.version, &workspace.text).await;
            let known = self.wanted.borrow().get(id).cloned();
            match known {
                Some(current) => current.store(rules),
                None => self.wanted.send_modify(|wanted| {
                    wanted.insert(id.clone(), Arc::new(ArcSwap::new(rules)));
                }),
            }
        }
    }

    /// Puts the rules on record; with the store away, as soon as it is back.
    async fn record(&self, id: &WorkspaceId, version: &str, text: &str) {
        let Err(error) = self.ledger.keep_rules(version, text).await else { return };
        tracing::warn!(workspace = %id, %error, "rules.not_kept: decisions name rules that are not on record yet");
        let (ledger, stop) = (Arc::clone(&self.ledger), self.stop.clone());
        let (version, text) = (version.to_owned(), text.to_owned());
        tokio::spawn(async move {
            loop {
                tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(AGAIN) => {} }
                if ledger.keep_rules(&version, &text).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Lets every engine finish its batch and say that it rests.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(roster) = self.roster.take() {
            let _ = roster.await;
        }
    }
}
