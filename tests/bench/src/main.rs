//! What does leadgate cost, each figure beside a floor measured in the same run? See `README.md` beside this crate.

mod accept;
mod client;
mod customers;
mod engine;
mod floor;
mod known;
mod latency;
mod machine;
mod plot;
mod process;
mod report;
mod results;
mod sources;

use anyhow::{Context as _, Result, bail};
use report::print;
use results::Results;
use std::path::{Path, PathBuf};
use std::time::Duration;

const USAGE: &str = "usage: bench [all|quick|accept|engine|latency|footprint|sources] [FOLDER] [RESULTS]";

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let what = args.first().map_or("all", String::as_str);
    let folder = args.get(1).map_or_else(|| std::env::temp_dir().join("leadgate-bench"), PathBuf::from);
    if what == "floor" {
        let [_, listen, folder] = args.as_slice() else { bail!("usage: bench floor ADDRESS FOLDER") };
        return floor::serve(listen.parse()?, Path::new(folder)).await;
    }
    let parts: &[&str] = match what {
        "all" | "quick" => &["sources", "accept", "latency", "engine"],
        "footprint" => &["accept"],
        one @ ("accept" | "engine" | "latency" | "sources") => &[one],
        _ => bail!(USAGE),
    };
    // A folder of its own below the one named: what lies beside it is not ours to remove.
    let place = folder.join("bench-data");
    remove(&place)?;
    let results = measure(&place, parts, what == "quick").await?;
    remove(&place)?;
    match args.get(2) {
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
                print(&latency.figures());
                results.latency = Some(latency);
            }
            _ => results.engine = engine::run(&folder.join("engine"), &plan(quick)).await?,
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

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).context("failed to remove what an earlier run left")?;
    }
    Ok(())
}
