//! Will the store do? `leadgate check --connect` asks it, writes nothing to it, and says what it has found.

use crate::config::machine::{Config, Store};
use crate::startup::store;
use ledger::redis::Inspection;
use ledger::redis::settings::{Finding, Weight};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Longer than any of its answers may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of asking.
#[derive(Debug)]
pub(super) enum Asked {
    Embedded,
    Answered(Inspection),
    Refused(String),
}

impl Asked {
    /// Asks the store of the configuration.
    pub(super) fn of(machine: &Config) -> Self {
        if matches!(machine.store, Store::Embedded) {
            return Self::Embedded;
        }
        inspect(machine).map_or_else(|error| Self::Refused(format!("{error:#}")), Self::Answered)
    }

    /// Nothing that loses leads, and it would be used.
    pub(super) fn is_fine(&self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Answered(told) => told.findings.iter().all(|finding| finding.weight < Weight::Page),
            Self::Refused(_) => false,
        }
    }

    pub(super) fn as_text(&self) -> String {
        match self {
            Self::Embedded => "store: embedded, nothing to connect to\n".to_owned(),
            Self::Refused(why) => format!("store: {why}\n"),
            Self::Answered(told) => answered(told),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let fine = self.is_fine();
        match self {
            Self::Embedded => json!({ "fine": fine, "kind": "embedded" }),
            Self::Refused(why) => json!({ "fine": fine, "kind": "redis", "refused": why }),
            Self::Answered(told) => json!({
                "fine": fine,
                "kind": "redis",
                "version": told.version,
                "begun": told.begun,
                "workspaces": told.workspaces,
                "findings": told.findings,
            }),
        }
    }
}

fn inspect(machine: &Config) -> anyhow::Result<Inspection> {
    let Store::Redis { durability, .. } = &machine.store else { anyhow::bail!("the store is embedded") };
    let pepper = machine.pepper.as_ref().map(|pepper| pepper.expose_secret().as_bytes());
    let redis = store::redis(&machine.store, pepper.unwrap_or_default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = async { tokio::time::timeout(PATIENCE, redis.inspect(*durability)).await };
    Ok(runtime.block_on(asked).map_err(|_| anyhow::anyhow!("Redis is away: no answer in time"))??)
}

fn answered(told: &Inspection) -> String {
    let used = if told.begun { format!("in use, workspaces: {}", told.workspaces) } else { "empty".to_owned() };
    let mut text = format!("store: Redis {}, {used}\n", told.version);
    for Finding { weight, sentence, .. } in &told.findings {
        let word = match weight {
            Weight::Note => "note",
            Weight::Warn => "warn",
            Weight::Page => "page",
        };
        writeln!(text, "{word}: {sentence}").expect("a text takes everything");
    }
    text
}
