//! Which connections do we open ourselves, and who keeps them?
//!
//! A feed fetches what a provider does not send, mails of a mailbox, the events of a telephone exchange, or what its
//! webhook lost, see [`crate::sources::shared::reconcile`]. It is a row of [`FEEDS`]; what it fetches becomes a
//! [`crate::sources::Request`] that the source of the same name reads, and goes the way of every knock from there: rows,
//! the journal, and only then does the feed's position move.
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
mod reconcile;

pub use keeper::run;
pub use reconcile::WINDOW;

/// Readers of connections that we open, for `tests/fuzz`.
#[doc(hidden)]
pub mod fuzzing {
    pub use super::asterisk::fuzzing::ami;
    pub use super::imap::fuzzing::imap;
}

use crate::channel::Channel;
use crate::sources::{bitrix24_poll, getresponse_poll, meta_leads_poll};
use futures_util::future::BoxFuture;
use line::Line;

/// A source whose connection we open.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The row of [`crate::sources::SOURCES`] that reads what comes.
    source: &'static str,
    /// A setting without which there is nothing to keep.
    needs: Option<&'static str>,
    /// Keeps the connection until the line is stopped.
    run: fn(Line) -> BoxFuture<'static, ()>,
}

/// Every feed.
#[rustfmt::skip]
static FEEDS: &[Feed] = &[
    Feed { source: "asterisk", needs: None, run: |line| Box::pin(asterisk::run(line)) },
    Feed { source: "bitrix24_form", needs: None, run: |line| Box::pin(reconcile::run(line, &bitrix24_poll::POLL)) },
    Feed { source: "getresponse", needs: Some("api_key"), run: |line| Box::pin(reconcile::run(line, &getresponse_poll::POLL)) },
    Feed { source: "imap", needs: None, run: |line| Box::pin(imap::run(line)) },
    Feed { source: "meta_leads", needs: None, run: |line| Box::pin(reconcile::run(line, &meta_leads_poll::POLL)) },
];

fn feed(channel: &Channel) -> Option<&'static Feed> {
    let feed = FEEDS.iter().find(|feed| feed.source == channel.source);
    feed.filter(|feed| feed.needs.is_none_or(|setting| channel.setting(setting).is_some()))
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
    use crate::sources::shared::reconcile::EVERY;
    use crate::sources::{SOURCES, Source};

    #[test]
    fn what_no_provider_sends_or_its_webhook_may_lose_is_what_we_fetch() {
        let polled = |source: &Source| source.settings.iter().any(|setting| setting.name == EVERY.name);
        let fetched = SOURCES.iter().filter(|source| source.methods.is_empty() || polled(source));
        let mut fetched: Vec<_> = fetched.map(|source| source.name).collect();
        fetched.sort_unstable();
        assert_eq!(fetched, FEEDS.iter().map(|feed| feed.source).collect::<Vec<_>>());
    }
}
