//! The entrance: hyper listeners, sources, limits, and the desk.
//!
//! Read in this order: [`public`] (which paths exist), [`knock`] (the way of one request), [`admission`] (who may come
//! in now), [`server`] and [`wire`] (connections), [`smtp`] (mail servers), [`feeds`] (connections that we open).
//! Nothing here decides about a lead.

pub mod admission;
pub mod body;
pub mod channel;
pub mod channels;
pub mod client;
pub mod clock;
pub mod config;
pub mod demo;
pub mod desk;
mod doors;
pub mod embed;
pub mod feeds;
mod fetch;
pub mod knock;
pub mod metrics;
pub mod problem;
pub mod public;
pub mod reply;
mod room;
pub mod rows;
pub mod server;
pub mod smtp;
pub mod sources;
pub mod spam;
pub mod state;
pub mod synthetic;
pub mod tls;
pub mod wire;

pub use public::run;
pub use state::Gateway;
