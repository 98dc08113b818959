//! Is every promise kept in every run?

use simulation::{Flaw, Report, run, run_with};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds that once failed, by what they found.
const FOUND: [u64; 20] = [
    // A lease outlived its holder by as much as the server's clock went back.
    102, 128,
    // Rows that a wiped store had lost came back where nobody looked, or behind newer ones of their gateway.
    131, 135, 152, 276, 562, 575,
    // A gateway that had not noticed the loss yet wrote into the new store, and took its older rows for safe.
    272, 311, 324, 1322, 2033, 2218, 2267, // An entry was buried that only owners who were ousted had tried.
    1142, 1639, 1845, 2261, // A breach that was taken back again is no event that must come again.
    782,
];
const FIRST: u64 = 1;
/// Few, as nothing is optimised here; `tests/run` plays a thousand.
const SEEDS: u64 = 40;

#[test]
fn what_once_failed_does_not_fail_again() {
    let failed: Vec<String> = FOUND.iter().filter_map(|seed| failure(&run(*seed))).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_run_comes_right() {
    let next = AtomicU64::new(FIRST);
    let one_after_the_other = || {
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < FIRST + SEEDS));
        seeds.filter_map(|seed| failure(&run(seed))).collect::<Vec<_>>()
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let other = scope.spawn(one_after_the_other);
        let mut failed = one_after_the_other();
        failed.extend(other.join().expect("a run says what fails and does not panic"));
        failed
    });
    assert!(failed.is_empty(), "{} of {SEEDS} runs fail\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for seed in 1..=5 {
        let (one, other) = (run(seed), run(seed));
        assert_eq!((one.trace, one.events, one.lasted), (other.trace, other.events, other.lasted), "seed {seed}");
    }
}

#[test]
fn a_server_that_breaks_its_word_is_noticed() {
    for flaw in [Flaw::Blind, Flaw::Forgetful] {
        let noticed = (1..=20).any(|seed| !run_with(seed, Some(flaw)).violations.is_empty());
        assert!(noticed, "nobody noticed a {flaw:?} server");
    }
}

fn failure(report: &Report) -> Option<String> {
    (!report.violations.is_empty()).then(|| report.told(false))
}
