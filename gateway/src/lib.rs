//! The entrance: hyper listeners, sources, limits, and the desk.

pub mod channel;
pub mod sources;
