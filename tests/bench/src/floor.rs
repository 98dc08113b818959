//! The floor of accepting: the least a server can do that is durable before it answers. The same HTTP library with the
//! same settings, and then either one thread that writes raw bodies into SQLite (WAL, FULL) in groups, or one XADD of
//! the raw body over the one connection to Redis that all requests share; and nothing else.

use anyhow::Result;
use bytes::Bytes;
use gateway::config::Limits;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use redis::Client;
use redis::aio::MultiplexedConnection;
use rusqlite::{Connection, params};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// As many rows to a commit, and as many waiting, as in the journal of the product.
const GROUP: usize = 256;
const WAITING: usize = 4_096;
const PATIENCE: Duration = Duration::from_secs(5);

type Waiting = (Bytes, oneshot::Sender<bool>);

/// Where bodies go.
#[derive(Clone)]
enum Store {
    Sqlite(SyncSender<Waiting>),
    Redis(MultiplexedConnection),
}

impl Store {
    /// A folder, or the address of a Redis.
    async fn open(target: &str) -> Result<Self> {
        if target.starts_with("redis://") {
            // As patient as the product; the client's own default of half a second would end a floor on a slow disk.
            let settings = ledger::redis::link::settings(PATIENCE);
            let client = Client::open(target)?;
            return Ok(Self::Redis(client.get_multiplexed_async_connection_with_config(&settings).await?));
        }
        let db = open(Path::new(target))?;
        let (rows, queue) = sync_channel::<Waiting>(WAITING);
        std::thread::spawn(move || write(db, &queue));
        Ok(Self::Sqlite(rows))
    }

    async fn keep(self, body: Bytes) -> Result<bool> {
        match self {
            Self::Sqlite(rows) => {
                let (done, answer) = oneshot::channel();
                rows.try_send((body, done))?;
                Ok(answer.await?)
            }
            Self::Redis(mut connection) => {
                let order = redis::cmd("XADD").arg("floor").arg("*").arg("raw").arg(body.as_ref()).take();
                let _id: String = order.query_async(&mut connection).await?;
                Ok(true)
            }
        }
    }
}

/// Serves until killed.
pub(crate) async fn serve(listen: SocketAddr, target: &str) -> Result<()> {
    let store = Store::open(target).await?;
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let store = store.clone();
        let service = service_fn(move |request| answer(store.clone(), request));
        tokio::spawn(http().serve_connection(TokioIo::new(stream), service));
    }
}

fn http() -> http1::Builder {
    let limits = Limits::default();
    let head = limits.head.bytes();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time.0 + limits.head_time.0)
        .max_headers(limits.headers)
        .max_header_size(head)
        .max_buf_size(head.saturating_mul(2).max(8192));
    http
}

async fn answer(store: Store, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let stored = match request.into_body().collect().await {
        Ok(body) => store.keep(body.to_bytes()).await.unwrap_or(false),
        Err(_) => false,
    };
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"accepted"}"#)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !stored {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

fn open(folder: &Path) -> Result<Connection> {
    std::fs::create_dir_all(folder)?;
    let db = Connection::open(folder.join("floor.db"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute("CREATE TABLE IF NOT EXISTS row (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)", [])?;
    Ok(db)
}

fn write(mut db: Connection, queue: &Receiver<Waiting>) {
    while let Ok(first) = queue.recv() {
        let rest = std::iter::from_fn(|| queue.try_recv().ok()).take(GROUP - 1);
        let group: Vec<Waiting> = std::iter::once(first).chain(rest).collect();
        let stored = insert(&mut db, &group).is_ok();
        for (_, done) in group {
            let _ = done.send(stored);
        }
    }
}

fn insert(db: &mut Connection, group: &[Waiting]) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (body, _) in group {
        tx.prepare_cached("INSERT INTO row (body) VALUES (?1)")?.execute(params![body.as_ref()])?;
    }
    tx.commit()
}
