//! May the user do what leadgate does? Tried without doing it.
//!
//! Commands are refused when they are queued in a transaction, not when it runs, so all of them are queued in one that
//! never runs.

use crate::error::{Error, Result};
use crate::redis::link;
use crate::redis::settings::{one, permitted};
use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{Pipeline, Value};

/// Every command that leadgate sends, as it could be sent, but EXEC, which cannot be tried. `deploy/redis.acl` grants
/// the same; WATCH and MULTI come first.
const NEEDED: [&str; 42] = [
    "WATCH lg:rights",
    "MULTI",
    "ACL WHOAMI",
    "CONFIG GET timeout",
    "DEL lg:rights",
    "DUMP lg:rights",
    "EXISTS lg:rights",
    "GET lg:rights",
    "HDEL lg:rights a",
    "HEXISTS lg:rights a",
    "HGET lg:rights a",
    "HGETALL lg:rights",
    "HINCRBY lg:rights a 1",
    "HMGET lg:rights a",
    "HSCAN lg:rights 0",
    "HSET lg:rights a 1",
    "HSETNX lg:rights a 1",
    "HVALS lg:rights",
    "INFO server",
    "PEXPIRE lg:rights 1",
    "SADD lg:rights a",
    "SET lg:rights a",
    "SMEMBERS lg:rights",
    "TIME",
    "TYPE lg:rights",
    "WAIT 0 1",
    "XADD lg:rights * a 1",
    "XDEL lg:rights 0-1",
    "XINFO GROUPS lg:rights",
    "XPENDING lg:rights a",
    "XRANGE lg:rights - +",
    "XREAD STREAMS lg:rights $",
    "XREVRANGE lg:rights + -",
    "XTRIM lg:rights MAXLEN 1",
    "ZADD lg:rights 1 a",
    "ZCARD lg:rights",
    "ZRANGE lg:rights 0 1",
    "ZRANGEBYLEX lg:rights - +",
    "ZRANGEBYSCORE lg:rights 0 1",
    "ZREM lg:rights a",
    "ZREMRANGEBYSCORE lg:rights 0 1",
    "ZREVRANGEBYSCORE lg:rights 1 0",
];

/// On a connection of its own, which is not used afterwards: its transaction stays open until it ends.
pub(super) async fn check(connection: &mut MultiplexedConnection) -> Result<()> {
    let (first, rest) = NEEDED.split_at(2);
    // Nothing else may be sent before the transaction is known to be open, or it would be done.
    link::ask(connection, &pipeline(first)).await?;
    let queued = pipeline(rest);
    let answers = connection.req_packed_commands(&queued, 0, queued.len()).await?;
    let refused: Vec<&str> = rest.iter().zip(answers).filter(|(_, answer)| is_refused(answer)).map(name).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::Setup(format!(
        "the Redis user may not do what leadgate needs on keys under lg:, namely {}: see deploy/redis.acl",
        refused.join(", ")
    )))
}

/// A user who may list users may do anything. A refusal is noted in the server's log of refusals.
pub(super) async fn administers(connection: &mut MultiplexedConnection) -> Result<bool> {
    Ok(permitted(one::<Vec<String>>(connection, &["ACL", "USERS"]).await)?.is_some())
}

fn pipeline(commands: &[&str]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for words in commands {
        let mut words = words.split(' ');
        pipeline.cmd(words.next().unwrap_or_default()).arg(words.collect::<Vec<_>>());
    }
    pipeline
}

fn is_refused(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "NOPERM")
}

/// The command, with the half of it that decides: `CONFIG GET`, `HSET`.
fn name((words, _): (&&'static str, Value)) -> &'static str {
    let whole = *words;
    let halves = ["ACL", "CONFIG", "XINFO"].iter().any(|first| whole.starts_with(first));
    let end = whole.match_indices(' ').nth(usize::from(halves)).map_or(whole.len(), |(at, _)| at);
    &whole[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The words after `.cmd(` in the product's own files.
    fn sent(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sent(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let words = text.split(concat!(".cmd", "(\"")).skip(1);
                found.extend(words.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn every_command_that_is_sent_is_tried_and_granted() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut all = BTreeSet::new();
        sent(&manifest.join("src/redis"), &mut all);
        sent(manifest, &mut all);
        assert!(all.contains("HSET") && all.contains("EXEC"), "the search finds nothing: {all:?}");
        let acl = std::fs::read_to_string(manifest.join("../deploy/redis.acl")).unwrap();
        for command in &all {
            let first = |words: &&str| words.split(' ').next() == Some(command);
            // A restore comes with a user of its own.
            let other = ["EXEC", "RESTORE"].contains(&command.as_str());
            assert!(other || NEEDED.iter().any(first), "{command} is not tried");
        }
        let right = |words| format!("+{}", name((words, Value::Nil)).to_lowercase().replace(' ', "|"));
        let mut expected: Vec<String> = NEEDED.iter().map(right).collect();
        // Not tried: what runs a transaction, and what an address with the number of a database begins with.
        expected.extend(["+exec".to_owned(), "+select".to_owned()]);
        let user = acl.lines().find(|line| line.starts_with("user leadgate ")).unwrap();
        let mut granted: Vec<&str> = user.split_whitespace().filter(|word| word.starts_with('+')).collect();
        expected.sort();
        granted.sort_unstable();
        assert_eq!(granted, expected);
    }
}
