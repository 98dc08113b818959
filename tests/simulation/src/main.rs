//! How are many seeds run by hand? `cargo run --release -p simulation -- --seeds 100000 --from 1`
#![expect(clippy::print_stdout, reason = "its words are what it is for")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str = "usage: simulation [--seeds N] [--from S] [--threads T] [--plan] [--log]";

#[derive(Debug)]
struct Wishes {
    seeds: u64,
    from: u64,
    threads: u64,
    plan: bool,
}

fn main() -> ExitCode {
    let Some(wishes) = wishes(std::env::args().skip(1)) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let (next, done, failed) = (AtomicU64::new(wishes.from), AtomicU64::new(0), Mutex::new(Vec::new()));
    let (accepted, aborted, begun) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..wishes.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= wishes.from + wishes.seeds {
                        return;
                    }
                    let report = simulation::run(seed);
                    aborted.fetch_add(report.aborted, Ordering::Relaxed);
                    accepted.fetch_add(report.accepted as u64, Ordering::Relaxed);
                    if !report.violations.is_empty() {
                        println!("{}", report.told(wishes.plan));
                        failed.lock().expect("nobody panics while holding it").push(seed);
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done % 1_000 == 0 {
                        println!("{done} seeds, {} s", begun.elapsed().as_secs());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics while holding it");
    println!(
        "{} seeds from {}, {} signals, {} late commits, {} s: {} failed {failed:?}",
        wishes.seeds,
        wishes.from,
        accepted.into_inner(),
        aborted.into_inner(),
        begun.elapsed().as_secs(),
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wishes(mut said: impl Iterator<Item = String>) -> Option<Wishes> {
    let mut wishes = Wishes { seeds: 1, from: 1, threads: 1, plan: false };
    while let Some(word) = said.next() {
        match word.as_str() {
            "--seeds" => wishes.seeds = said.next()?.parse().ok()?,
            "--from" => wishes.from = said.next()?.parse().ok()?,
            "--threads" => wishes.threads = said.next()?.parse().ok()?,
            "--plan" => wishes.plan = true,
            "--log" => tracing_subscriber::fmt().with_env_filter("debug").init(),
            _ => return None,
        }
    }
    Some(wishes)
}
