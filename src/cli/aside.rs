//! What was set aside, and how does it come back? Dead letters are tried again, quarantined requests are read again.

use super::Within;
use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::{Output, count, moment, text};
use clap::{Args, Subcommand};
use hyper::StatusCode;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// The newest dead letters
    #[command(after_help = "Examples:\n  leadgate dead list\n  leadgate dead list --limit 10 --json")]
    List(List),
    /// One dead letter, whole
    #[command(after_help = "Example:\n  leadgate dead show 06c8d0u1v2g3h4i5j6a7b8c9d0")]
    Show(Show),
    /// Decide dead letters anew
    #[command(after_help = "Examples:\n  leadgate dead retry 06c8d0u1v2g3h4i5j6a7b8c9d0\n  leadgate dead retry --all")]
    Retry(Again),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// The newest requests that could not be read
    #[command(after_help = "Examples:\n  leadgate quarantine list\n  leadgate quarantine list --limit 10 --json")]
    List(List),
    /// One request, with its bytes for those who manage
    #[command(after_help = "Example:\n  leadgate quarantine show 06c8d0u1v2g3h4i5j6a7b8c9d0")]
    Show(Show),
    /// Read requests anew, after a mapping or the product was mended
    #[command(
        after_help = "Examples:\n  leadgate quarantine release 06c8d0u1v2g3h4i5j6a7b8c9d0\n  leadgate quarantine release --all"
    )]
    Release(Again),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many to show
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Older than this place, as the last list said
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id that the list shows
    uid: String,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
pub(crate) struct Again {
    /// The ids that the list shows
    #[arg(required_unless_present = "all", value_name = "UID")]
    uids: Vec<String>,
    /// Every one of them
    #[arg(long, conflicts_with = "uids")]
    all: bool,
    #[command(flatten)]
    within: Within,
}

/// One of the two places.
#[derive(Copy, Clone, Debug)]
struct Shelf {
    path: &'static str,
    verb: &'static str,
    one: &'static str,
    done: &'static str,
}

const DEAD: Shelf = Shelf { path: "dead", verb: "retry", one: "dead letter", done: "is decided anew" };
const QUARANTINE: Shelf =
    Shelf { path: "quarantine", verb: "release", one: "quarantined request", done: "is read anew" };

pub(crate) async fn dead(desk: &Desk, asked: Dead, out: &mut Output<'_>) -> Result<()> {
    match asked {
        Dead::List(asked) => list(desk, DEAD, &asked, out).await,
        Dead::Show(asked) => show(desk, DEAD, &asked, out).await,
        Dead::Retry(asked) => again(desk, DEAD, &asked, out).await,
    }
}

pub(crate) async fn quarantine(desk: &Desk, asked: Quarantine, out: &mut Output<'_>) -> Result<()> {
    match asked {
        Quarantine::List(asked) => list(desk, QUARANTINE, &asked, out).await,
        Quarantine::Show(asked) => show(desk, QUARANTINE, &asked, out).await,
        Quarantine::Release(asked) => again(desk, QUARANTINE, &asked, out).await,
    }
}

async fn list(desk: &Desk, shelf: Shelf, asked: &List, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let limit = asked.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(asked.before.as_deref().map(|before| ("before", before)));
    let said = desk.get(&["v1", "workspaces", &workspace, shelf.path], &query).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    let entries = said.json["entries"].as_array().cloned().unwrap_or_default();
    if entries.is_empty() {
        return Ok(out.line(&format!("there is no {}", shelf.one))?);
    }
    out.table(&["uid", "channel", "received", "attempts", "reason"], entries.iter().map(row).collect())?;
    if let Some(next) = said.json["next"].as_str() {
        out.line(&format!("older ones: add --before {next}"))?;
    }
    Ok(())
}

fn row(entry: &Value) -> Vec<String> {
    let [uid, channel, attempts, reason] = ["uid", "channel", "attempts", "reason"].map(|key| text(&entry[key]));
    vec![uid, channel, moment(&entry["received_at"]), attempts, reason]
}

async fn show(desk: &Desk, shelf: Shelf, asked: &Show, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let said = desk.get(&["v1", "workspaces", &workspace, shelf.path, &asked.uid], &[]).await;
    let said = said.map_err(|failure| unknown(failure, shelf, &asked.uid, &workspace))?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    for key in ["uid", "channel", "source", "received_at", "set_aside_at", "reason", "attempts", "content_type"] {
        if !said.json[key].is_null() {
            out.line(&format!("{key:<13} {}", text(&said.json[key])))?;
        }
    }
    if !said.json["entry"].is_null() {
        out.line(&format!("\n{:#}", said.json["entry"]))?;
    }
    if let Some(raw) = said.json["raw_base64"].as_str() {
        out.line(&format!("\n{}", readable(raw)))?;
    }
    Ok(())
}

/// The bytes of a request where they are text.
fn readable(base64: &str) -> String {
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(words) => words.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect(),
        Err(bytes) => format!("{} that are no text; --json shows them", count(bytes.as_bytes().len(), "byte")),
    }
}

fn unknown(failure: Failure, shelf: Shelf, uid: &str, workspace: &str) -> Failure {
    failure.when(StatusCode::NOT_FOUND, || {
        format!("the workspace {workspace} has no {} {uid}; `leadgate {} list` shows them", shelf.one, shelf.path)
    })
}

/// One after the other; what does not work is told, and the rest goes on.
async fn again(desk: &Desk, shelf: Shelf, asked: &Again, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let uids = if asked.all { every(desk, shelf, &workspace).await? } else { asked.uids.clone() };
    let mut failed = Vec::new();
    for uid in &uids {
        let said = desk.post(&["v1", "workspaces", &workspace, shelf.path, uid, shelf.verb], None).await;
        match said.map_err(|failure| unknown(failure, shelf, uid, &workspace)) {
            Ok(said) if out.json => out.raw(&said.raw)?,
            Ok(_) => out.line(&format!("{uid} {}", shelf.done))?,
            // Without an answer of the desk the next one gets none either.
            Err(failure) if failure.status.is_none() => return Err(failure),
            Err(failure) => failed.push(format!("{uid}: {}", failure.sentence)),
        }
    }
    match failed.as_slice() {
        [] if uids.is_empty() && !out.json => Ok(out.line(&format!("there is no {}", shelf.one))?),
        [] => Ok(()),
        [one] => Err(Failure::no(one.clone())),
        many => Err(Failure::no(format!("{} of {} failed:\n{}", many.len(), uids.len(), many.join("\n")))),
    }
}

async fn every(desk: &Desk, shelf: Shelf, workspace: &str) -> Result<Vec<String>> {
    let (mut uids, mut before) = (Vec::new(), json!(null));
    loop {
        let mut query = vec![("limit", "1000")];
        query.extend(before.as_str().map(|before| ("before", before)));
        let page = desk.get(&["v1", "workspaces", workspace, shelf.path], &query).await?.json;
        let entries = page["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        uids.extend(entries.iter().filter_map(|entry| entry["uid"].as_str().map(str::to_owned)));
        before = page["next"].clone();
        if before.is_null() {
            return Ok(uids);
        }
    }
}
