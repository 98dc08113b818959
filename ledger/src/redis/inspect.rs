//! Could leadgate work with this store? Everything that `greet`, `tenure` and `settings` ask, for every workspace there
//! is, and nothing is written.

mod rights;

use super::forward::Durability;
use super::keys::{Keys, RULES, STORE, WORKERS, WORKSPACES};
use super::link::PATIENCE;
use super::settings::{self, Finding, judge, one};
use super::{Redis, greet, tenure};
use crate::error::Result;
use ::redis::aio::MultiplexedConnection;
use lead::ids::WorkspaceId;

/// What a store that can be used is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub version: String,
    /// Somebody has begun to use it.
    pub begun: bool,
    pub workspaces: usize,
    pub findings: Vec<Finding>,
}

/// Keys of all workspaces together, with their types.
const TYPES: [(&str, &str); 4] = [(STORE, "hash"), (WORKERS, "zset"), (RULES, "hash"), (WORKSPACES, "set")];

impl Redis {
    /// Fails with a plain sentence when this store must not or cannot be used; `Error::Away` when nobody can tell.
    pub async fn inspect(&self, durability: Durability) -> Result<Inspection> {
        let mut connection = self.dial.dial(PATIENCE).await?;
        rights::check(&mut self.dial.dial(PATIENCE).await?).await?;
        check_types(&mut connection).await?;
        let begun = greet::look(&mut connection, &self.fingerprint).await?;
        let workspaces: Vec<String> = one(&mut connection, &["SMEMBERS", WORKSPACES]).await?;
        for name in &workspaces {
            tenure::check_types(&mut connection, &Keys::of(&WorkspaceId::new(name))).await?;
        }
        let mut facts = settings::ask(&mut connection).await?;
        facts.admin = rights::administers(&mut connection).await?;
        let findings = judge(&facts, durability);
        Ok(Inspection { version: facts.version, begun, workspaces: workspaces.len(), findings })
    }
}

async fn check_types(connection: &mut MultiplexedConnection) -> Result<()> {
    for (key, expected) in TYPES {
        let found: String = one(connection, &["TYPE", key]).await?;
        if found != "none" && found != expected {
            return Err(tenure::foreign(key, &found, expected));
        }
    }
    Ok(())
}
