//! Who posts? Keep-alive connections over loopback, as fast as they are answered, or at a given rate.

use crate::customers;
use crate::report::quantile;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What a run of posts showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Posted {
    pub(crate) answered: usize,
    pub(crate) per_s: f64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) max_us: u32,
}

/// One connection.
pub(crate) struct Client {
    to: SocketAddr,
    send: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { to, send })
    }

    /// Posts the lead of one person; anything but 200 ends the measurement.
    pub(crate) async fn post(&mut self, person: u64) -> Result<()> {
        let request = Request::post(format!("/in/{}", customers::CHANNEL))
            .header("host", self.to.to_string())
            .header("content-type", "application/json")
            .body(Full::new(customers::post(person)))?;
        let response = self.send.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        ensure!(status == 200, "a post was answered {status}");
        Ok(())
    }

    /// Status and body of a path.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, Bytes)> {
        let request = Request::get(path).header("host", self.to.to_string()).body(Full::new(Bytes::new()))?;
        let response = self.send.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// The body of a stream, as it comes.
    pub(crate) async fn stream(mut self, path: &str) -> Result<(Self, hyper::body::Incoming)> {
        let request = Request::get(path)
            .header("host", self.to.to_string())
            .header("accept", "text/event-stream")
            .body(Full::new(Bytes::new()))?;
        let response = self.send.send_request(request).await?;
        ensure!(response.status() == 200, "the stream was answered {}", response.status());
        Ok((self, response.into_body()))
    }
}

/// Posts of `connections` at once for `time`; persons are numbered on from `person`.
pub(crate) async fn flood(
    to: SocketAddr,
    connections: usize,
    time: Duration,
    person: &Arc<AtomicU64>,
) -> Result<Posted> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(Client::connect(to).await.context("failed to connect")?);
    }
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(posts(client, Arc::clone(person), begun + time));
    }
    let mut all = Vec::new();
    while let Some(done) = running.join_next().await {
        all.extend(done??);
    }
    let took = begun.elapsed();
    all.sort_unstable();
    Ok(Posted {
        answered: all.len(),
        per_s: all.len() as f64 / took.as_secs_f64(),
        p50_us: quantile(&all, 0.5),
        p99_us: quantile(&all, 0.99),
        max_us: all.last().copied().unwrap_or(0),
    })
}

async fn posts(mut client: Client, person: Arc<AtomicU64>, until: Instant) -> Result<Vec<u32>> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let next = person.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        client.post(next).await?;
        took.push(u32::try_from(begun.elapsed().as_micros())?);
    }
    Ok(took)
}
