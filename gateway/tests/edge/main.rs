//! What does the public listener answer, byte by byte? A real listener on a port of its own, and raw TCP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(unreachable_pub, reason = "the modules of one test binary")]

mod answers;
mod embed;
mod fetching;
mod house;
mod limits;
mod spam;
mod stopping;
mod tls;
mod wire;
