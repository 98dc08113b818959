//! Which connections do we open ourselves, and who keeps them?
//!
//! A feed fetches what a provider does not send: mails of a mailbox, the events of a telephone exchange. It is a row of
//! [`FEEDS`]; what it fetches becomes a [`crate::sources::Request`] that the source of the same name reads, and goes the
//! way of every knock from there: rows, the journal, and only then does the feed's position move.
//!
//! - One gateway at a time keeps a channel's feed, by a lease. Two for a moment do no harm, because ids are derived from
//!   what was fetched and not from who fetched it.
//! - Where a feed stands is a note in the store, so whoever goes on goes on from there. After an outage the whole gap is
//!   caught up; where the provider remembers nothing, the gap is said and counted.
//! - A connection that breaks is opened again, ever more patiently, for ever.

mod asterisk;
mod dial;
mod imap;
mod keeper;
mod line;
mod patience;

pub use keeper::run;

/// Readers of connections that we open, for `tests/fuzz`.
#[doc(hidden)]
pub mod fuzzing {
    pub use super::asterisk::fuzzing::ami;
    pub use super::imap::fuzzing::imap;
}

use futures_util::future::BoxFuture;
use line::Line;

/// A source whose connection we open.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The row of [`crate::sources::SOURCES`] that reads what comes.
    source: &'static str,
    /// Keeps the connection until the line is stopped.
    run: fn(Line) -> BoxFuture<'static, ()>,
}

/// Every feed.
#[rustfmt::skip]
static FEEDS: &[Feed] = &[
    Feed { source: "asterisk", run: |line| Box::pin(asterisk::run(line)) },
    Feed { source: "imap", run: |line| Box::pin(imap::run(line)) },
];

fn feed(source: &str) -> Option<&'static Feed> {
    FEEDS.iter().find(|feed| feed.source == source)
}

/// Why a connection ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody is there, or the line broke.
    Away(&'static str),
    /// They are there and do not let us in: asking soon again may lock the account.
    Refused(&'static str),
}

impl Failure {
    const fn why(self) -> &'static str {
        match self {
            Self::Away(why) | Self::Refused(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::SOURCES;

    #[test]
    fn what_no_provider_sends_is_what_we_fetch() {
        let silent = SOURCES.iter().filter(|source| source.methods.is_empty()).map(|source| source.name);
        let mut silent: Vec<_> = silent.collect();
        silent.sort_unstable();
        assert_eq!(silent, FEEDS.iter().map(|feed| feed.source).collect::<Vec<_>>());
    }
}
