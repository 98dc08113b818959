//! Do the books balance? Per channel: what was accepted, what became of it, what is still under way.

use super::ask::{self, Asked};
use super::auth::{Reading, Seat};
use super::error::Result;
use axum::response::Response;
use http::StatusCode;
use lead::books::Verdict;
use lead::ids::ChannelId;
use ledger::Account;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Books {
    balanced: bool,
    channels: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    channel: ChannelId,
    accepted: u64,
    /// Every verdict there is, also those of which there are none.
    verdicts: BTreeMap<&'static str, i64>,
    in_flight: u64,
    difference: i64,
}

/// `GET …/books`
pub(super) async fn show(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    asked.only(&[])?;
    let accounts = seat.desk.ledger.books(seat.workspace()).await?;
    ask::json(StatusCode::OK, &books(accounts))
}

fn books(accounts: BTreeMap<ChannelId, Account>) -> Books {
    let channels: Vec<Line> = accounts.into_iter().map(|(channel, account)| line(channel, &account)).collect();
    Books { balanced: channels.iter().all(|line| line.difference == 0), channels }
}

fn line(channel: ChannelId, account: &Account) -> Line {
    let count = |verdict: Verdict| (verdict.word(), account.verdicts.get(&verdict).copied().unwrap_or(0));
    Line {
        channel,
        accepted: account.accepted,
        verdicts: Verdict::ALL.into_iter().map(count).collect(),
        in_flight: account.in_flight,
        difference: account.difference(),
    }
}

/// Whether anything came through an entrance besides our own tests: only then has its provider been wired.
pub(super) fn is_proven(account: Option<&Account>) -> bool {
    let theirs = |(verdict, count): (&Verdict, &i64)| *verdict != Verdict::Synthetic && *count > 0;
    account.is_some_and(|account| account.verdicts.iter().any(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_tests_prove_no_entrance() {
        let of = |verdicts: &[(Verdict, i64)]| {
            let verdicts = verdicts.iter().copied().collect();
            is_proven(Some(&Account { accepted: 3, verdicts, in_flight: 0 }))
        };
        assert!(!is_proven(None) && !of(&[]) && !of(&[(Verdict::Synthetic, 3)]) && !of(&[(Verdict::Lead, 0)]));
        assert!(of(&[(Verdict::Synthetic, 2), (Verdict::Redelivered, 1)]));
    }

    #[test]
    fn one_channel_that_differs_unbalances_the_books() {
        let account = |accepted, leads, in_flight| Account {
            accepted,
            verdicts: BTreeMap::from([(Verdict::Lead, leads)]),
            in_flight,
        };
        let of = |second| books(BTreeMap::from([("a".into(), account(3, 2, 1)), ("b".into(), second)]));
        assert!(of(account(5, 5, 0)).balanced);
        let wrong = of(account(5, 4, 0));
        assert_eq!((wrong.balanced, wrong.channels[1].difference), (false, 1));
        assert_eq!((wrong.channels[0].verdicts["lead"], wrong.channels[0].verdicts["dead"]), (2, 0));
    }
}
