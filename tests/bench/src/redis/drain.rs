//! Redis is away while knocks come: are they all answered, and how soon is nothing behind once it is back?

use super::halves::{self, Halves};
use super::server::{Fsync, Server};
use crate::latency;
use crate::report::Figure;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// The time between two posts.
const APART: Duration = Duration::from_millis(2);

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drain {
    pub(crate) fsync: Fsync,
    away_s: f64,
    posts: u64,
    /// Unreleased rows as the gateway's gauge said while Redis was still away.
    gauge: f64,
    /// From the first answer of the Redis that is back.
    decided_s: f64,
    released_s: f64,
}

pub(crate) async fn run(folder: &Path, fsync: Fsync, away: Duration) -> Result<Drain> {
    let place = folder.join(format!("drain-{}", fsync.word()));
    let server = Server::start(&place.join("redis"), fsync).await?;
    let halves = Halves::demo(&place, &server)?;
    let (gateway, workers) = (halves.gateway().await?, halves.workers().await?);
    halves::somebody_decides(&server).await?;
    let address = server.address;
    server.stop().await?;
    let posts = u64::try_from(away.as_millis() / APART.as_millis())?;
    // Any answer but 200 ends it.
    latency::post_all(gateway.public, posts, APART).await?;
    let gauge = gateway.metric("leadgate_journal_unreleased").await?;
    let server = Server::start_at(address, &place.join("redis"), fsync).await?;
    let back = Instant::now();
    let waited = |done: bool| {
        ensure!(back.elapsed() < Duration::from_mins(5), "the backlog was still there after five minutes");
        Ok::<bool, anyhow::Error>(!done)
    };
    while waited(halves::decided(&server).await? >= posts)? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let decided_s = back.elapsed().as_secs_f64();
    while waited(gateway.metric("leadgate_journal_unreleased").await? == 0.0)? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let released_s = back.elapsed().as_secs_f64();
    ensure!(halves::decided(&server).await? == posts, "more was decided than was accepted");
    gateway.stop().await?;
    workers.stop().await?;
    drop(server);
    std::fs::remove_dir_all(&place)?;
    Ok(Drain { fsync, away_s: away.as_secs_f64(), posts, gauge, decided_s, released_s })
}

impl Drain {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let name = format!("redis {}: back after {} s at 500/s, all decided after", self.fsync.word(), self.away_s);
        vec![
            Figure::new(name, self.decided_s, "s"),
            Figure::new("  accepted while it was away", self.posts as f64, ""),
            Figure::new("    unreleased before it was back, as the gateway says", self.gauge, ""),
            Figure::new("  and nothing unreleased in the journal (reach 30)", self.released_s, "s"),
        ]
    }
}
