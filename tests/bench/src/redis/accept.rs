//! How fast is a knock made durable while the rows of the journal are sent on to Redis? Against the least that a server
//! with a Redis behind it can do.

use super::halves::{Halves, key};
use super::server::{Fsync, Server};
use crate::accept::CONNECTIONS;
use crate::client::{self, Posted};
use crate::customers::WORKSPACE;
use crate::machine::processor_us;
use crate::process::Process;
use crate::report::{Figure, median};
use anyhow::{Result, ensure};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// One of our runs, beside what a client saw of it.
#[derive(Clone, Debug, Serialize)]
struct Run {
    posted: Posted,
    /// Rows that Redis had not yet when the load ended, and how long it took until it had them.
    unsent: f64,
    caught_up_s: f64,
    /// As the gateway says when the load ends.
    unreleased: f64,
    gateway_us: f64,
    redis_us: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Accept {
    pub(crate) fsync: Fsync,
    leadgate: Vec<Run>,
    floor: Vec<Posted>,
    per_s: f64,
    floor_per_s: f64,
    pub(crate) ratio: f64,
    p99_ms: f64,
    floor_p99_ms: f64,
}

/// Both servers in turn, product first, each on a Redis of its own.
pub(crate) async fn run(folder: &Path, fsync: Fsync, rounds: usize, time: Duration) -> Result<Accept> {
    let person = Arc::new(AtomicU64::new(0));
    let (mut leadgate, mut floor) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let place = folder.join(format!("accept-{}-{round}", fsync.word()));
        leadgate.push(product(&place.join("product"), fsync, time, &person).await?);
        let server = Server::start(&place.join("floor"), fsync).await?;
        let bare = Process::floor(server.url()).await?;
        floor.push(client::flood(bare.public, CONNECTIONS, time, &person).await?);
        drop((bare, server));
        std::fs::remove_dir_all(&place)?;
    }
    let of = |value: fn(&Posted) -> f64| median(&leadgate.iter().map(|run| value(&run.posted)).collect::<Vec<_>>());
    let of_floor = |value: fn(&Posted) -> f64| median(&floor.iter().map(value).collect::<Vec<_>>());
    let (per_s, floor_per_s) = (of(|run| run.per_s), of_floor(|run| run.per_s));
    Ok(Accept {
        fsync,
        per_s,
        floor_per_s,
        ratio: per_s / floor_per_s,
        p99_ms: of(|run| f64::from(run.p99_us)) / 1e3,
        floor_p99_ms: of_floor(|run| f64::from(run.p99_us)) / 1e3,
        leadgate,
        floor,
    })
}

async fn product(place: &Path, fsync: Fsync, time: Duration, person: &Arc<AtomicU64>) -> Result<Run> {
    let server = Server::start(&place.join("redis"), fsync).await?;
    let gateway = Halves::demo(place, &server)?.gateway().await?;
    let spent = || (processor_us(&gateway.id().to_string()), processor_us(&server.id()));
    let before = spent();
    let posted = client::flood(gateway.public, CONNECTIONS, time, person).await?;
    let ended = Instant::now();
    let (gateway_us, redis_us) = spent();
    let unreleased = gateway.metric("leadgate_journal_unreleased").await?;
    let all = posted.answered as u64;
    let unsent = all - sent(&server).await?;
    while sent(&server).await? < all {
        ensure!(ended.elapsed() < Duration::from_mins(2), "some rows never came to Redis");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let caught_up_s = ended.elapsed().as_secs_f64();
    gateway.stop().await?;
    ensure!(sent(&server).await? == all, "a row came twice, or one that nobody was told of");
    let each = |spent: f64, before: f64| (spent - before) / all as f64;
    Ok(Run {
        unsent: unsent as f64,
        caught_up_s,
        unreleased,
        gateway_us: each(gateway_us, before.0),
        redis_us: each(redis_us, before.1),
        posted,
    })
}

async fn sent(server: &Server) -> Result<u64> {
    server.ask(&["XLEN", &key(WORKSPACE, "inbox")]).await
}

impl Accept {
    /// The share of the floor's speed that is hoped for.
    pub(crate) const fn reach(fsync: Fsync) -> f64 {
        match fsync {
            Fsync::Everysec => 0.45,
            Fsync::Always => 0.6,
        }
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let of = |value: fn(&Run) -> f64| median(&self.leadgate.iter().map(value).collect::<Vec<_>>());
        let (fsync, reach) = (self.fsync.word(), Self::reach(self.fsync));
        vec![
            Figure::new(format!("redis {fsync}: accept, journal and sending on"), self.per_s, "leads/s"),
            Figure::new("  floor: bare server, one XADD of the raw body", self.floor_per_s, "posts/s"),
            Figure::new(format!("  ratio (reach {reach})"), self.ratio, ""),
            Figure::new("  p99 (reach 15)", self.p99_ms, "ms"),
            Figure::new("  floor's p99", self.floor_p99_ms, "ms"),
            Figure::new("  rows not in Redis when the load ended", of(|run| run.unsent), ""),
            Figure::new("    until all of them were", of(|run| run.caught_up_s), "s"),
            Figure::new("  unreleased then, as the gateway says", of(|run| run.unreleased), ""),
            Figure::new("  processor time of the gateway", of(|run| run.gateway_us), "us/post"),
            Figure::new("  processor time of Redis", of(|run| run.redis_us), "us/post"),
        ]
    }
}
