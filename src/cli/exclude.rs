//! Whom do we keep out of the leads? Lines added, removed, listed and imported through the desk.

use super::Within;
use super::desk_client::{Ask, Desk};
use super::exclude_file::{self, Line, Read, Until};
use super::failure::{Failure, Result};
use super::output::{Output, count, moment, text};
use crate::files;
use clap::{Args, Subcommand};
use hyper::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A longer file is no list of exclusions.
const LONGEST: u64 = 64 << 20;
/// Longest wait for an import.
const TIME: Duration = Duration::from_secs(120);

#[derive(Debug, Subcommand)]
pub(crate) enum Exclude {
    /// Keep somebody out
    #[command(
        after_help = "MATCH is phone:+74950000000, email:a@b.com, domain:b.com, prefix:+7800 or handle:telegram:777\n\n\
        Examples:\n  leadgate exclude add domain:supplier.example --reason \"supplier of timber\"\n  \
        leadgate exclude add \"phone:8 495 000-00-00\" --reason robot --expires 2027-12-31"
    )]
    Add(Add),
    /// Let somebody in again
    #[command(after_help = "Example:\n  leadgate exclude remove domain:supplier.example")]
    Remove(Remove),
    /// Who is kept out, by the workspace's file and by the desk
    #[command(after_help = "Examples:\n  leadgate exclude list\n  leadgate exclude list --limit 50\n  \
        leadgate exclude list --json | jq '.exclusions[].match'")]
    List(List),
    /// Import a CSV file: all of it or nothing
    #[command(after_help = "Columns: match, reason, expires; a header line may name them in another order. A day in \
        expires is the last one, to midnight where the company is.\n\n\
        Examples:\n  leadgate exclude import suppliers.csv\n  cat suppliers.csv | leadgate exclude import -")]
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Whom: phone:, email:, domain:, prefix: or handle: and a value, in any spelling
    #[arg(value_name = "MATCH")]
    matcher: String,
    /// Why, for whoever wonders later
    #[arg(long)]
    reason: String,
    /// The last day it holds, to midnight where the company is; or a moment
    #[arg(long, value_name = "DAY", value_parser = exclude_file::until)]
    expires: Option<Until>,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Whom, as `leadgate exclude list` shows it or in any other spelling
    #[arg(value_name = "MATCH")]
    matcher: String,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many to show
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Behind this place, as the last list said
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    within: Within,
}

pub(crate) async fn run(desk: &Desk, asked: Exclude, out: &mut Output<'_>) -> Result<()> {
    match asked {
        Exclude::Add(add) => self::add(desk, add, out).await,
        Exclude::Remove(remove) => self::remove(desk, &remove, out).await,
        Exclude::List(list) => self::list(desk, &list, out).await,
        Exclude::Import(import) => self::import(desk, &import, out).await,
    }
}

async fn add(desk: &Desk, asked: Add, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let line = Line { r#match: asked.matcher, reason: asked.reason, until: asked.expires };
    let said = desk.post(&["v1", "workspaces", &workspace, "exclusions"], Some(&json!(line))).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    Ok(out.line(&format!("{} is excluded; its messages are kept and counted, but make no lead", line.r#match))?)
}

async fn remove(desk: &Desk, asked: &Remove, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let said = desk.delete(&["v1", "workspaces", &workspace, "exclusions"], &[("match", &asked.matcher)]).await;
    let unknown = || format!("{} is not excluded; `leadgate exclude list` shows who is", asked.matcher);
    let said = said.map_err(|failure| failure.when(StatusCode::NOT_FOUND, unknown))?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    Ok(out.line(&format!("{} is no longer excluded", asked.matcher))?)
}

async fn list(desk: &Desk, asked: &List, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let limit = asked.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(asked.after.as_deref().map(|after| ("after", after)));
    let said = desk.get(&["v1", "workspaces", &workspace, "exclusions"], &query).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    let lines = said.json["exclusions"].as_array().cloned().unwrap_or_default();
    if lines.is_empty() {
        return Ok(out.line("nobody is excluded")?);
    }
    out.table(&["match", "reason", "from", "by", "expires"], lines.iter().map(row).collect())?;
    if let Some(next) = said.json["next"].as_str() {
        out.line(&format!("more: add --after {next}"))?;
    }
    Ok(())
}

fn row(line: &Value) -> Vec<String> {
    let [matcher, reason, origin, by] = ["match", "reason", "origin", "by"].map(|key| text(&line[key]));
    vec![matcher, reason, origin, by, moment(&line["expires_at"])]
}

async fn import(desk: &Desk, asked: &Import, out: &mut Output<'_>) -> Result<()> {
    let bytes = bytes(&asked.file)?;
    let Read { lines, places, wrong } = read(&bytes);
    if !wrong.is_empty() {
        return Err(nothing_imported(wrong, lines.len()));
    }
    if lines.is_empty() {
        return Err(Failure::no("the file has no lines, so there is nothing to import"));
    }
    let workspace = desk.workspace(asked.within.asked()).await?;
    let said = send(desk, &workspace, &lines).await.map_err(|failure| placed(failure, &places))?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    let imported = said.json["accepted"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(lines.len());
    Ok(out.line(&format!("{} imported", count(imported, "exclusion")))?)
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    let failed = |error: io::Error| Failure::no(format!("failed to read {}: {}", file.display(), files::why(&error)));
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).map_err(failed)?.take(LONGEST + 1).read_to_end(&mut bytes)
    };
    let length = read.map_err(failed)?;
    if length as u64 > LONGEST {
        return Err(Failure::no(format!("{} is longer than {} MiB; split it", file.display(), LONGEST >> 20)));
    }
    Ok(bytes)
}

/// On a terminal a bar shows how far the file is read.
fn read(bytes: &[u8]) -> Read {
    let style =
        ProgressStyle::with_template("reading {bar:40} {percent}%").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(bytes.len() as u64).with_style(style);
    let read = exclude_file::read(bytes, |behind| bar.set_position(behind));
    bar.finish_and_clear();
    read
}

async fn send(desk: &Desk, workspace: &str, lines: &[Line]) -> Result<super::desk_client::Said> {
    let spinner = ProgressBar::new_spinner().with_message(format!("importing {}", count(lines.len(), "line")));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let body = json!({ "entries": lines });
    let path = ["v1", "workspaces", workspace, "exclusions", "import"];
    let said = desk.ask(Ask { method: Method::POST, path: &path, query: &[], body: Some(&body), time: TIME }).await;
    spinner.finish_and_clear();
    said
}

fn nothing_imported(wrong: Vec<(usize, String)>, right: usize) -> Failure {
    let (few, all) = (count(wrong.len(), "wrong line"), wrong.len() + right);
    let sentence = format!("{few} of {all}; nothing was imported: mend the file and import again");
    Failure { lines: wrong, ..Failure::no(sentence) }
}

/// The desk counts what it was sent; the operator counts the lines of the file.
fn placed(failure: Failure, places: &[usize]) -> Failure {
    let place = |number: usize| number.checked_sub(1).and_then(|index| places.get(index)).copied().unwrap_or(number);
    let lines = failure.lines.into_iter().map(|(number, why)| (place(number), why)).collect();
    Failure { lines, ..failure }
}
