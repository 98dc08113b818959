//! Does a mail still fit? Collecting one under a size and under the budgets of what may be in memory.

use crate::admission::{Class, Hold};
use crate::problem::Refused;
use bytes::{Bytes, BytesMut};

/// A mail counts as one of its listener's and as one of all bodies.
pub(super) type Holds = [Hold; 2];

/// A mail that is coming in. One that does not fit is let go of, and its rest only counted.
#[derive(Debug)]
pub(super) struct Mail {
    kept: Result<(BytesMut, Holds), Refused>,
    /// Bytes of the mail itself.
    received: usize,
    limit: usize,
    /// Bytes its sender announced; 0 where he did not.
    announced: usize,
}

/// A mail that is larger gets the room for all of it at once. Growing by doubling would need three times its size at
/// the last step, and room that is not written to costs nothing.
const SMALL: usize = 64 << 10;

impl Mail {
    /// Begins with what the last server writes above a mail, RFC 5321 4.4: who gets an answer. `<>` means nobody.
    pub(super) fn new(sender: &str, announced: usize, limit: usize, holds: Holds) -> Self {
        let head = format!("Return-Path: <{sender}>\r\n");
        Self { kept: Ok((BytesMut::from(head.as_str()), holds)), received: 0, limit, announced }
    }

    pub(super) fn keep(&mut self, part: &[u8]) {
        self.received += part.len();
        let whole = if self.received <= self.announced { self.announced } else { self.limit };
        let Ok((bytes, holds)) = &mut self.kept else { return };
        if self.received > self.limit {
            self.kept = Err(Refused::TooLarge("the mail is larger than this entrance takes"));
        } else if !holds.iter_mut().all(|hold| hold.grow(part.len(), Class::Signed)) {
            self.kept = Err(Refused::Overloaded);
        } else {
            if self.received > SMALL && bytes.capacity() - bytes.len() < part.len() {
                bytes.reserve(whole - (self.received - part.len()));
            }
            bytes.extend_from_slice(part);
        }
    }

    /// Whether even listening to the rest costs too much, and why the mail is not taken.
    pub(super) fn beyond(&self) -> Option<Refused> {
        self.kept.as_ref().err().copied().filter(|_| self.received / 2 > self.limit)
    }

    pub(super) fn finish(self) -> Result<(Bytes, Holds), Refused> {
        self.kept.map(|(bytes, holds)| (bytes.freeze(), holds))
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
        let mut mail = Mail::new("a@x.example", 0, limit, holds(budgets[0], budgets[1]));
        (0..parts).for_each(|_| mail.keep(b"0123456789"));
        mail
    }

    #[test]
    fn a_mail_fits_to_the_last_byte_and_stands_below_its_sender() {
        let (own, all) = (Budget::new(1_000), Budget::new(1_000));
        let (bytes, holds) = mail(20, [&own, &all], 2).finish().unwrap();
        assert_eq!(bytes, "Return-Path: <a@x.example>\r\n01234567890123456789");
        assert_eq!((own.used(), all.used()), (20, 20));
        drop(holds);
        assert_eq!((own.used(), all.used()), (0, 0));
    }

    #[test]
    fn a_large_mail_gets_its_room_at_once() {
        const MIB: usize = 1 << 20;
        let budget = Budget::new(100 * MIB);
        // What was announced, and the room there is after the first 128 KiB; whoever announced too little gets the most.
        for (announced, room) in [(0, 25 * MIB), (2 * MIB, 2 * MIB), (1_000, 25 * MIB), (25 * MIB, 25 * MIB)] {
            let mut mail = Mail::new("a@x.example", announced, 25 * MIB, holds(&budget, &budget));
            (0..128).for_each(|_| mail.keep(&[b'x'; 1 << 10]));
            let (bytes, _) = mail.kept.as_ref().unwrap();
            assert!((room..room + 1_000).contains(&bytes.capacity()), "{announced}: {}", bytes.capacity());
        }
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
