//! Does every source verify and read what its provider sends, and refuse the rest?

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bots;
mod calls;
mod chat_proof;
mod chats;
mod feeds;
mod fixtures;
mod form;
mod forms;
mod freeswitch;
mod mail;
mod mail_hooks;
mod pbx;
mod proofs;
mod recorded;
mod ses;
mod sites;
mod support;
mod table;
mod telegram;
mod twilio;
