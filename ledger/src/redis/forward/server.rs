//! Which server is this, and when is what it has answered safe?

use super::super::link;
use super::super::words::Answers;
use super::Durability;
use crate::error::Result;
use ::redis::Pipeline;
use ::redis::aio::MultiplexedConnection;
use std::time::Duration;
use tokio::time::Instant;

/// Above this share of `maxmemory` nothing more is sent; deciding goes on and makes room.
const FULL_PERCENT: u64 = 75;
/// How long a replica may take to confirm.
const REPLICA: Duration = Duration::from_millis(500);

/// When an answer is proof.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Safe,
    /// After the next sync of the append-only file.
    Soon,
    /// Not with these settings.
    Never,
}

/// How often the append-only file is synced.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Fsync {
    Always,
    EverySecond,
    /// Whenever the kernel likes.
    Never,
}

/// What the server said of itself.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Another one after a restart or a failover.
    pub(super) identity: String,
    /// It writes an append-only file, and its last write went well.
    pub(super) aof: bool,
    fsync: Fsync,
    durability: Durability,
    used: u64,
    most: u64,
    clock: u64,
    asked: Instant,
    replica: bool,
}

impl Server {
    pub(super) async fn ask(connection: &mut MultiplexedConnection, durability: Durability) -> Result<Self> {
        let mut question = Pipeline::new();
        question.cmd("INFO");
        let info: String = Answers::of(link::ask(connection, &question).await?).next()?;
        let mut setting = Pipeline::new();
        setting.cmd("CONFIG").arg("GET").arg("appendfsync");
        // Who may not read the settings is taken to have the default.
        let fsync: Vec<String> = match link::ask(connection, &setting).await {
            Ok(told) => Answers::of(told).next()?,
            Err(crate::error::Error::Setup(_) | crate::error::Error::Refused(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim);
        let number = |name: &str| field(name).parse().unwrap_or(0);
        Ok(Self {
            identity: format!("{} {}", field("run_id:"), field("master_replid:")),
            aof: field("aof_enabled:") == "1" && field("aof_last_write_status:") == "ok",
            fsync: match fsync.get(1).map(String::as_str) {
                Some("always") => Fsync::Always,
                Some("no") => Fsync::Never,
                _ => Fsync::EverySecond,
            },
            durability,
            used: number("used_memory:"),
            most: number("maxmemory:"),
            clock: number("server_time_usec:") / 1_000,
            asked: Instant::now(),
            replica: field("role:") == "slave",
        })
    }

    /// Redis's clock, in milliseconds.
    pub(super) fn now(&self) -> u64 {
        self.clock + u64::try_from(self.asked.elapsed().as_millis()).unwrap_or(0)
    }

    /// Why nothing should be sent now.
    pub(super) fn paused(&self) -> Option<String> {
        if self.replica {
            return Some("this Redis is a replica".to_owned());
        }
        let full = self.most > 0 && self.used > self.most / 100 * FULL_PERCENT;
        full.then(|| format!("Redis uses more than {FULL_PERCENT} % of its maxmemory"))
    }

    /// Asked after an answer: is it proof?
    pub(super) async fn written(&self, connection: &mut MultiplexedConnection) -> Result<Written> {
        if self.durability == Durability::Replicated {
            let mut question = Pipeline::new();
            question.cmd("WAIT").arg(1).arg(REPLICA.as_millis() as u64);
            let replicas: i64 = Answers::of(link::ask(connection, &question).await?).next()?;
            return Ok(if replicas > 0 { Written::Safe } else { Written::Never });
        }
        Ok(match self.fsync {
            Fsync::Always if self.aof => Written::Safe,
            Fsync::EverySecond if self.aof => Written::Soon,
            _ => Written::Never,
        })
    }
}
