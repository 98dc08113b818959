//! What does each decision make of what comes in? One file a rule, over a workspace that lives in memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod world;

mod any_order;
mod apart;
mod assigning;
mod calls;
mod clock;
mod duplicate;
mod events;
mod exclusion;
mod facts;
mod linking;
mod redelivery;
