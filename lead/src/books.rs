//! Which verdicts exist? Every accepted signal gets exactly one, so that per channel, at every minute,
//! `accepted` is the sum of the verdicts and what is in flight.

use serde::{Deserialize, Serialize};

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Lead,
    Duplicate,
    Excluded,
    Junk,
    Synthetic,
    Redelivered,
    Update,
    Unmatched,
    Command,
    Quarantined,
    Dead,
}

impl Verdict {
    pub const ALL: [Verdict; 11] = [
        Verdict::Lead,
        Verdict::Duplicate,
        Verdict::Excluded,
        Verdict::Junk,
        Verdict::Synthetic,
        Verdict::Redelivered,
        Verdict::Update,
        Verdict::Unmatched,
        Verdict::Command,
        Verdict::Quarantined,
        Verdict::Dead,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Lead => "lead",
            Verdict::Duplicate => "duplicate",
            Verdict::Excluded => "excluded",
            Verdict::Junk => "junk",
            Verdict::Synthetic => "synthetic",
            Verdict::Redelivered => "redelivered",
            Verdict::Update => "update",
            Verdict::Unmatched => "unmatched",
            Verdict::Command => "command",
            Verdict::Quarantined => "quarantined",
            Verdict::Dead => "dead",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}
