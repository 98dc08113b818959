//! What does leadgate cost with its store on Redis? The same questions as with the embedded one, and those that only
//! come up here: halves apart, memory, many workspaces, a store that was away.

mod accept;
mod drain;
mod engine;
mod halves;
mod latency;
mod memory;
mod server;
mod spread;
mod tape;

use crate::deciding::Mix;
use crate::engine::Plan;
use crate::plot::{self, Bar};
use crate::report::print;
use accept::Accept;
use anyhow::Result;
use serde::Serialize;
use server::{Fsync, Server};
use std::path::Path;
use std::time::Duration;

/// Every row of Redis.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Rows {
    version: String,
    accept: Vec<Accept>,
    latency: Vec<latency::Apart>,
    engine: Vec<engine::Level>,
    spread: Vec<spread::Spread>,
    memory: Vec<memory::Kind>,
    drain: Vec<drain::Drain>,
}

/// The rows by their names; all of them unless one is asked for.
pub(crate) const ROWS: [&str; 6] = ["accept", "latency", "engine", "spread", "memory", "drain"];

/// How long and how often.
pub(crate) struct Length {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
    pub(crate) plan: Plan,
    pub(crate) people: u64,
    pub(crate) each: u64,
    pub(crate) away: Duration,
}

pub(crate) async fn run(folder: &Path, rows: &[&str], length: &Length) -> Result<Rows> {
    let mut all = Rows { version: version(folder).await?, ..Rows::default() };
    for row in rows {
        all.measure(folder, row, length).await?;
    }
    Ok(all)
}

async fn version(folder: &Path) -> Result<String> {
    let server = Server::start(&folder.join("version"), Fsync::Always).await?;
    let info: String = server.ask(&["INFO", "server"]).await?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.unwrap_or("unknown").to_owned())
}

impl Rows {
    async fn measure(&mut self, folder: &Path, row: &str, length: &Length) -> Result<()> {
        match row {
            "engine" => self.engine = engine::run(&folder.join("engine"), &length.plan).await?,
            "spread" => {
                self.spread = spread::run(folder, length.each, length.rounds).await?;
                self.spread.iter().for_each(|one| print(&one.figures()));
            }
            "memory" => {
                self.memory = memory::run(folder, length.people).await?;
                self.memory.iter().for_each(|one| print(&one.figures()));
            }
            _ => {
                for fsync in Fsync::BOTH {
                    self.with(folder, row, fsync, length).await?;
                }
            }
        }
        Ok(())
    }

    async fn with(&mut self, folder: &Path, row: &str, fsync: Fsync, length: &Length) -> Result<()> {
        match row {
            "accept" => {
                let accept = accept::run(folder, fsync, length.rounds, length.time).await?;
                print(&accept.figures());
                self.accept.push(accept);
            }
            "latency" => {
                let apart = latency::run(folder, fsync, length.time).await?;
                print(&apart.figures());
                self.latency.push(apart);
            }
            _ => {
                let drain = drain::run(folder, fsync, length.away).await?;
                print(&drain.figures());
                self.drain.push(drain);
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::write(
            folder.join("redis-ratios.svg"),
            plot::bars("On Redis: share of the floor's speed (mark: reach)", &self.ratios()),
        )?;
        let strangers: Vec<_> = self.engine.iter().filter(|level| level.mix == Mix::Strangers).collect();
        for fsync in Fsync::BOTH {
            let levels: Vec<_> = strangers.iter().filter(|level| level.fsync == fsync).collect();
            if levels.is_empty() {
                continue;
            }
            let marks: Vec<String> = levels.iter().map(|level| format!("{} known", level.known_contacts)).collect();
            let costs: Vec<f64> = levels.iter().map(|level| level.us_per_entry).collect();
            let title = format!("Engine on Redis, AOF {}: microseconds a lead (reach: 100)", fsync.word());
            let plot = plot::line(&title, &marks, &costs, Some(100.0));
            std::fs::write(folder.join(format!("redis-engine-{}.svg", fsync.word())), plot)?;
        }
        let marks: Vec<String> = (0..=10).map(|tenth| format!("p{}", tenth * 10)).collect();
        for apart in &self.latency {
            let fsync = apart.fsync.word();
            let title = format!("On Redis, AOF {fsync}: post to event read by SSE, milliseconds (reach: p99 at 50)");
            let plot = plot::line(&title, &marks, &apart.sse.percentiles_ms, Some(50.0));
            std::fs::write(folder.join(format!("redis-latency-{fsync}.svg")), plot)?;
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<Bar> {
        let accept = self.accept.iter().map(|accept| Bar {
            name: format!("accept, {}", accept.fsync.word()),
            value: accept.ratio,
            reach: Some(Accept::reach(accept.fsync)),
        });
        let engine = self.engine.iter().map(|level| Bar { name: level.name(), value: level.ratio, reach: Some(0.7) });
        accept.chain(engine).collect()
    }
}
