//! Which store is it, and does it let us in? What must be opened before anybody is told that we are here.

use super::Role;
use crate::config::machine::{Config, Store as Configured};
use anyhow::Context as _;
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::Journal;
use ledger::redis::{Address, Redis};
use ledger::{Error, SharedLedger};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a start waits for a Redis that does not answer.
const GREETING: Duration = Duration::from_secs(3);

/// The ledger, and the journal where this process has an entrance.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) kind: Kind,
    pub(super) journal: Option<Journal>,
    pub(super) pepper: Vec<u8>,
    _folder: Option<Folder>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Embedded(Arc<Embedded>),
    Redis(Arc<Redis>),
}

impl Store {
    pub(super) async fn open(machine: &Config, role: Role) -> anyhow::Result<Self> {
        let entrance = role != Role::Workers;
        // Workers keep nothing of their own, so many of them may stand beside one gateway.
        let folder = entrance.then(|| Folder::take(&machine.data)).transpose()?;
        let pepper = pepper(machine, folder.as_ref())?;
        let journal = entrance.then(|| Journal::open(&machine.data, machine.journal.clone())).transpose()?;
        let kind = match (&machine.store, &journal) {
            (Configured::Embedded, Some(journal)) => {
                Kind::Embedded(Arc::new(Embedded::open(&machine.data, journal.clone())?))
            }
            (Configured::Embedded, None) => unreachable!("the halves of the embedded store were refused"),
            (redis @ Configured::Redis { .. }, _) => Kind::Redis(connect(redis, &pepper).await?),
        };
        Ok(Self { kind, journal, pepper, _folder: folder })
    }

    pub(super) fn ledger(&self) -> SharedLedger {
        match &self.kind {
            Kind::Embedded(ledger) => Arc::clone(ledger) as SharedLedger,
            Kind::Redis(ledger) => Arc::clone(ledger) as SharedLedger,
        }
    }

    /// Closes what has a file open.
    pub(super) async fn close(&self) {
        if let Some(journal) = &self.journal {
            journal.close().await;
        }
        if let Kind::Embedded(ledger) = &self.kind {
            ledger.close().await;
        }
    }
}

/// The ledger of a Redis configuration. Nothing is asked of the server yet.
pub(crate) fn redis(store: &Configured, pepper: &[u8]) -> anyhow::Result<Redis> {
    let Configured::Redis { url, ca, .. } = store else { anyhow::bail!("the store is embedded: there is no Redis") };
    let ca = ca.as_ref().map(|path| std::fs::read(path).with_context(|| format!("failed to read {}", path.display())));
    let address = Address::parse(url.expose_secret(), ca.transpose()?)?;
    Ok(Redis::new(Arc::new(address), pepper))
}

/// A store that is away is no reason not to start; one that must not be used is.
async fn connect(store: &Configured, pepper: &[u8]) -> anyhow::Result<Arc<Redis>> {
    let redis = Arc::new(redis(store, pepper)?);
    match timeout(GREETING, redis.greet()).await {
        Ok(Err(refused @ (Error::Setup(_) | Error::Newer { .. }))) => Err(refused.into()),
        Ok(Ok(())) => Ok(redis),
        Ok(Err(error)) => {
            tracing::warn!(%error, "store.away: starting without Redis, and trying on");
            Ok(redis)
        }
        Err(_) => {
            tracing::warn!("store.away: Redis does not answer; starting without it, and trying on");
            Ok(redis)
        }
    }
}

fn pepper(machine: &Config, folder: Option<&Folder>) -> anyhow::Result<Vec<u8>> {
    match (&machine.pepper, folder) {
        (Some(own), _) => Ok(own.expose_secret().as_bytes().to_vec()),
        (None, Some(folder)) => Ok(folder.pepper(rand::random())?),
        (None, None) => anyhow::bail!("store.pepper is not set"),
    }
}
