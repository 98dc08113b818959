//! Which crate may know which?

use crate::cargo::{dependencies, everything_below, members, metadata};
use crate::look::mentions;
use std::collections::BTreeSet;

/// Each crate and those of ours it may know: one way, from the root down to the domain.
const ROOMS: [(&str, &[&str]); 8] = [
    ("lead", &[]),
    ("ledger", &["lead"]),
    ("gateway", &["lead", "ledger"]),
    ("workers", &["lead", "ledger"]),
    ("leadgate", &["lead", "ledger", "gateway", "workers"]),
    // Measures every room; no room stands on it.
    ("bench", &["lead", "ledger", "gateway", "workers"]),
    // Stands in for the server.
    ("simulation", &["lead", "ledger", "workers"]),
    // Throws bytes at every reader.
    ("fuzz", &["lead", "ledger", "gateway"]),
];

/// Crates through which bytes leave the process; the domain stands on none of them, however far down.
const IO: [&str; 12] = [
    "async-std",
    "axum",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "lettre",
    "mio",
    "redis",
    "rusqlite",
    "rustls",
    "socket2",
    "tokio",
];

/// Modules of the standard library that do IO or ask the machine.
const AMBIENT: [&str; 8] =
    ["std::env", "std::fs", "std::io", "std::net", "std::process", "std::thread", "Instant::now", "SystemTime"];

#[test]
fn crates_know_only_the_rooms_below_them() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    assert_eq!(members(&metadata), ours, "a new crate needs its row in ROOMS and in ARCHITECTURE.md");
    for (name, may_know) in ROOMS {
        let known: BTreeSet<&str> =
            dependencies(&metadata, name).into_iter().filter(|one| ours.contains(one)).collect();
        let more: Vec<_> = known.iter().filter(|one| !may_know.contains(one)).collect();
        assert!(more.is_empty(), "{name} may not know {more:?}");
    }
}

#[test]
fn only_the_ledger_knows_a_store() {
    let metadata = metadata();
    // The bench writes a floor of its own, to compare with; the simulation is a server.
    for (name, _) in ROOMS.iter().filter(|(name, _)| !["ledger", "bench", "simulation"].contains(name)) {
        for store in ["rusqlite", "libsqlite3-sys", "redis"] {
            assert!(!dependencies(&metadata, name).contains(store), "{name} may not know {store}");
        }
    }
    assert!(dependencies(&metadata, "ledger").contains("rusqlite"));
}

#[test]
fn the_domain_cannot_do_io() {
    let metadata = metadata();
    let below = everything_below(&metadata, "lead");
    assert!(below.contains("chrono"), "the tree was read");
    let io: Vec<_> = IO.iter().filter(|name| below.contains(**name)).collect();
    assert!(io.is_empty(), "lead stands on {io:?}");
    assert_eq!(mentions(&["lead/src"], &AMBIENT), Vec::<String>::new());
}
