//! Is this knock our own? Probes and mystery shoppers mark their requests, so that no sales figure counts them.
//!
//! The mark is `<kind>.<unix seconds>.<hex HMAC>` over kind, time and channel, keyed by the pepper. It is good for
//! ten minutes and for one channel; a wrong mark is ignored, so a forger gains nothing but an ordinary lead.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::Mac;
use lead::entry::Synthetic;
use lead::identity::Pepper;
use lead::time::At;
use std::time::Duration;

pub const HEADER: &str = "leadgate-synthetic";

const GOOD_FOR: Duration = Duration::from_secs(600);

/// The value of the header for a request sent at `now`.
pub fn mark(pepper: &Pepper, kind: Synthetic, channel: &str, now: At) -> String {
    let (word, seconds) = (word(kind), now.millis() / 1000);
    let proof = mac(pepper, word, seconds, channel).finalize().into_bytes();
    format!("{word}.{seconds}.{}", HEXLOWER_PERMISSIVE.encode(&proof))
}

/// What a mark says, when it is ours, for this channel and fresh.
pub fn verify(pepper: &Pepper, mark: &str, channel: &str, now: At) -> Option<Synthetic> {
    let mut parts = mark.split('.');
    let (Some(word), Some(seconds), Some(proof), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let kind = [Synthetic::Technical, Synthetic::Shopper].into_iter().find(|kind| self::word(*kind) == word)?;
    let seconds: i64 = seconds.parse().ok()?;
    let sent = At::from_secs(seconds);
    if now.since(sent).max(sent.since(now)) > GOOD_FOR {
        return None;
    }
    let proof = HEXLOWER_PERMISSIVE.decode(proof.as_bytes()).ok()?;
    mac(pepper, word, seconds, channel).verify_slice(&proof).ok()?;
    Some(kind)
}

fn mac(pepper: &Pepper, word: &str, seconds: i64, channel: &str) -> impl Mac {
    let mut mac = pepper.mac();
    mac.update(format!("synthetic|{word}|{seconds}|{channel}").as_bytes());
    mac
}

const fn word(kind: Synthetic) -> &'static str {
    match kind {
        Synthetic::Technical => "technical",
        Synthetic::Shopper => "shopper",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At::from_millis(1_800_000_000_000);

    #[test]
    fn our_own_mark_is_believed_for_ten_minutes_and_one_channel() {
        let pepper = Pepper::new(b"pepper");
        for kind in [Synthetic::Technical, Synthetic::Shopper] {
            let mark = mark(&pepper, kind, "line-1", NOW);
            let read = |channel, at| verify(&pepper, &mark, channel, at);
            assert_eq!(read("line-1", NOW), Some(kind));
            assert_eq!(read("line-1", NOW.plus(GOOD_FOR)), Some(kind));
            assert_eq!(read("line-1", NOW.plus(GOOD_FOR + Duration::from_secs(1))), None);
            assert_eq!(read("line-1", NOW.minus(GOOD_FOR + Duration::from_secs(1))), None);
            assert_eq!(read("line-2", NOW), None);
        }
    }

    #[test]
    fn a_forged_or_broken_mark_is_nothing() {
        let pepper = Pepper::new(b"pepper");
        let good = mark(&pepper, Synthetic::Technical, "a", NOW);
        let foreign = mark(&Pepper::new(b"other"), Synthetic::Technical, "a", NOW);
        let promoted = good.replace("technical", "shopper");
        let (cut, longer) = (&good[..good.len() - 2], format!("{good}.x"));
        for bad in [foreign.as_str(), &promoted, cut, &longer, "", "technical", "technical..", "technical.NaN.00"] {
            assert_eq!(verify(&pepper, bad, "a", NOW), None, "{bad}");
        }
    }
}
