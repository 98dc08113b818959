//! Does every source verify and read what its provider sends, and refuse the rest?

mod fixtures;
mod form;
mod mail;
mod speed;
mod support;
mod table;
mod telegram;
mod twilio;
