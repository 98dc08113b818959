//! Does every source verify and read what its provider sends, and refuse the rest?

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fixtures;
mod form;
mod mail;
mod pbx;
mod sites;
mod support;
mod table;
mod telegram;
mod twilio;
