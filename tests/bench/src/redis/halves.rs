//! How does the product stand on a Redis? A configuration as an operator writes it, and a process for each half.

use super::server::Server;
use crate::customers::{PEPPER, WORKSPACE};
use crate::process::Process;
use anyhow::{Result, ensure};
use ledger::journal::{Bounds, Journal};
use ledger::redis::{Durability, Forwarder, Forwarding, Redis};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const DEMO: &str = include_str!("../../../../config/workspaces/demo.toml");

/// Gateways and workers of one configuration.
pub(crate) struct Halves {
    folder: PathBuf,
}

impl Halves {
    /// The demo's workspace under each of these names. Beside the store one limit differs from the defaults, which
    /// would otherwise be what is measured; and the lease, where workers have to come to their share quickly.
    pub(crate) fn of(folder: &Path, server: &Server, workspaces: &[String], lease: &str) -> Result<Self> {
        std::fs::create_dir_all(folder.join("workspaces"))?;
        let machine = format!(
            "[store]\nurl = \"{}\"\npepper = \"{PEPPER}\"\n[limits]\nper_channel = \"1000000/s burst 1000000\"\n[workers]\nlease = \"{lease}\"\n",
            server.url()
        );
        std::fs::write(folder.join("leadgate.toml"), machine)?;
        for name in workspaces {
            let rules = DEMO.replace("demo-", &format!("{name}-"));
            std::fs::write(folder.join("workspaces").join(format!("{name}.toml")), rules)?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    pub(crate) fn demo(folder: &Path, server: &Server) -> Result<Self> {
        Self::of(folder, server, &[WORKSPACE.to_owned()], "5s")
    }

    pub(crate) async fn gateway(&self) -> Result<Process> {
        Process::half("gateway", &self.folder).await
    }

    pub(crate) async fn workers(&self) -> Result<Process> {
        Process::half("workers", &self.folder).await
    }
}

/// `lg:{demo}:name`
pub(crate) fn key(workspace: &str, name: &str) -> String {
    format!("lg:{{{workspace}}}:{name}")
}

/// Waits until somebody decides for the demo.
pub(crate) async fn somebody_decides(server: &Server) -> Result<()> {
    let begun = Instant::now();
    while server.ask::<Option<u64>>(&["HGET", &key(WORKSPACE, "head"), "epoch"]).await?.is_none() {
        ensure!(begun.elapsed() < Duration::from_secs(30), "no worker claimed the workspace");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Signals of the demo that have a verdict.
pub(crate) async fn decided(server: &Server) -> Result<u64> {
    let counts: Vec<u64> = server.ask(&["HVALS", &key(WORKSPACE, "books")]).await?;
    Ok(counts.into_iter().sum())
}

pub(crate) fn ledger(server: &Server) -> Result<Arc<Redis>> {
    Ok(Arc::new(Redis::new(Arc::new(server.dial()?), PEPPER.as_bytes())))
}

/// Brings every row of a journal into the inboxes, by the product's own forwarder.
pub(crate) async fn forward(server: &Server, journal: &Journal, rows: u64) -> Result<()> {
    let (state, mut sent) = watch::channel(Forwarding::default());
    let clock = gateway::clock::Clock::default();
    let forwarder = Forwarder {
        journal: journal.clone(),
        redis: ledger(server)?,
        durability: Durability::Aof,
        keep: Duration::from_hours(24),
        clock: Arc::new(move || clock.now()),
        state,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(forwarder.run(stop.clone()));
    tokio::time::timeout(Duration::from_mins(5), sent.wait_for(|state| state.sent >= rows)).await??;
    stop.cancel();
    running.await?;
    Ok(())
}

/// A journal in a folder that is emptied before.
pub(crate) fn journal(folder: &Path) -> Result<Journal> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(Journal::open(folder, Bounds::default())?)
}
