//! The ledger on a real redis-server.
#![expect(clippy::unwrap_used, reason = "tests: what cannot be unwrapped has failed")]

mod backup;
mod server;
mod settings;
mod suite;
