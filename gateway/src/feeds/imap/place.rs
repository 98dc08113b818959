//! How far has a mailbox been read? Up to a UID, which means something only together with the mailbox's UIDVALIDITY.

use lead::time::At;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// IMAP searches by whole days of the server's own zone.
const A_DAY_AND_MORE: Duration = Duration::from_hours(36);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) uidvalidity: u32,
    /// The first UID that was not read.
    pub(super) next: u32,
    /// When everything had been read.
    pub(super) at: At,
    /// The mailbox was made anew: what is older than this was read in the old one.
    since: Option<At>,
}

/// What the server says of a mailbox now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is the mailbox we know.
    Known,
    /// Nobody has read it before: we begin with what comes from now on.
    First,
    /// It was made anew, and its mails have other numbers.
    Rebuilt,
}

impl Place {
    /// Where to go on, from what was noted and what the server says.
    pub(super) fn find(noted: Option<Self>, uidvalidity: u32, next: u32, now: At) -> (Self, Found) {
        match noted {
            Some(place) if place.uidvalidity == uidvalidity => (place, Found::Known),
            Some(place) => {
                let since = place.since.unwrap_or_else(|| place.at.minus(A_DAY_AND_MORE));
                (Self { uidvalidity, next: 1, at: place.at, since: Some(since) }, Found::Rebuilt)
            }
            None => (Self { uidvalidity, next, at: now, since: None }, Found::First),
        }
    }

    /// Which mails to look for.
    pub(super) fn search(&self) -> String {
        let since = self.since.and_then(|at| chrono::DateTime::from_timestamp_millis(at.millis()));
        let since = since.map(|at| format!(" SINCE {}", at.format("%-d-%b-%Y"))).unwrap_or_default();
        format!("UID SEARCH UID {}:*{since}", self.next)
    }

    /// Those of `found` that were not read, in their order. `n:*` names the last mail even when it is older than `n`.
    pub(super) fn unread(&self, mut found: Vec<u32>) -> Vec<u32> {
        found.retain(|uid| *uid >= self.next);
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) const fn past(&mut self, uid: u32) {
        self.next = uid.saturating_add(1);
    }

    /// Everything there is has been read.
    pub(super) const fn complete(&mut self, now: At) {
        self.at = now;
        self.since = None;
    }

    pub(super) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At {
        At::parse(text).unwrap()
    }

    fn place(next: u32) -> Place {
        Place { uidvalidity: 7, next, at: at("2026-11-21T10:00:00Z"), since: None }
    }

    #[test]
    fn a_mailbox_is_read_on_where_it_was_left() {
        let now = at("2026-11-22T00:00:00Z");
        assert_eq!(Place::find(None, 7, 501, now), (Place { at: now, ..place(501) }, Found::First));
        let (found, how) = Place::find(Some(place(44)), 7, 501, now);
        assert_eq!((found.search().as_str(), how), ("UID SEARCH UID 44:*", Found::Known));
        assert_eq!(found.unread(vec![60, 43, 44, 60]), [44, 60]);
        assert_eq!(Place::read(&found.written()), Some(found));
    }

    #[test]
    fn a_rebuilt_mailbox_is_read_from_the_day_before_we_were_done() {
        let (mut found, how) = Place::find(Some(place(44)), 8, 3, at("2026-11-30T00:00:00Z"));
        assert_eq!((found.search().as_str(), how), ("UID SEARCH UID 1:* SINCE 19-Nov-2026", Found::Rebuilt));
        found.past(2);
        let (again, how) = Place::find(Some(found.clone()), 9, 3, at("2026-11-30T00:00:00Z"));
        assert_eq!(
            (again.search().as_str(), how),
            ("UID SEARCH UID 1:* SINCE 19-Nov-2026", Found::Rebuilt),
            "rebuilt once more"
        );
        found.complete(at("2026-11-30T00:00:00Z"));
        assert_eq!(found.search(), "UID SEARCH UID 3:*");
    }
}
