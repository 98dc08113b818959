//! How fast is a knock made durable, under 64 connections, against the least a durable server can do? And what memory
//! and start-up time does that take?

use crate::client::{self, Posted};
use crate::machine::{memory_mib, processor_us};
use crate::process::{self, Process};
use crate::report::{Figure, median};
use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

pub(crate) const CONNECTIONS: usize = 64;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Accept {
    pub(crate) connections: usize,
    pub(crate) leadgate: Vec<Posted>,
    pub(crate) floor: Vec<Posted>,
    pub(crate) per_s: f64,
    pub(crate) floor_per_s: f64,
    pub(crate) ratio: f64,
    pub(crate) p99_us: f64,
    pub(crate) floor_p99_us: f64,
    pub(crate) p99_ratio: f64,
    /// Of what was accepted: the share that was decided too when the load ended. The rest waits in the journal.
    pub(crate) decided: f64,
    /// Of the server's process, engine included, for each post.
    pub(crate) processor_us: f64,
    pub(crate) floor_processor_us: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Footprint {
    pub(crate) idle_mib: f64,
    pub(crate) loaded_mib: f64,
    pub(crate) first_start_ms: f64,
    pub(crate) start_ms: f64,
}

/// Both servers in turn, product first.
pub(crate) async fn run(folder: &Path, rounds: usize, time: Duration) -> Result<(Accept, f64)> {
    let person = Arc::new(AtomicU64::new(0));
    let (mut leadgate, mut floor, mut highest) = (Vec::new(), Vec::new(), 0_f64);
    let (mut decided, mut costs, mut floor_costs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let server = Process::leadgate(&process::product()?, &folder.join(format!("leadgate-{round}"))).await?;
        let before = processor_us(&server.id().to_string());
        let posted = client::flood(server.public, CONNECTIONS, time, &person).await?;
        costs.push((processor_us(&server.id().to_string()) - before) / posted.answered as f64);
        decided.push(server.metric("leadgate_signals_total").await? / posted.answered as f64);
        leadgate.push(posted);
        highest = highest.max(memory_mib(server.id(), "VmHWM"));
        server.stop().await?;
        let server = Process::floor(folder.join(format!("floor-{round}"))).await?;
        let posted = client::flood(server.public, CONNECTIONS, time, &person).await?;
        floor_costs.push(processor_us(&server.id().to_string()) / posted.answered as f64);
        floor.push(posted);
    }
    let of = |runs: &[Posted], value: fn(&Posted) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
    let (per_s, floor_per_s) = (of(&leadgate, |run| run.per_s), of(&floor, |run| run.per_s));
    let (p99_us, floor_p99_us) = (of(&leadgate, |run| f64::from(run.p99_us)), of(&floor, |run| f64::from(run.p99_us)));
    let accept = Accept {
        connections: CONNECTIONS,
        leadgate,
        floor,
        per_s,
        floor_per_s,
        ratio: per_s / floor_per_s,
        p99_us,
        floor_p99_us,
        p99_ratio: p99_us / floor_p99_us,
        decided: median(&decided),
        processor_us: median(&costs),
        floor_processor_us: median(&floor_costs),
    };
    Ok((accept, highest))
}

/// Memory at rest, and how long a start takes, on an empty folder and again.
pub(crate) async fn footprint(folder: &Path, loaded_mib: f64) -> Result<Footprint> {
    let (binary, folder) = (process::product()?, folder.join("start"));
    let (mut starts, mut idle_mib) = (Vec::new(), 0.0);
    for _ in 0..6 {
        let server = Process::leadgate(&binary, &folder).await?;
        starts.push(server.ready_after.as_secs_f64() * 1e3);
        if starts.len() == 1 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            idle_mib = memory_mib(server.id(), "VmRSS");
        }
        server.stop().await?;
    }
    Ok(Footprint { idle_mib, loaded_mib, first_start_ms: starts[0], start_ms: median(&starts[1..]) })
}

impl Accept {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new("accept, 64 connections", self.per_s, "leads/s"),
            Figure::new("  floor: bare server, raw body, group commit", self.floor_per_s, "posts/s"),
            Figure::new("  ratio (reach 0.6)", self.ratio, ""),
            Figure::new("  decided too when the load ended", self.decided, ""),
            Figure::new("  processor time, engine included", self.processor_us, "us/post"),
            Figure::new("  floor's processor time", self.floor_processor_us, "us/post"),
            Figure::new("  p99", self.p99_us / 1e3, "ms"),
            Figure::new("  floor's p99", self.floor_p99_us / 1e3, "ms"),
            Figure::new("  ratio of p99 (reach 3)", self.p99_ratio, ""),
        ]
    }
}

impl Footprint {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new("memory, idle (reach 40)", self.idle_mib, "MiB"),
            Figure::new("memory, highest under the accept load (reach 200)", self.loaded_mib, "MiB"),
            Figure::new("start to ready, empty folder (reach 200)", self.first_start_ms, "ms"),
            Figure::new("start to ready, again", self.start_ms, "ms"),
        ]
    }
}
