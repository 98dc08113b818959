//! How many connections may be open? A bound in all and one per client address, for each listener.

use crate::client::{ClientKey, is_trusted};
use crate::metrics::Metrics;
use ipnet::IpNet;
use prometheus::{IntCounterVec, IntGauge};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The doors of one listener.
#[derive(Debug)]
pub(crate) struct Doors {
    name: &'static str,
    all: Arc<Semaphore>,
    each: PerAddress,
    most_each: usize,
    /// Not bounded per address: many clients stand behind each.
    trusted: Vec<IpNet>,
    /// Those who are being told that we are full.
    refusing: Arc<Semaphore>,
    gauge: IntGauge,
    refused: IntCounterVec,
}

#[derive(Copy, Clone, Debug)]
pub(crate) enum Full {
    All,
    Address,
}

type PerAddress = Arc<Mutex<HashMap<ClientKey, usize>>>;

/// One open connection's place; given back on drop.
#[derive(Debug)]
pub(crate) struct Pass {
    _all: OwnedSemaphorePermit,
    each: Option<(PerAddress, ClientKey)>,
    gauge: IntGauge,
}

impl Doors {
    pub(crate) fn new(name: &'static str, all: usize, each: usize, trusted: &[IpNet], metrics: &Metrics) -> Self {
        Self {
            name,
            all: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            each: Arc::default(),
            most_each: each,
            trusted: trusted.to_vec(),
            refusing: Arc::new(Semaphore::new(64)),
            gauge: metrics.connections.with_label_values(&[name]),
            refused: metrics.connections_refused.clone(),
        }
    }

    /// A place for a client; one without an address, on a socket of this machine, counts only in all.
    pub(crate) fn open(&self, address: Option<IpAddr>) -> Result<Pass, Full> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Full::All)?;
        let limited = address.filter(|address| !is_trusted(*address, &self.trusted));
        let each = limited.map(ClientKey::of);
        if let Some(key) = each {
            let mut counts = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(key).or_default();
            if *count >= self.most_each {
                return Err(Full::Address);
            }
            *count += 1;
        }
        self.gauge.inc();
        Ok(Pass { _all: all, each: each.map(|key| (Arc::clone(&self.each), key)), gauge: self.gauge.clone() })
    }

    /// Counts somebody who found no place. With a permit he may be told so; those who are told are bounded, too.
    pub(crate) fn turn_away(&self, full: Full) -> Option<OwnedSemaphorePermit> {
        self.count(match full {
            Full::All => "all",
            Full::Address => "address",
        });
        Arc::clone(&self.refusing).try_acquire_owned().ok()
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn count(&self, reason: &str) {
        self.refused.with_label_values(&[self.name, reason]).inc();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gauge.dec();
        let Some((counts, key)) = self.each.take() else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&key);
            }
        }
    }
}
