//! How long from a knock to its event? Posts come at a fixed rate whether or not earlier ones were answered; a reader
//! holds the event stream of the desk open. Counted from the moment a post was due, so that no waiting is left out.

use crate::client::Client;
use crate::customers;
use crate::process::{self, Process};
use crate::report::{Figure, quantile};
use anyhow::{Context as _, Result, ensure};
use http_body_util::BodyExt as _;
use serde::Serialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const CONNECTIONS: usize = 64;
/// The time between two posts.
pub(crate) const APART: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) per_s: u32,
    pub(crate) posts: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// At each percent, for the plot.
    pub(crate) percentiles_ms: Vec<f64>,
}

pub(crate) async fn run(folder: &Path, time: Duration) -> Result<Latency> {
    let server = Process::leadgate(&process::product()?, &folder.join("latency")).await?;
    let desk = server.desk.context("the product has a desk")?;
    let posts = u64::try_from(time.as_millis() / APART.as_millis())?;
    let (_kept, body) =
        Client::connect(desk).await?.stream(&format!("/v1/workspaces/{}/events", customers::WORKSPACE)).await?;
    let reader = tokio::spawn(read(body, posts));
    let due = post_all(server.public, posts, APART).await?;
    let seen = tokio::time::timeout(Duration::from_secs(30), reader).await.context("some events never came")???;
    server.stop().await?;
    Latency::of(&seen, &due)
}

/// When each person's post was due.
pub(crate) async fn post_all(to: SocketAddr, posts: u64, apart: Duration) -> Result<HashMap<String, Instant>> {
    let mut lines = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (line, mut persons) = mpsc::unbounded_channel::<u64>();
        let mut client = Client::connect(to).await?;
        running.spawn(async move {
            while let Some(person) = persons.recv().await {
                client.post(person).await?;
            }
            anyhow::Ok(())
        });
        lines.push(line);
    }
    let mut due = HashMap::new();
    let start = tokio::time::Instant::now() + Duration::from_millis(50);
    for person in 0..posts {
        let at = start + apart * u32::try_from(person)?;
        tokio::time::sleep_until(at).await;
        due.insert(customers::phone(person), at.into_std());
        lines[usize::try_from(person)? % CONNECTIONS].send(person)?;
    }
    drop(lines);
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(due)
}

/// When the event of each phone was read.
pub(crate) async fn read(mut body: hyper::body::Incoming, posts: u64) -> Result<HashMap<String, Instant>> {
    let (mut seen, mut text) = (HashMap::new(), String::new());
    while (seen.len() as u64) < posts {
        let frame = body.frame().await.context("the stream ended")??;
        let at = Instant::now();
        let Some(bytes) = frame.data_ref() else { continue };
        text.push_str(&String::from_utf8_lossy(bytes));
        while let Some(end) = text.find("\n\n") {
            if let Some(phone) = created(&text[..end]) {
                let again = seen.insert(phone, at);
                ensure!(again.is_none(), "an event came twice");
            }
            text.drain(..end + 2);
        }
    }
    Ok(seen)
}

/// The phone of a `lead.created`.
fn created(event: &str) -> Option<String> {
    event.contains("event: lead.created").then(|| phone(event))?
}

/// The first phone that an event names.
pub(crate) fn phone(event: &str) -> Option<String> {
    let (_, phones) = event.split_once(r#""phones":[""#)?;
    phones.split_once('"').map(|(phone, _)| phone.to_owned())
}

impl Latency {
    /// From when each post was due and when its event was seen.
    pub(crate) fn of(seen: &HashMap<String, Instant>, due: &HashMap<String, Instant>) -> Result<Self> {
        let from = |person| due.get(person).context("an event names somebody who never came");
        let took = seen.iter().map(|(person, at)| Ok(at.saturating_duration_since(*from(person)?).as_secs_f64() * 1e3));
        let mut took = took.collect::<Result<Vec<f64>>>()?;
        took.sort_by(f64::total_cmp);
        Ok(Self {
            per_s: u32::try_from(Duration::from_secs(1).as_millis() / APART.as_millis())?,
            posts: took.len(),
            p50_ms: quantile(&took, 0.5),
            p90_ms: quantile(&took, 0.9),
            p99_ms: quantile(&took, 0.99),
            max_ms: quantile(&took, 1.0),
            percentiles_ms: (0..=100).map(|percent| quantile(&took, f64::from(percent) / 100.0)).collect(),
        })
    }

    pub(crate) fn figures(&self, how: &str) -> Vec<Figure> {
        vec![
            Figure::new(format!("{how}post to event read, 1,000/s, p50"), self.p50_ms, "ms"),
            Figure::new("  p90", self.p90_ms, "ms"),
            Figure::new("  p99 (reach 50)", self.p99_ms, "ms"),
            Figure::new("  max", self.max_ms, "ms"),
        ]
    }
}
