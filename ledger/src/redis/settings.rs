//! Is the server set so that what it has taken stays? Asked on every connection that is new, and every half minute.
//!
//! [`facts`] is what it says of itself, [`judge`] what is wrong with that and what to set, [`Watch`] who keeps asking.
//! Nothing here refuses: a version, a pepper or a key of another's is the business of `greet` and `tenure`.

mod facts;
mod judge;
mod watch;

pub use facts::Facts;
pub use judge::{Finding, Weight, judge, names};
pub use watch::Watch;

use super::Redis;
use super::forward::Durability;
use super::link::{self, PATIENCE};
use super::words::read;
use crate::error::{Error, Result};
use ::redis::aio::MultiplexedConnection;
use ::redis::{FromRedisValue, Pipeline};

impl Redis {
    /// What is wrong with the settings of the server, on a connection of its own.
    pub async fn look_at_settings(&self, durability: Durability) -> Result<Vec<Finding>> {
        let mut connection = self.dial.dial(PATIENCE).await?;
        Ok(judge(&ask(&mut connection).await?, durability))
    }
}

/// A user who may not ask for a part of it is a fact, too.
pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Facts> {
    let info: String = one(connection, &["INFO"]).await?;
    let mut question = vec!["CONFIG", "GET"];
    question.extend(facts::ASKED);
    let settings = permitted(one(connection, &question).await)?;
    let user = permitted(one(connection, &["ACL", "WHOAMI"]).await)?;
    Ok(Facts::of(&info, settings, user))
}

pub(super) async fn one<T: FromRedisValue>(connection: &mut MultiplexedConnection, words: &[&str]) -> Result<T> {
    let mut question = Pipeline::new();
    question.cmd(words[0]).arg(&words[1..]);
    read(link::ask(connection, &question).await?.pop().unwrap_or_default())
}

/// None: the server is there and does not answer this.
pub(super) fn permitted<T>(told: Result<T>) -> Result<Option<T>> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(Error::Setup(_) | Error::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
