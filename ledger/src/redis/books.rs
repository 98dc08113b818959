//! Do the books balance over many gateways? What each has accepted, against what is decided and what is on its way.
//!
//! A gateway counts what its journal took, and what of it the state does not hold yet; both at one instant, and beside
//! them how many of its signals the state has decided. What is missing then is lost, or counted twice. Later readers
//! take the decided ones anew, so that the account of a gateway that is seconds old, or dead, still balances.

use super::Redis;
use super::keys::Keys;
use super::rows::Decided;
use super::words::Answers;
use crate::Account;
use crate::error::{Error, Result};
use ::redis::Pipeline;
use lead::books::Verdict;
use lead::ids::ChannelId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What a gateway last said of its journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) accepted: BTreeMap<ChannelId, u64>,
    /// Accepted, not on its way, and not decided: 0, or something is wrong.
    pub(super) lost: BTreeMap<ChannelId, i64>,
}

type ByChannel = BTreeMap<ChannelId, u64>;

impl Redis {
    pub(super) async fn account_books(&self, keys: &Keys) -> Result<BTreeMap<ChannelId, Account>> {
        let mut question = Pipeline::new();
        question.cmd("MULTI");
        question.cmd("HGETALL").arg(keys.at("books"));
        question.cmd("HVALS").arg(keys.at("rows"));
        question.cmd("HGETALL").arg(keys.at("accepted"));
        question.cmd("EXEC");
        let told = self.shared.ask(&question).await?.pop().unwrap_or_default();
        let mut told = Answers::of(super::words::read(told)?);
        let books: Vec<(String, i64)> = told.next()?;
        let rows: Vec<Vec<u8>> = told.next()?;
        let said: Vec<(Vec<u8>, Vec<u8>)> = told.next()?;
        let mut decided: HashMap<[u8; 16], ByChannel> = HashMap::new();
        for row in rows {
            let row = Decided::decode(&row)?;
            let all = decided.entry(row.gateway).or_default();
            for (channel, n) in row.counts {
                *all.entry(channel).or_default() += n;
            }
        }
        let said = said.into_iter().map(|(gateway, said)| {
            let gateway: [u8; 16] = gateway.try_into().map_err(|_| Error::Corrupt("name of a gateway"))?;
            let said: Said = rmp_serde::from_slice(&said).map_err(|_| Error::Corrupt("account of a gateway"))?;
            Ok((gateway, said))
        });
        balance(&books, &decided, &said.collect::<Result<_>>()?)
    }
}

fn balance(
    books: &[(String, i64)],
    decided: &HashMap<[u8; 16], ByChannel>,
    said: &HashMap<[u8; 16], Said>,
) -> Result<BTreeMap<ChannelId, Account>> {
    let mut accounts: BTreeMap<ChannelId, Account> = BTreeMap::new();
    for (line, n) in books {
        let (channel, verdict) = line.rsplit_once(' ').ok_or(Error::Corrupt("line of the books"))?;
        let verdict = Verdict::parse(verdict).ok_or(Error::Corrupt("line of the books"))?;
        accounts.entry(ChannelId::new(channel)).or_default().verdicts.insert(verdict, *n);
    }
    let nothing = Said::default();
    for (gateway, decided) in decided {
        let said = said.get(gateway).unwrap_or(&nothing);
        for (channel, done) in decided {
            add(accounts.entry(channel.clone()).or_default(), said, channel, *done);
        }
    }
    for (gateway, said) in said {
        let decided = decided.get(gateway);
        for channel in said.accepted.keys().filter(|channel| decided.is_none_or(|all| !all.contains_key(*channel))) {
            add(accounts.entry(channel.clone()).or_default(), said, channel, 0);
        }
    }
    Ok(accounts)
}

/// One gateway's share of a channel: decided now, on its way now, and what it missed when it last looked.
fn add(account: &mut Account, said: &Said, channel: &ChannelId, done: u64) {
    let lost = said.lost.get(channel).copied().unwrap_or(0);
    let arriving = said.accepted.get(channel).copied().unwrap_or(0).saturating_add_signed(-lost);
    let in_flight = arriving.saturating_sub(done);
    account.in_flight += in_flight;
    account.accepted += (done + in_flight).saturating_add_signed(lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ChannelId {
        ChannelId::new("form")
    }

    fn account(leads: i64, done: u64, accepted: u64, lost: i64) -> Account {
        let said = Said { accepted: [(form(), accepted)].into(), lost: [(form(), lost)].into() };
        let all = balance(
            &[("form lead".to_owned(), leads)],
            &[([1; 16], [(form(), done)].into())].into(),
            &[([1; 16], said)].into(),
        );
        all.unwrap().remove(&form()).unwrap()
    }

    #[test]
    fn what_is_on_its_way_is_neither_lost_nor_decided() {
        let account = account(7, 7, 10, 0);
        assert_eq!((account.accepted, account.in_flight, account.difference()), (10, 3, 0));
    }

    #[test]
    fn a_gateway_that_said_its_word_a_while_ago_does_not_disturb_the_balance() {
        let account = account(12, 12, 10, 0);
        assert_eq!((account.accepted, account.in_flight, account.difference()), (12, 0, 0));
    }

    #[test]
    fn a_row_that_never_arrived_and_a_verdict_too_many_both_show() {
        assert_eq!(account(9, 9, 10, 1).difference(), 1);
        assert_eq!(account(11, 10, 10, 0).difference(), -1);
    }
}
