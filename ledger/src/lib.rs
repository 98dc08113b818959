//! What is durable.

pub mod error;
pub mod journal;
