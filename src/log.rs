//! Where do log lines go? To standard error: text for people on a terminal, JSON for machines elsewhere.

use crate::config::machine::{Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Reads phone numbers, and at the lowest level tells the log which.
const INDISCREET: &str = "rlibphonenumber=off";

/// Starts logging for the whole process. A filter that cannot be read was already refused with the configuration.
pub(crate) fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = filter.add_directive(INDISCREET.parse().expect("a target and a level are a directive"));
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(std::io::stderr);
        registry.with(lines).try_init()
    } else {
        let lines =
            fmt::layer().with_target(false).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
        registry.with(lines).try_init()
    };
    if let Err(error) = started {
        tracing::warn!(%error, "log.started_twice: logging was already set up");
    }
    // What a panic says may hold what somebody typed; where it happened is enough to mend it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "process.panicked: a defect of leadgate; what it was about is undone or buried");
    }));
}
