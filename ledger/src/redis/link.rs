//! How do we reach the server, and what do its refusals mean?
//!
//! A connection is dropped after any error: what it has not answered is unknown, and what it watches is gone. Nothing
//! reconnects by itself, so nothing is sent twice behind anybody's back.

use crate::error::{Error, Result};
use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use ::redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo as _, Pipeline, RedisError, TlsCertificates, Value,
};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a server may take to answer anything that does not wait on purpose.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(2);
/// A peer that vanished is noticed by the kernel within this.
const VANISHED: Duration = Duration::from_secs(10);
/// A batch is written in one go, not in slices of a few kilobytes.
const WRITE_BUFFER: usize = 1 << 20;

/// Makes connections. The one for every day is [`Address`]; another one can stand between us and a server.
#[async_trait]
pub trait Dial: Send + Sync + fmt::Debug {
    /// A connection of its own, each answer of which may take `patience`.
    async fn dial(&self, patience: Duration) -> Result<MultiplexedConnection>;
}

pub type SharedDial = Arc<dyn Dial>;

/// A server, by its URL.
pub struct Address {
    client: Client,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        write!(f, "Address({})", self.client.get_connection_info().addr())
    }
}

impl Address {
    /// Reads a `redis://`, `rediss://` or `redis+unix://` URL. `ca` is the certificate of the server's authority in
    /// PEM, where it is not one the machine trusts anyway.
    pub fn parse(url: &str, ca: Option<Vec<u8>>) -> Result<Self> {
        let wrong = |error: RedisError| Error::Setup(format!("store.url cannot be used: {}", error.category()));
        let info = url.into_connection_info().map_err(wrong)?;
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(TcpKeepalive::new().with_time(VANISHED / 2).with_interval(VANISHED / 4))
            .set_user_timeout(VANISHED);
        let ours = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_tcp_settings(tcp).set_redis_settings(ours);
        let client = match ca {
            None => Client::open(info),
            Some(root) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(root) }),
        };
        Ok(Self { client: client.map_err(wrong)? })
    }
}

/// What every connection of ours is set to.
pub fn settings(patience: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(Some(patience))
        .set_write_backpressure_boundary(WRITE_BUFFER)
}

#[async_trait]
impl Dial for Address {
    async fn dial(&self, patience: Duration) -> Result<MultiplexedConnection> {
        Ok(self.client.get_multiplexed_async_connection_with_config(&settings(patience)).await?)
    }
}

/// Sends a pipeline; the answers come in its order, and the first refusal among them is the error.
pub(crate) async fn ask(connection: &mut MultiplexedConnection, pipeline: &Pipeline) -> Result<Vec<Value>> {
    let answers = connection.req_packed_commands(pipeline, 0, pipeline.len()).await?;
    answers.into_iter().map(|answer| Ok(answer.extract_error()?)).collect()
}

/// A connection for questions that no transaction depends on, shared by whoever asks, made anew after an error.
#[derive(Debug)]
pub(crate) struct Shared {
    dial: SharedDial,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Shared {
    pub(crate) fn new(dial: SharedDial) -> Self {
        Self { dial, connection: Mutex::new(None) }
    }

    pub(crate) async fn ask(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let mut connection = {
            let mut kept = self.connection.lock().await;
            match &*kept {
                Some(connection) => connection.clone(),
                None => kept.insert(self.dial.dial(PATIENCE).await?).clone(),
            }
        };
        let answers = ask(&mut connection, pipeline).await;
        if matches!(answers, Err(Error::Away(_))) {
            *self.connection.lock().await = None;
        }
        answers
    }
}

/// What a refusal means for us. Its text may quote what was sent, so only its code goes on.
impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let Some(code) = error.code() else { return connection_failed(&error) };
        match code {
            "OOM" => Error::Full,
            "NOAUTH" | "WRONGPASS" => Error::Setup("Redis refuses the user or password of store.url".to_owned()),
            "NOPERM" => Error::Setup("the Redis user may not do what leadgate needs: see deploy/redis.acl".to_owned()),
            "WRONGTYPE" => Error::Setup("a key under lg: holds what leadgate did not put there".to_owned()),
            "MOVED" | "ASK" | "CROSSSLOT" => {
                Error::Setup("this Redis runs as a cluster, which is not supported: name a single server".to_owned())
            }
            other => Error::Refused(other.to_owned()),
        }
    }
}

fn connection_failed(error: &RedisError) -> Error {
    match error.kind() {
        ErrorKind::AuthenticationFailed => Error::Setup("Redis refuses the user or password of store.url".to_owned()),
        ErrorKind::InvalidClientConfig => Error::Setup(format!("store.url cannot be used: {}", error.category())),
        _ if is_certificate(error) => Error::Setup(
            "the certificate of Redis is not signed by an authority we trust, or is not for the host of store.url: name its authority in store.ca".to_owned(),
        ),
        _ if error.is_timeout() => Error::Away("no answer in time"),
        _ if error.is_connection_refusal() => Error::Away("connection refused"),
        _ if error.is_io_error() || error.is_connection_dropped() => Error::Away("connection lost"),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Error::Corrupt("answer of Redis"),
        _ => Error::Away("connection failed"),
    }
}

/// The TLS library says so in words only.
fn is_certificate(error: &RedisError) -> bool {
    error.is_io_error() && error.to_string().contains("invalid peer certificate")
}
