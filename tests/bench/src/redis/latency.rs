//! How long from a knock to its event, with gateway and workers in processes of their own? Read by SSE from the desk of
//! the gateway and straight from the stream, both at once.

use super::halves::{self, Halves, key};
use super::server::{Fsync, Server};
use crate::client::Client;
use crate::customers::WORKSPACE;
use crate::latency::{self, APART, Latency};
use crate::report::Figure;
use anyhow::{Context as _, Result, ensure};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client as Redis};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Apart {
    pub(crate) fsync: Fsync,
    pub(crate) sse: Latency,
    pub(crate) xread: Latency,
}

type Seen = Result<HashMap<String, Instant>>;

pub(crate) async fn run(folder: &Path, fsync: Fsync, time: Duration) -> Result<Apart> {
    let place = folder.join(format!("latency-{}", fsync.word()));
    let server = Server::start(&place.join("redis"), fsync).await?;
    let halves = Halves::demo(&place, &server)?;
    let (gateway, workers) = (halves.gateway().await?, halves.workers().await?);
    halves::somebody_decides(&server).await?;
    let posts = u64::try_from(time.as_millis() / APART.as_millis())?;
    let desk = Client::connect(gateway.desk.context("the gateway has a desk")?).await?;
    let (_kept, body) = desk.stream(&format!("/v1/workspaces/{WORKSPACE}/events")).await?;
    let sse = tokio::spawn(latency::read(body, posts));
    let xread = tokio::spawn(read(server.url(), posts));
    let due = latency::post_all(gateway.public, posts, APART).await?;
    let both = Apart { fsync, sse: seen(sse, &due).await?, xread: seen(xread, &due).await? };
    gateway.stop().await?;
    workers.stop().await?;
    drop(server);
    std::fs::remove_dir_all(&place)?;
    Ok(both)
}

async fn seen(reader: JoinHandle<Seen>, due: &HashMap<String, Instant>) -> Result<Latency> {
    let seen = timeout(Duration::from_secs(30), reader).await.context("some events never came")???;
    Latency::of(&seen, due)
}

/// When the event of each phone was read from the stream.
async fn read(url: String, posts: u64) -> Seen {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let mut connection = Redis::open(url)?.get_multiplexed_async_connection_with_config(&config).await?;
    let options = StreamReadOptions::default().block(10_000).count(1_000);
    let (mut seen, mut after) = (HashMap::new(), "0".to_owned());
    while (seen.len() as u64) < posts {
        let found: Option<StreamReadReply> =
            connection.xread_options(&[key(WORKSPACE, "events")], &[&after], &options).await?;
        let at = Instant::now();
        let entries = found.into_iter().flat_map(|found| found.keys).flat_map(|stream| stream.ids);
        for entry in entries {
            let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
            if text("type") == "lead.created" {
                let phone = latency::phone(&text("data")).context("a new lead has a phone")?;
                ensure!(seen.insert(phone, at).is_none(), "an event came twice");
            }
            after = entry.id;
        }
    }
    Ok(seen)
}

impl Apart {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let fsync = self.fsync.word();
        let mut all = self.sse.figures(&format!("redis {fsync}: by SSE, "));
        all.extend(self.xread.figures(&format!("redis {fsync}: by XREAD, ")));
        all
    }
}
