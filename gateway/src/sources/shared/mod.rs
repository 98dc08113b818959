//! What do sources do alike?
//!
//! - Bytes to ordered paths and values: [`json`], [`urlencoded`], [`multipart`] and [`parts`]; [`item`] and [`said`] ask
//!   one event by path or name.
//! - Those to a touch by the names of [`aliases`]: [`fields`], [`renamed`], [`submission`] for forms, [`talk`] for chats;
//!   to a call: [`phases`], [`number`].
//! - Mails: [`letter`], [`excerpt`], [`unnamed`], [`verdicts`]; where a provider took them apart [`posted`], [`carried`].
//! - Proofs: [`signature`], [`shown`], and Meta's for all that is [`meta`]'s.
//! - For people and polls: [`expression`] in `fields`, [`explain`], [`sample`], [`reconcile`].

pub mod aliases;
pub(crate) mod carried;
pub(crate) mod excerpt;
pub mod explain;
pub mod expression;
pub(crate) mod fields;
pub(crate) mod item;
pub(crate) mod json;
pub(crate) mod letter;
pub(crate) mod meta;
pub(crate) mod multipart;
pub(crate) mod number;
pub(crate) mod parts;
pub(crate) mod phases;
pub(crate) mod posted;
pub(crate) mod reconcile;
pub(crate) mod renamed;
pub(crate) mod said;
pub(crate) mod sample;
pub(crate) mod shown;
pub(crate) mod signature;
pub(crate) mod submission;
pub(crate) mod talk;
pub(crate) mod unnamed;
pub(crate) mod urlencoded;
pub(crate) mod verdicts;
