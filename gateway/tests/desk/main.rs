//! The desk over a real embedded ledger, asked as callers ask it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod aside;
mod events;
mod exclusions;
mod feedback;
mod house;
mod leads;
mod openapi;
mod process;
mod served;
