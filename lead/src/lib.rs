//! The words of leadgate and every decision about a lead.
//!
//! Read in this order: [`entry`] (what came in), [`state`] (what we know), [`rules`] (what the company wants),
//! [`decide`] (what follows). Nothing here can do IO, read a clock or draw a random number: the same entries under
//! the same rules make the same leads, on any machine, today or in a replay.

pub mod books;
pub mod calendar;
pub mod changes;
pub mod decide;
pub mod email;
pub mod entry;
pub mod event;
pub mod facts;
pub mod geo;
pub mod identity;
pub mod ids;
pub mod phone;
pub mod record;
pub mod rules;
pub mod state;
pub mod text;
pub mod time;
pub mod units;
