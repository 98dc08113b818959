//! Does a mail still fit? Collecting one under a size and under the budgets of what may be in memory.

use crate::admission::{Class, Hold};
use crate::problem::Refused;
use crate::room;
use bytes::{Bytes, BytesMut};

/// A mail counts as one of its listener's and as one of all bodies.
pub(super) type Holds = [Hold; 2];

/// A mail below its trace.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub bytes: Bytes,
    trace: usize,
}

impl Whole {
    /// As it was sent, and would be sent again: our own lines tell the hour.
    pub(super) fn sent(&self) -> &[u8] {
        &self.bytes[self.trace..]
    }
}

/// A mail that is coming in. One that does not fit is let go of, and its rest only counted.
#[derive(Debug)]
pub(super) struct Mail {
    kept: Result<(BytesMut, Holds), Refused>,
    /// Bytes of what we wrote above it, and of the mail itself.
    trace: usize,
    received: usize,
    limit: usize,
}

impl Mail {
    /// Begins with what the last server writes above it, see [`super::trace`].
    pub(super) fn new(trace: &str, limit: usize, holds: Holds) -> Self {
        Self { kept: Ok((BytesMut::from(trace), holds)), trace: trace.len(), received: 0, limit }
    }

    pub(super) fn keep(&mut self, part: &[u8]) {
        self.received += part.len();
        let Ok((bytes, holds)) = &mut self.kept else { return };
        if self.received > self.limit {
            self.kept = Err(Refused::TooLarge("the mail is larger than this entrance takes"));
        } else if !holds.iter_mut().all(|hold| hold.grow(part.len(), Class::Signed)) {
            self.kept = Err(Refused::Overloaded);
        } else {
            room::extend(bytes, part, self.trace + self.limit);
        }
    }

    /// Whether even listening to the rest costs too much, and why the mail is not taken.
    pub(super) fn beyond(&self) -> Option<Refused> {
        self.kept.as_ref().err().copied().filter(|_| self.received / 2 > self.limit)
    }

    pub(super) fn finish(self) -> Result<(Whole, Holds), Refused> {
        self.kept.map(|(bytes, holds)| (Whole { bytes: bytes.freeze(), trace: self.trace }, holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Budget;
    use std::sync::Arc;

    fn holds(own: &Arc<Budget>, all: &Arc<Budget>) -> Holds {
        [own.open(), all.open()]
    }

    fn mail(limit: usize, budgets: [&Arc<Budget>; 2], parts: usize) -> Mail {
        let mut mail = Mail::new("Return-Path: <>\r\n", limit, holds(budgets[0], budgets[1]));
        (0..parts).for_each(|_| mail.keep(b"0123456789"));
        mail
    }

    #[test]
    fn a_mail_fits_to_the_last_byte_and_stands_below_its_trace() {
        let (own, all) = (Budget::new(1_000), Budget::new(1_000));
        let (whole, holds) = mail(20, [&own, &all], 2).finish().unwrap();
        assert_eq!(whole.bytes, "Return-Path: <>\r\n01234567890123456789");
        assert_eq!(whole.sent(), b"01234567890123456789");
        assert_eq!((own.used(), all.used()), (20, 20));
        drop(holds);
        assert_eq!((own.used(), all.used()), (0, 0));
    }

    #[test]
    fn a_mail_that_does_not_fit_holds_no_memory_while_its_rest_comes() {
        let (small, large) = (Budget::new(25), Budget::new(1_000));
        for (limit, budgets, refused) in [
            (20, [&large, &large], "too_large"),
            (100, [&small, &large], "overloaded"),
            (100, [&large, &small], "overloaded"),
        ] {
            let mail = mail(limit, budgets, 3);
            assert_eq!((small.used(), large.used(), mail.beyond()), (0, 0, None));
            assert_eq!(mail.finish().unwrap_err().word(), refused);
        }
    }

    #[test]
    fn nobody_listens_for_ever_to_what_was_refused() {
        let budget = Budget::new(10_000);
        assert_eq!(mail(20, [&budget; 2], 4).beyond(), None);
        assert!(mail(20, [&budget; 2], 5).beyond().is_some());
        assert_eq!(mail(100, [&budget; 2], 10).beyond(), None);
    }
}
