//! How do clients reach the server? Over pipes in memory, by the run's own clock.

use crate::dice::Dice;
use crate::server::{Arriving, Line, Outgoing, Server};
use async_trait::async_trait;
use ledger::redis::{Dial, SharedDial, link};
use ledger::{Error, Result};
use redis::RedisConnectionInfo;
use redis::aio::MultiplexedConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

/// A pipe that takes any answer of ours at once.
const PIPE: usize = 8 << 20;
/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Net {
    server: Mutex<Server>,
    changed: Notify,
    dead: Mutex<BTreeSet<u32>>,
    /// How often each process has dialled in all its lives: what an earlier life has sent may still be on its way.
    dialled: Mutex<BTreeMap<u32, u32>>,
    began: Instant,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    pub(crate) fn new(server: Server) -> Arc<Self> {
        let (changed, dead, dialled) = (Notify::new(), Mutex::default(), Mutex::default());
        Arc::new(Self { server: Mutex::new(server), changed, dead, dialled, began: Instant::now() })
    }

    /// Milliseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) async fn sleep_until(&self, at: u64) {
        tokio::time::sleep_until(self.began + Duration::from_millis(at)).await;
    }

    pub(crate) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets everything arrive in its time.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let next = self.server().next();
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.changed.notified() => {}
                        () = self.sleep_until(at) => self.server().proceed(self.now()),
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Ends a process as seen from outside: nothing of it goes out any more, and nothing reaches it.
    pub(crate) fn kill(&self, actor: u32) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(actor);
        self.server().killed(self.now(), actor);
        self.changed.notify_one();
    }

    fn is_dead(&self, actor: u32) -> bool {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).contains(&actor)
    }

    /// A connection that no other is taken for.
    fn new_line(&self, actor: u32) -> Line {
        let mut dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        let count = dialled.entry(actor).or_default();
        *count += 1;
        (actor, *count - 1)
    }

    /// A way to the server for one process.
    pub(crate) fn line(self: &Arc<Self>, seed: u64, actor: u32) -> SharedDial {
        let dice = Mutex::new(Dice::of(seed, &[3, actor.into()]));
        Arc::new(Way { net: Arc::clone(self), actor, dice })
    }

    async fn carry(self: Arc<Self>, line: Line, mut pipe: DuplexStream, mut answers: UnboundedReceiver<Outgoing>) {
        let (mut arriving, mut bytes) = (Arriving::default(), vec![0; 64 << 10]);
        loop {
            tokio::select! {
                biased;
                answer = answers.recv() => match answer {
                    Some(Some(answer)) => if pipe.write_all(&answer).await.is_err() { break },
                    Some(None) | None => return,
                },
                read = pipe.read(&mut bytes) => match read {
                    Ok(read) if read > 0 => {
                        arriving.add(&bytes[..read]);
                        self.server().sent(self.now(), line, arriving.requests());
                        self.changed.notify_one();
                    }
                    _ => break,
                },
            }
        }
        self.server().hung_up(self.now(), line);
        self.changed.notify_one();
    }
}

/// One process's way to the server.
struct Way {
    net: Arc<Net>,
    actor: u32,
    dice: Mutex<Dice>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({})", self.actor)
    }
}

#[async_trait]
impl Dial for Way {
    async fn dial(&self, patience: Duration) -> Result<MultiplexedConnection> {
        let delay = self.dice.lock().unwrap_or_else(PoisonError::into_inner).between(1, 3);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if self.net.server().weather().stalled(self.actor, self.net.now()).is_some() {
            tokio::time::sleep(PATIENCE).await;
            return Err(Error::Away("no answer in time"));
        }
        if self.net.is_dead(self.actor) {
            std::future::pending::<()>().await;
        }
        if !self.net.server().is_up() {
            return Err(Error::Away("connection refused"));
        }
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let line = self.net.new_line(self.actor);
        let (to_client, answers) = unbounded_channel();
        self.net.server().connect(line, to_client);
        tokio::spawn(Arc::clone(&self.net).carry(line, theirs, answers));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let made = MultiplexedConnection::new_with_config(&info, ours, link::settings(patience)).await?;
        tokio::spawn(made.1);
        Ok(made.0)
    }
}
