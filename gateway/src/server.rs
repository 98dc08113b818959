//! How are connections taken, bounded and let go? One accept loop for both listeners, over any hyper service.
//!
//! It never waits for a client: heads, bodies, answers and handshakes have deadlines (see [`crate::wire`]), and when
//! all connections are taken the next one hears 503 at once. Stopping has an order: no new connections, finish what
//! runs, cut what does not end in time.

use crate::config::Limits;
use crate::doors::{Doors, Full};
use crate::metrics::Metrics;
use crate::tls::Tls;
use crate::wire::{Busy, Wire, io_kind};
use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What one listener is told.
#[derive(Debug)]
pub struct Edge {
    /// The label of its metrics: `public` or `desk`.
    pub name: &'static str,
    pub limits: Limits,
    /// Not bounded per address: many clients stand behind each.
    pub trusted_proxies: Vec<IpNet>,
    pub tls: Option<Arc<Tls>>,
    pub metrics: Metrics,
}

/// Listens at `address`; an address that was in use a moment ago is taken again.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Serves until stopped and drained. `make` gives each connection its service and is told the peer's address.
pub async fn serve<M, S, B>(listener: TcpListener, edge: Arc<Edge>, make: M, stop: CancellationToken)
where
    M: Fn(IpAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
    let limits = &edge.limits;
    let (all, each) = (limits.connections, limits.connections_per_address);
    let doors = Doors::new(edge.name, all, each, &edge.trusted_proxies, &edge.metrics);
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Some((stream, peer)) = sort_out(accepted).await else { continue };
        let address = peer.ip().to_canonical();
        match doors.open(Some(address)) {
            Ok(pass) => {
                let (edge, service, stop) = (Arc::clone(&edge), make(address), stop.clone());
                let talk = talk(stream, edge, service, stop);
                let cut = cut.clone();
                tasks.spawn(async move {
                    let _pass = pass;
                    cut.run_until_cancelled(talk).await;
                });
            }
            Err(full) => turn_away(stream, full, &doors, &edge, &tasks),
        }
    }
    drop(listener);
    drain(edge.name, edge.limits.drain_time.0, &tasks, &cut).await;
}

/// Waits for the connections, and cuts those that do not end in time.
pub(crate) async fn drain(name: &'static str, within: Duration, tasks: &TaskTracker, cut: &CancellationToken) {
    tasks.close();
    if timeout(within, tasks.wait()).await.is_err() {
        tracing::warn!(listener = name, connections = tasks.len(), "server.cut: connections outlived the drain time");
        cut.cancel();
        tasks.wait().await;
    }
}

/// Out of descriptors and the like: wait a little instead of spinning.
pub(crate) async fn sort_out<T>(accepted: io::Result<T>) -> Option<T> {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    match accepted {
        Ok(pair) => return Some(pair),
        Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) => {}
        Err(error) => {
            tracing::warn!(%error, "server.accept_failed: trying again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    None
}

/// A plain word to those who can read it; a TLS client is just let go.
fn turn_away(stream: TcpStream, full: Full, doors: &Doors, edge: &Edge, tasks: &TaskTracker) {
    let Some(permit) = doors.turn_away(full) else { return };
    if edge.tls.is_some() {
        return;
    }
    tasks.spawn(async move {
        let _permit = permit;
        refuse(stream, full).await;
    });
}

async fn refuse(mut stream: TcpStream, full: Full) {
    let status = match full {
        Full::All => "503 Service Unavailable",
        Full::Address => "429 Too Many Requests",
    };
    let seconds: u8 = rand::random_range(1..=5);
    let answer =
        format!("HTTP/1.1 {status}\r\nretry-after: {seconds}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    if let Ok(Ok(())) = timeout(LINGER, stream.write_all(answer.as_bytes())).await {
        linger(stream).await;
    }
}

async fn talk<S, B>(stream: TcpStream, edge: Arc<Edge>, service: S, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Without it answers are only later, so its failure is not worth a connection.
    let _ = stream.set_nodelay(true);
    let refused = match &edge.tls {
        None => exchange(stream, &edge.limits, service, &stop).await,
        Some(tls) => match timeout(edge.limits.handshake_time.0, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => exchange(stream, &edge.limits, service, &stop).await,
            Ok(Err(_)) | Err(_) => Some("handshake"),
        },
    };
    if let Some(why) = refused {
        edge.metrics.connections_refused.with_label_values(&[edge.name, why]).inc();
    }
}

/// One connection, to its end; why it was not let go on, where that was its own doing.
pub(crate) async fn exchange<I, S, B>(
    io: I,
    limits: &Limits,
    service: S,
    stop: &CancellationToken,
) -> Option<&'static str>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let busy = Busy::default();
    let wire = Wire::new(io, limits, Arc::clone(&busy));
    let service = Box::new(service);
    let service = service_fn(move |request| answer(&*service, request, &busy));
    let mut connection = http(limits).serve_connection(TokioIo::new(wire), service);
    let ended = tokio::select! {
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    let refused = ended.as_ref().is_err_and(hyper::Error::is_parse).then_some("head");
    if !ended.is_err_and(|error| is_timeout(&error)) {
        linger(connection.into_parts().io.into_inner()).await;
    }
    refused
}

fn http(limits: &Limits) -> http1::Builder {
    let head = limits.head.bytes();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time.0 + limits.head_time.0)
        // A small sender says that it has said everything, and waits for the answer.
        .half_close(true)
        .max_headers(limits.headers)
        .max_header_size(head)
        .max_buf_size(head.saturating_mul(2).max(8192));
    http
}

type Answer<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

/// A chunked request is the last of its connection: nobody but hyper knows where it ends.
fn answer<S, B>(service: &S, request: Request<Incoming>, busy: &Busy) -> Answer<B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: 'static,
{
    busy.store(true, Ordering::Release);
    let (busy, last) = (Arc::clone(busy), request.headers().contains_key(TRANSFER_ENCODING));
    let answer = service.call(request);
    Box::pin(async move {
        let mut response = answer.await?;
        busy.store(false, Ordering::Release);
        if last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    })
}

fn is_timeout(error: &hyper::Error) -> bool {
    error.is_timeout() || io_kind(error) == Some(io::ErrorKind::TimedOut)
}

const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// Closes so that the answer arrives: a socket closed over unread bytes resets, and the sender of a body that was
/// refused unread would never see why.
pub(crate) async fn linger<I: AsyncRead + AsyncWrite + Unpin>(mut io: I) {
    let close = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Whether the far side hung up first or not, the connection is over.
    let _ = timeout(LINGER, close).await;
}
