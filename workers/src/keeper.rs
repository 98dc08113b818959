//! What has to be done now and then? Retention, and the gauges that are read from the store rather than counted.

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::{Metrics, Unreleased};
use lead::changes::AsideKind;
use lead::identity::Pepper;
use lead::ids::WorkspaceId;
use lead::record::{Key, Record};
use lead::state::Floor;
use ledger::{Keep, Result, SharedLedger};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Everything the keeper is made of.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub ledger: SharedLedger,
    pub metrics: Metrics,
    /// Where the journal is the inbox: what is not decided is nowhere else.
    pub unreleased: Option<Unreleased>,
    pub config: Config,
    pub keep: Keep,
    pub pepper: Pepper,
    pub clock: Clock,
    /// The workspaces that are served now.
    pub workspaces: watch::Receiver<Vec<WorkspaceId>>,
}

impl Keeper {
    pub async fn run(self, stop: CancellationToken) {
        let mut trimmed = Instant::now();
        loop {
            let served = self.workspaces.borrow().clone();
            let mut behind = Duration::ZERO;
            for workspace in served {
                if let Err(error) = self.gauges(&workspace, &mut behind).await {
                    tracing::warn!(workspace = %workspace, error = %error, "keeper.gauges_failed: the gauges are old");
                }
            }
            if let Some(unreleased) = &self.unreleased {
                unreleased.oldest.set(behind.as_secs_f64());
            }
            if trimmed.elapsed() >= self.config.trim_every.0 {
                trimmed = Instant::now();
                self.trim(&stop).await;
            }
            tokio::select! { () = tokio::time::sleep(self.config.gauges_every.0) => {}, () = stop.cancelled() => return }
        }
    }

    /// In small steps until nothing more is past its age.
    async fn trim(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.ledger.trim(self.clock.now(), &self.keep, &self.pepper).await {
                Ok(0) => return,
                Ok(removed) => tracing::debug!(removed, "keeper.trimmed: past their age"),
                Err(error) => {
                    tracing::warn!(error = %error, "keeper.trim_failed: nothing was removed");
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `behind` grows to the age of the oldest entry of any workspace that is not decided.
    async fn gauges(&self, workspace: &WorkspaceId, behind: &mut Duration) -> Result<()> {
        let ws = workspace.as_str();
        let metrics = &self.metrics;
        let now = self.clock.now();
        let waiting = self.ledger.waiting(workspace).await?;
        let books = self.ledger.books(workspace).await?;
        let mut in_flight = 0;
        for (channel, account) in &books {
            let labels = &[ws, channel.as_str()];
            metrics.books_difference.with_label_values(labels).set(account.difference());
            let (count, oldest) = waiting.get(channel).map_or((0, now), |(count, oldest)| (*count, *oldest));
            metrics.waiting.with_label_values(labels).set(count as i64);
            metrics.waiting_oldest.with_label_values(labels).set(now.since(oldest).as_secs_f64());
            in_flight += account.in_flight;
        }
        if let Some(since) = self.ledger.behind_since(workspace).await? {
            *behind = now.since(since).max(*behind);
        }
        metrics.inbox_lag.with_label_values(&[ws]).set(in_flight as i64);
        if let Some(unreleased) = &self.unreleased {
            unreleased.rows.with_label_values(&[ws]).set(in_flight as i64);
        }
        metrics
            .dead_letters
            .with_label_values(&[ws])
            .set(self.ledger.aside_count(workspace, AsideKind::Dead).await? as i64);
        metrics
            .quarantined
            .with_label_values(&[ws])
            .set(self.ledger.aside_count(workspace, AsideKind::Quarantined).await? as i64);
        let floor = match self.ledger.fetch(workspace, &[Key::Floor]).await?.pop() {
            Some(Some(Record::Floor(floor))) => *floor,
            _ => Floor::default(),
        };
        metrics.queue_length.with_label_values(&[ws]).set(floor.queue_length as i64);
        for (person, load) in &floor.loads {
            metrics.person_load.with_label_values(&[ws, person.as_str()]).set(i64::from(*load));
        }
        Ok(())
    }
}
