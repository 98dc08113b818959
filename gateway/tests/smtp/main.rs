//! What do mail servers hear, and what is on disk when they hear it? Sessions without a socket, and real listeners.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(unreachable_pub, reason = "the modules of one test binary")]

mod data;
mod deliveries;
mod encrypted;
mod house;
mod limits;
mod sessions;
mod smuggling;
mod stopping;
mod trace;
