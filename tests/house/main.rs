//! Is the house as ARCHITECTURE.md says? Which crate may know which ([`rooms`]), what may come into the tree
//! ([`supply`]), what the files look like ([`files`]), and whether what the documents name is there ([`documents`]).

mod cargo;
mod documents;
mod files;
mod look;
mod rooms;
mod supply;
