//! What is happening now? The clean stream, followed for as long as the reader likes, over every interruption.

use super::Within;
use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::Output;
use super::sse::{Event, Reader};
use super::tail_line;
use bytes::Bytes;
use clap::Args;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A live desk says something more often than this.
const SILENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  leadgate tail\n  leadgate tail --all --count 20\n  \
                        leadgate tail --json | jq .data.lead.owner")]
pub(crate) struct Tail {
    /// Begin with the oldest event that is kept, instead of with what is still to come
    #[arg(long)]
    all: bool,
    /// Show names, phones, addresses and texts as well
    #[arg(long)]
    full: bool,
    /// Stop after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    within: Within,
}

/// What is still to be shown and where to go on.
struct Following<'a> {
    asked: &'a Tail,
    /// Behind the last event that was shown; none: from the oldest that is kept.
    cursor: Option<String>,
    left: Option<u64>,
}

/// Why one connection ended.
enum End {
    Enough,
    Cut,
}

pub(crate) async fn run(desk: &Desk, asked: &Tail, out: &mut Output<'_>) -> Result<()> {
    tokio::select! {
        done = follow(desk, asked, out) => done,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn follow(desk: &Desk, asked: &Tail, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let cursor = if asked.all { None } else { Some(newest(desk, &workspace).await?) };
    let mut following = Following { asked, cursor, left: asked.count };
    let (mut pause, mut known) = (PAUSE, false);
    while following.left != Some(0) {
        match desk.stream(&workspace, following.cursor.as_deref()).await {
            Ok(response) => {
                (pause, known) = (PAUSE, true);
                if let End::Enough = following.show(response.into_body(), out).await? {
                    break;
                }
                tell("the stream ended; connecting again");
            }
            // What the desk refuses now it refuses later; what cannot be reached may come back.
            Err(failure) if !known || failure.status.is_some_and(|status| status.is_client_error()) => {
                return Err(failure);
            }
            Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
        sleep(pause).await;
    }
    Ok(())
}

/// The place behind the newest event: from here nothing that is still to come is missed.
pub(crate) async fn newest(desk: &Desk, workspace: &str) -> Result<String> {
    let said = desk.get(&["v1", "workspaces", workspace, "events"], &[("after", "newest"), ("limit", "1")]).await?;
    let next = said.json["next"].as_str().map(str::to_owned);
    next.ok_or_else(|| Failure::no("the desk named no place in the stream; are desk and command of one version?"))
}

impl Following<'_> {
    /// Shows what one connection brings, until it ends.
    async fn show(&mut self, mut body: Incoming, out: &mut Output<'_>) -> Result<End> {
        let mut reader = Reader::default();
        loop {
            let Ok(Some(Ok(frame))) = timeout(SILENCE, body.frame()).await else { return Ok(End::Cut) };
            let bytes: Bytes = frame.into_data().unwrap_or_default();
            let Ok(events) = reader.read(&bytes) else { return Ok(End::Cut) };
            for Event { id, data } in events {
                let end = self.one(&data, out)?;
                self.cursor = Some(id);
                if let End::Enough = end {
                    return Ok(end);
                }
            }
        }
    }

    fn one(&mut self, data: &str, out: &mut Output<'_>) -> Result<End> {
        let line = if out.json {
            // A line break in JSON is only space.
            data.replace('\n', " ")
        } else {
            let event = serde_json::from_str(data).unwrap_or(Value::Null);
            tail_line::line(&event, self.asked.full).show(|style, text| out.paint(style, text))
        };
        out.line(&line)?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(if self.left == Some(0) { End::Enough } else { End::Cut })
    }
}

#[expect(clippy::print_stderr, reason = "beside the events, for whoever watches")]
fn tell(sentence: &str) {
    eprintln!("leadgate: {sentence}");
}
