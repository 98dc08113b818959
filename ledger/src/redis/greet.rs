//! Is this a server and a store we can work with? Asked before anything is written, and on every new connection that
//! writes.

use super::Redis;
use super::dump::RESTORING;
use super::keys::STORE;
use super::link::{self, PATIENCE};
use super::words::Answers;
use crate::error::{Error, Result};
use ::redis::Pipeline;
use ::redis::aio::MultiplexedConnection;

/// The layout of [`super::keys`]. A newer one is not ours to write.
const LAYOUT: i64 = 1;
/// Streams, `SET … NX GET` and ranges without their first entry.
const OLDEST: (u32, u32) = (7, 0);

/// Tells one pepper from another without telling the pepper.
pub(super) fn fingerprint(pepper: &[u8]) -> String {
    lead::ids::short_hash(&[b"leadgate store pepper", pepper].concat())
}

impl Redis {
    /// Fails with a plain sentence when this store must not be used; [`Error::Away`] when nobody can tell.
    pub async fn greet(&self) -> Result<()> {
        let mut connection = self.dial.dial(PATIENCE).await?;
        greet(&mut connection, &self.fingerprint).await
    }
}

pub(super) async fn greet(connection: &mut MultiplexedConnection, fingerprint: &str) -> Result<()> {
    check_server(connection).await?;
    let mut question = Pipeline::new();
    question.cmd("HSETNX").arg(STORE).arg("layout").arg(LAYOUT);
    question.cmd("HSETNX").arg(STORE).arg("pepper").arg(fingerprint);
    question.cmd("HMGET").arg(STORE).arg("layout").arg("pepper").arg(RESTORING);
    let mut told = Answers::of(link::ask(connection, &question).await?);
    let _: (i64, i64) = (told.next()?, told.next()?);
    let (layout, pepper, restoring): (i64, String, Option<i64>) = told.next()?;
    check_store(Some(layout), Some(&pepper), fingerprint)?;
    check_whole(restoring)
}

/// The same questions, and nothing is written: a store that nobody has begun is fine. True: it is begun.
pub(super) async fn look(connection: &mut MultiplexedConnection, fingerprint: &str) -> Result<bool> {
    check_server(connection).await?;
    let mut question = Pipeline::new();
    question.cmd("HMGET").arg(STORE).arg("layout").arg("pepper").arg(RESTORING);
    let (layout, pepper, restoring): (Option<i64>, Option<String>, Option<i64>) =
        Answers::of(link::ask(connection, &question).await?).next()?;
    check_store(layout, pepper.as_deref(), fingerprint)?;
    check_whole(restoring)?;
    Ok(layout.is_some())
}

/// Fails when this is no server for us; returns its version.
pub(super) async fn check_server(connection: &mut MultiplexedConnection) -> Result<String> {
    let mut question = Pipeline::new();
    question.cmd("INFO").arg("server");
    let info: String = Answers::of(link::ask(connection, &question).await?).next()?;
    check_version(&info).map(str::to_owned)
}

fn check_store(layout: Option<i64>, pepper: Option<&str>, fingerprint: &str) -> Result<()> {
    if let Some(found) = layout.filter(|layout| *layout > LAYOUT) {
        return Err(Error::Newer { file: "the store in Redis".to_owned(), found, known: LAYOUT });
    }
    if pepper.is_some_and(|pepper| pepper != fingerprint) {
        return Err(Error::Setup(
            "store.pepper is not the one this store was begun with, so nobody in it would be recognised: set the old pepper, or use an empty Redis".to_owned(),
        ));
    }
    Ok(())
}

fn check_whole(restoring: Option<i64>) -> Result<()> {
    match restoring {
        None => Ok(()),
        Some(_) => Err(Error::Setup(
            "a backup is being restored into this Redis, or was cut short there: wait for its end, or empty this Redis and restore again".to_owned(),
        )),
    }
}

fn check_version(info: &str) -> Result<&str> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("redis_mode:") == Some("cluster") {
        return Err(Error::Setup(
            "this Redis runs as a cluster, which is not supported: name a single server".to_owned(),
        ));
    }
    let version = field("redis_version:").ok_or(Error::Corrupt("answer of Redis"))?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST {
        let (major, minor) = OLDEST;
        return Err(Error::Setup(format!("Redis {version} is too old: leadgate needs {major}.{minor} or newer")));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_and_a_cluster_are_refused_in_plain_words() {
        let told = |info: &str| check_version(info).err().map(|error| error.to_string());
        assert_eq!(told("redis_version:7.0.15\r\nredis_mode:standalone\r\n"), None);
        assert_eq!(told("redis_version:8.2.1\r\n"), None);
        insta::assert_snapshot!(told("redis_version:6.2.14\r\n").unwrap(), @"Redis 6.2.14 is too old: leadgate needs 7.0 or newer");
        insta::assert_snapshot!(told("redis_version:7.0.15\r\nredis_mode:cluster\r\n").unwrap(), @"this Redis runs as a cluster, which is not supported: name a single server");
    }

    #[test]
    fn a_store_of_a_newer_version_or_another_pepper_is_refused_and_an_empty_one_is_not() {
        assert!(check_store(None, None, "mine").is_ok());
        assert!(check_store(Some(LAYOUT), Some("mine"), "mine").is_ok());
        assert!(matches!(check_store(Some(LAYOUT + 1), Some("mine"), "mine"), Err(Error::Newer { .. })));
        assert!(matches!(check_store(Some(LAYOUT), Some("other"), "mine"), Err(Error::Setup(_))));
    }

    #[test]
    fn another_pepper_has_another_fingerprint_which_does_not_tell_it() {
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
        assert!(!fingerprint(b"the pepper").contains("pepper"));
    }
}
