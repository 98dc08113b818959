//! How fast are several workspaces decided together, by one worker process and by two?
//!
//! Leases are held back until all workers are there, so that each comes to its fair share; counted is from the first
//! workspace that moves to the last that is done.

use super::halves::{self, Halves, key};
use super::server::{Fsync, Server, copy};
use crate::customers;
use crate::process::Process;
use crate::report::{Figure, median};
use anyhow::{Result, ensure};
use ledger::journal::Row;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

const WORKSPACES: usize = 8;
const WORKERS: [usize; 2] = [1, 2];

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Spread {
    fsync: Fsync,
    workspaces: usize,
    workers: usize,
    entries: u64,
    entries_per_s: f64,
}

/// `entries` wait in each workspace.
pub(crate) async fn run(folder: &Path, entries: u64, rounds: usize) -> Result<Vec<Spread>> {
    let place = folder.join("spread");
    let names: Vec<String> = (1..=WORKSPACES).map(|number| format!("company{number}")).collect();
    load(&place, &names, entries).await?;
    let mut all = Vec::new();
    for fsync in Fsync::BOTH {
        let mut speeds = vec![Vec::new(); WORKERS.len()];
        for _ in 0..rounds {
            for (workers, speeds) in WORKERS.iter().zip(&mut speeds) {
                let took = decide(&place, fsync, &names, *workers).await?;
                speeds.push((entries * WORKSPACES as u64) as f64 / took.as_secs_f64());
            }
        }
        all.extend(WORKERS.iter().zip(speeds).map(|(workers, speeds)| Spread {
            fsync,
            workspaces: WORKSPACES,
            workers: *workers,
            entries: entries * WORKSPACES as u64,
            entries_per_s: median(&speeds),
        }));
    }
    std::fs::remove_dir_all(&place)?;
    Ok(all)
}

async fn load(place: &Path, names: &[String], entries: u64) -> Result<()> {
    let server = Server::start(&place.join("loaded"), Fsync::Everysec).await?;
    let journal = halves::journal(&place.join("journal"))?;
    let start = gateway::clock::Clock::default().now();
    for index in 0..entries {
        let at = start.plus(Duration::from_micros(index * 100));
        let row = |name: &String| -> Row {
            let mut channel = customers::channel("form");
            channel.workspace = name.as_str().into();
            channel.id = format!("{name}-form").as_str().into();
            customers::row(&channel, index, at)
        };
        journal.append(names.iter().map(row).collect()).await?;
    }
    halves::forward(&server, &journal, entries * names.len() as u64).await?;
    journal.close().await;
    server.stop().await
}

async fn decide(place: &Path, fsync: Fsync, names: &[String], workers: usize) -> Result<Duration> {
    let work = place.join("work");
    copy(&place.join("loaded"), &work.join("redis"))?;
    let server = Server::start(&work.join("redis"), fsync).await?;
    for name in names {
        let _held: String = server.ask(&["SET", &key(name, "lease"), "the bench"]).await?;
    }
    let halves = Halves::of(&work, &server, names, "1s")?;
    let mut running: Vec<Process> = Vec::new();
    for _ in 0..workers {
        running.push(halves.workers().await?);
    }
    let begun = Instant::now();
    while server.ask::<usize>(&["ZCARD", "lg:workers"]).await? < workers {
        ensure!(begun.elapsed() < Duration::from_secs(30), "a worker did not say that it is there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Each has looked at who is there once more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let leases: Vec<String> = names.iter().map(|name| key(name, "lease")).collect();
    let mut give: Vec<&str> = vec!["DEL"];
    give.extend(leases.iter().map(String::as_str));
    let _given: u64 = server.ask(&give).await?;
    let took = watch(&server, names).await?;
    for worker in running {
        worker.stop().await?;
    }
    drop(server);
    std::fs::remove_dir_all(&work)?;
    Ok(took)
}

/// From the first cursor that moves to the last that stands at the end of its inbox.
async fn watch(server: &Server, names: &[String]) -> Result<Duration> {
    let mut ends = Vec::new();
    for name in names {
        let last: Vec<(String, redis::Value)> =
            server.ask(&["XREVRANGE", &key(name, "inbox"), "+", "-", "COUNT", "1"]).await?;
        ends.push(last.into_iter().next().map(|(id, _)| id));
    }
    let (given, mut begun) = (Instant::now(), None);
    loop {
        let mut cursors: Vec<Option<String>> = Vec::new();
        for name in names {
            cursors.push(server.ask(&["HGET", &key(name, "head"), "cursor"]).await?);
        }
        if begun.is_none() && cursors.iter().any(Option::is_some) {
            begun = Some(Instant::now());
        }
        if cursors == ends {
            return Ok(begun.unwrap_or(given).elapsed());
        }
        ensure!(given.elapsed() < Duration::from_mins(5), "the workers did not finish in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Spread {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let Self { fsync, workspaces, workers, .. } = self;
        let name = format!("redis {}: {workspaces} workspaces, {workers} worker process(es)", fsync.word());
        vec![Figure::new(name, self.entries_per_s, "entries/s")]
    }
}
