//! What does leadgate cost, each figure beside a floor measured in the same run? See `README.md` beside this crate.

mod accept;
mod client;
mod customers;
mod deciding;
mod engine;
mod floor;
mod known;
mod latency;
mod machine;
mod plot;
mod process;
mod redis;
mod report;
mod results;
mod sources;

use anyhow::{Context as _, Result, bail};
use report::print;
use results::Results;
use std::path::{Path, PathBuf};
use std::time::Duration;

const USAGE: &str =
    "usage: bench [all|accept|engine|latency|footprint|sources|redis|redis-ROW] [quick] [FOLDER] [RESULTS]";

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [what, listen, target] = args.as_slice()
        && what == "floor"
    {
        return floor::serve(listen.parse()?, target).await;
    }
    let quick = args.iter().any(|word| word == "quick");
    let words: Vec<&String> = args.iter().filter(|word| *word != "quick").collect();
    let what = words.first().map_or("all", |what| what.as_str());
    let folder = words.get(1).map_or_else(|| std::env::temp_dir().join("leadgate-bench"), PathBuf::from);
    let parts: Vec<&str> = match what {
        "all" => vec!["sources", "accept", "latency", "engine", "redis"],
        "footprint" => vec!["accept"],
        "accept" | "engine" | "latency" | "sources" | "redis" => vec![what],
        one if one.strip_prefix("redis-").is_some_and(|row| redis::ROWS.contains(&row)) => vec![one],
        _ => bail!(USAGE),
    };
    // A folder of its own below the one named: what lies beside it is not ours to remove.
    let place = folder.join("bench-data");
    remove(&place)?;
    let results = measure(&place, &parts, quick).await?;
    remove(&place)?;
    match words.get(2) {
        Some(target) => results.write(Path::new(target)),
        None => Ok(()),
    }
}

async fn measure(folder: &Path, parts: &[&str], quick: bool) -> Result<Results> {
    let mut results = Results::new(machine::Machine::look(folder)?);
    print(&results.figures());
    let (rounds, time) = if quick { (1, Duration::from_secs(2)) } else { (3, Duration::from_secs(10)) };
    for part in parts {
        match *part {
            "sources" => {
                results.sources = sources::run()?;
                results.sources.iter().for_each(|one| print(&one.figures()));
            }
            "accept" => {
                let (accept, loaded) = accept::run(folder, rounds, time).await?;
                print(&accept.figures());
                let footprint = accept::footprint(folder, loaded).await?;
                print(&footprint.figures());
                (results.accept, results.footprint) = (Some(accept), Some(footprint));
            }
            "latency" => {
                let latency = latency::run(folder, time).await?;
                print(&latency.figures(""));
                results.latency = Some(latency);
            }
            "engine" => results.engine = engine::run(&folder.join("engine"), &plan(quick)).await?,
            part => {
                let row = part.strip_prefix("redis-");
                let rows = row.as_ref().map_or(&redis::ROWS[..], std::slice::from_ref);
                results.redis = Some(redis::run(&folder.join("redis"), rows, &length(quick, rounds, time)).await?);
            }
        }
    }
    Ok(results)
}

fn plan(quick: bool) -> engine::Plan {
    if quick {
        engine::Plan { known: vec![10_000], entries: 5_120, rounds: 1 }
    } else {
        engine::Plan { known: vec![10_000, 100_000, 1_000_000], entries: 20_480, rounds: 3 }
    }
}

fn length(quick: bool, rounds: usize, time: Duration) -> redis::Length {
    let (people, each, away) = if quick { (10_000, 1_280, 5) } else { (100_000, 10_240, 60) };
    redis::Length { rounds, time, plan: plan(quick), people, each, away: Duration::from_secs(away) }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).context("failed to remove what an earlier run left")?;
    }
    Ok(())
}
