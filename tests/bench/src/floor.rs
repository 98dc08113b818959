//! The floor of accepting: the least a server can do that is durable before it answers. The same HTTP library with the
//! same settings, one thread that writes raw bodies into SQLite (WAL, FULL) in groups, and nothing else.

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
use rusqlite::{Connection, params};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// As many rows to a commit, and as many waiting, as in the journal of the product.
const GROUP: usize = 256;
const WAITING: usize = 4_096;

type Waiting = (Bytes, oneshot::Sender<bool>);

/// Serves until killed.
pub(crate) async fn serve(listen: SocketAddr, folder: &Path) -> Result<()> {
    let db = open(folder)?;
    let (rows, queue) = sync_channel::<Waiting>(WAITING);
    std::thread::spawn(move || write(db, &queue));
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rows = rows.clone();
        let service = service_fn(move |request| answer(rows.clone(), request));
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

async fn answer(rows: SyncSender<Waiting>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let stored = store(&rows, request).await.unwrap_or(false);
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"status":"accepted"}"#)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !stored {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

async fn store(rows: &SyncSender<Waiting>, request: Request<Incoming>) -> Result<bool> {
    let body = request.into_body().collect().await?.to_bytes();
    let (done, answer) = oneshot::channel();
    rows.try_send((body, done))?;
    Ok(answer.await?)
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
