//! The engine that folds signals into leads, and what keeps watch over it.
//!
//! Read in this order: [`engine`] (the loop of one workspace), [`batch`] (deciding a batch over one overlay),
//! [`roster`] (which workspaces are this worker's), [`keeper`] (retention and gauges), [`watchdog`].

pub mod batch;
pub mod clock;
pub mod config;
pub mod engine;
pub mod keeper;
pub mod metrics;
pub mod roster;
pub mod watchdog;

pub use config::Config;
pub use metrics::Metrics;
