//! The engines of a process: they decide, and keep order.

use super::engines::Engines;
use super::store::{Kind, Store};
use crate::config::machine::{self as config, Config};
use crate::config::watch::Snapshot;
use gateway::desk::{self, Readiness};
use lead::identity::Pepper;
use ledger::Keep;
use prometheus::Registry;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::keeper::Keeper;
use workers::metrics::Unreleased;

pub(super) struct Back {
    engines: Engines,
    /// Of a process without a desk.
    probes: Option<JoinHandle<()>>,
    close: CancellationToken,
}

/// Where a process without a desk answers probes.
pub(super) struct Probes {
    pub(super) listener: TcpListener,
    pub(super) ready: Arc<Readiness>,
}

impl Back {
    pub(super) fn open(
        machine: &Config,
        store: &Store,
        registry: &Registry,
        probes: Option<Probes>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let metrics = workers::Metrics::register(registry)?;
        let bounds = machine.workers.bounds.clone();
        let (engines, served) = Engines::start(store.ledger(), metrics.clone(), bounds.clone());
        let embedded = matches!(store.kind, Kind::Embedded(_));
        let keeper = Keeper {
            ledger: store.ledger(),
            metrics,
            unreleased: embedded.then(|| Unreleased::register(registry)).transpose()?,
            config: bounds,
            keep: keep(machine),
            pepper: Pepper::new(&store.pepper),
            clock: workers::clock::Clock::Wall,
            workspaces: served,
        };
        tokio::spawn(keeper.run(stop.clone()));
        let close = CancellationToken::new();
        let probes = probes.map(|Probes { listener, ready }| {
            tokio::spawn(desk::probes(listener, ready, registry.clone(), machine.limits.clone(), close.clone()))
        });
        Ok(Self { engines, probes, close })
    }

    pub(super) async fn follow(&self, snapshot: &Snapshot) {
        self.engines.follow(snapshot).await;
    }

    pub(super) async fn shut(mut self) {
        self.engines.stop().await;
        self.close.cancel();
        if let Some(probes) = self.probes.take() {
            let _ = probes.await;
        }
    }
}

fn keep(machine: &Config) -> Keep {
    let config::Keep { events, inbox, journal, seen, closed, aside } = machine.keep.clone();
    Keep { events, inbox, journal, seen, closed, aside }
}
