//! How is a provider asked for what its webhook should have brought?
//!
//! Webhooks lose leads: a provider that never repeats, or gives up, or switches a failing hook off. Where it has a list,
//! a [`Poll`] says how to ask for it and turns each item into the notice that the webhook would have sent, so that both
//! go the same way and have the same id. [`crate::feeds`] asks, and takes only what is not known yet.

use crate::channel::Channel;
use crate::sources::{Needed, Refusal, Setting, Value};
use chrono::DateTime;
use lead::time::At;

/// How often a provider with a [`Poll`] is asked.
pub(crate) const EVERY: Setting =
    Setting::optional("reconcile", Value::Span, "how often leadgate asks for what the webhook lost, 15m if not set");

/// A provider's list.
#[derive(Debug)]
pub(crate) struct Poll {
    /// The first questions, for everything since a moment.
    pub(crate) begin: fn(&Asked<'_>) -> Vec<Question>,
}

/// What every question is about.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) channel: &'a Channel,
    pub(crate) since: At,
}

/// One address, and who understands what is answered there.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) needed: Needed,
    /// Which of several lists it is about, such as the id of a form.
    pub(crate) about: String,
    pub(crate) read: fn(&Asked<'_>, &Question, &[u8]) -> Result<Page, Refusal>,
}

/// What one answer holds.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    /// What is to be asked next: another page, or the lists that this one named.
    pub(crate) next: Vec<Question>,
}

/// Something that the provider says has come in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// `(event id, phase)`, exactly as the source gives it to what its webhook brings.
    pub(crate) id: (String, String),
    pub(crate) at: Option<At>,
    pub(crate) media_type: &'static str,
    /// The webhook's body, as far as the source reads it.
    pub(crate) notice: String,
}

/// `2026-11-21T10:00:00+0000`, which RFC 3339 does not know, and its own form.
pub(crate) fn moment(text: &str) -> Option<At> {
    let at = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok();
    at.map(|at| At::from_millis(at.timestamp_millis())).or_else(|| At::parse(text))
}
