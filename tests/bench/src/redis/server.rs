//! How is a Redis of our own started, asked and ended? A real server on loopback, in a folder of the bench, with an
//! append-only file and nothing else to do.

use crate::process::{free_port, terminate};
use anyhow::{Context as _, Result, ensure};
use ledger::redis::Address;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// When the append-only file is synced.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fsync {
    Everysec,
    Always,
}

impl Fsync {
    pub(crate) const BOTH: [Self; 2] = [Self::Everysec, Self::Always];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    connection: MultiplexedConnection,
}

impl Server {
    /// On what the folder holds; ready when all of it is loaded.
    pub(crate) async fn start(folder: &Path, fsync: Fsync) -> Result<Self> {
        Self::start_at(free_port()?, folder, fsync).await
    }

    /// Rewriting its file is off: it would fall into some runs and not into others.
    pub(crate) async fn start_at(address: SocketAddr, folder: &Path, fsync: Fsync) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", fsync.word(), "--auto-aof-rewrite-percentage", "0"]);
        command.arg("--dir").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().context("failed to start redis-server; is it installed?")?;
        let begun = Instant::now();
        loop {
            if let Some(connection) = greeted(address).await {
                return Ok(Self { child, address, connection });
            }
            ensure!(child.try_wait()?.is_none(), "redis-server ended at once");
            if begun.elapsed() > Duration::from_mins(3) {
                let _ = child.kill();
                anyhow::bail!("redis-server was not ready within three minutes");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// As the product would reach it.
    pub(crate) fn dial(&self) -> Result<Address> {
        Ok(Address::parse(&self.url(), None)?)
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut question = redis::cmd(words[0]);
        question.arg(&words[1..]);
        Ok(question.query_async(&mut self.connection.clone()).await?)
    }

    /// The number in a line of INFO.
    pub(crate) async fn info(&self, name: &str) -> Result<f64> {
        let info: String = self.ask(&["INFO"]).await?;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse().ok()).with_context(|| format!("INFO says no number of {name}"))
    }

    /// Writes its whole state into one file, so that the next start is quick.
    pub(crate) async fn compact(&self) -> Result<()> {
        let _answer: String = self.ask(&["BGREWRITEAOF"]).await?;
        while self.info("aof_rewrite_in_progress").await? + self.info("aof_rewrite_scheduled").await? > 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Asks it to stop; everything it knows is in its files then.
    pub(crate) async fn stop(mut self) -> Result<()> {
        terminate(&mut self.child).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a server that has loaded what it has to.
async fn greeted(address: SocketAddr) -> Option<MultiplexedConnection> {
    let client = Client::open(format!("redis://{address}/0")).ok()?;
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await.ok()?;
    let pong: String = redis::cmd("PING").query_async(&mut connection).await.ok()?;
    (pong == "PONG").then_some(connection)
}

/// A fresh copy of a stopped server's folder. Its snapshot is shared, since no server ever changes one in place.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    let (from, to) = (from.join("appendonlydir"), to.join("appendonlydir"));
    std::fs::create_dir_all(&to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        let (path, target) = (file.path(), to.join(file.file_name()));
        if path.extension().is_some_and(|kind| kind == "rdb") {
            std::fs::hard_link(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
            std::fs::File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}
