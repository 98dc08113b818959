//! How does the journal of a gateway that will not come back reach the store? As its gateway would have sent it, from
//! whoever has its data folder.
//!
//! Nothing in the journal is changed or removed, and what the store holds already is not decided twice, so the command
//! can be repeated.

use super::failure::{Failure, Result};
use super::output::{Output, count};
use super::restore::{bar, redis, show};
use crate::config::machine::{Config, Store};
use clap::{Args, Subcommand};
use lead::ids::WorkspaceId;
use lead::time::At;
use lead::units::Span;
use ledger::Error;
use ledger::folder::Folder;
use ledger::journal::Journal as File;
use ledger::redis::{Durability, Forwarder, Forwarding};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const NAME: &str = "journal.db";
/// How often the bar moves and patience is measured.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Send what a gateway that will not come back has accepted to the store
    #[command(
        after_help = "FILE is the gateway's data folder, or the journal.db in it; what lies beside it belongs to it: \
                            journal.db-wal and spool. Repeating it changes nothing.\n\nExample:\n  \
                            leadgate journal forward /mnt/gateway-2/data --config /etc/leadgate/leadgate.toml"
    )]
    Forward(Forward),
}

#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// The gateway's data folder, or the journal.db in it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Give up when nothing has moved for so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::span)]
    wait: Duration,
}

/// What became of a workspace's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    workspace: WorkspaceId,
    rows: u64,
    sent: u64,
    left: u64,
}

pub(crate) async fn run(asked: &Journal, config: &Config, out: &mut Output<'_>) -> Result<()> {
    let Journal::Forward(asked) = asked;
    let Store::Redis { durability, .. } = config.store else {
        return Err(Failure::no("store.url is \"embedded\": name the Redis that the journal is to be sent to"));
    };
    let redis = Arc::new(redis(config)?);
    let folder = folder(&asked.file)?;
    redis.greet().await.map_err(|error| Failure::no(format!("the store cannot be used: {error}")))?;
    let _taken = Folder::take(&folder).map_err(|error| taken(&folder, &error))?;
    let unreadable = |error: Error| Failure::no(format!("the journal cannot be opened: {error}"));
    let journal = File::open(&folder, config.journal.clone()).map_err(unreadable)?;
    let rows = journal.reader().and_then(|reader| reader.rows()).map_err(unreadable)?;
    let state = sent(forwarder(&journal, redis, durability), asked.wait).await;
    journal.close().await;
    report(&rows, &state, out)?;
    why_not(&state, durability, asked.wait).map_or(Ok(()), |sentence| Err(Failure::no(sentence)))
}

/// The folder that a journal lies in. Opening one that is not there would make it.
fn folder(file: &Path) -> Result<PathBuf> {
    let folder = if file.is_dir() { Some(file) } else { file.parent().filter(|_| file.ends_with(NAME)) };
    let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    match folder {
        Some(folder) if folder.join(NAME).is_file() => Ok(folder.to_owned()),
        Some(folder) => Err(Failure::no(format!("there is no {NAME} in {}", folder.display()))),
        None => Err(Failure::no(format!("{} is neither a data folder nor a {NAME}", file.display()))),
    }
}

fn taken(folder: &Path, error: &Error) -> Failure {
    Failure::no(match error {
        Error::Locked(_) => {
            format!("a gateway runs on {}: it sends its journal by itself; stop it before", folder.display())
        }
        other => format!("the journal's folder cannot be taken: {other}"),
    })
}

/// A forwarder that removes nothing, however old.
fn forwarder(journal: &File, redis: Arc<ledger::redis::Redis>, durability: Durability) -> Forwarder {
    Forwarder {
        journal: journal.clone(),
        redis,
        durability,
        keep: Duration::MAX,
        clock: Arc::new(At::default),
        state: watch::Sender::new(Forwarding::default()),
    }
}

/// Forwards until everything is safe, or nothing has moved for too long.
async fn sent(forwarder: Forwarder, wait: Duration) -> Forwarding {
    let (mut state, stop) = (forwarder.state.subscribe(), CancellationToken::new());
    let running = tokio::spawn(forwarder.run(stop.clone()));
    let bar = bar("forwarding");
    let (mut most, mut moved) = (0, (Instant::now(), Forwarding::default()));
    let last = loop {
        let now = state.borrow_and_update().clone();
        most = most.max(now.waiting());
        show(&bar, most - now.waiting(), most);
        if (now.sent, now.waiting()) != (moved.1.sent, moved.1.waiting()) {
            moved = (Instant::now(), now.clone());
        }
        if now.is_done() || moved.0.elapsed() >= wait {
            break now;
        }
        let _ = timeout(LOOK, state.changed()).await;
    };
    bar.finish_and_clear();
    stop.cancel();
    let _ = running.await;
    last
}

fn lines(rows: &BTreeMap<WorkspaceId, u64>, state: &Forwarding) -> Vec<Line> {
    let line = |(workspace, rows): (&WorkspaceId, &u64)| {
        let left = match state.unreleased.get(workspace) {
            Some((left, _)) => *left,
            None => *rows,
        };
        let sent = state.sent_of.get(workspace).copied().unwrap_or(0).min(*rows);
        Line { workspace: workspace.clone(), rows: *rows, sent, left }
    };
    rows.iter().map(line).collect()
}

impl Line {
    /// Rows that needed no sending: the store had them.
    fn known(&self) -> u64 {
        self.rows.saturating_sub(self.sent.max(self.left))
    }
}

fn report(rows: &BTreeMap<WorkspaceId, u64>, state: &Forwarding, out: &mut Output<'_>) -> Result<()> {
    let lines = lines(rows, state);
    if out.json {
        let one = |line: &Line| {
            let Line { workspace, rows, sent, left } = line;
            json!({ "workspace": workspace.as_str(), "rows": rows, "sent": sent, "known": line.known(), "left": left })
        };
        let all: Vec<_> = lines.iter().map(one).collect();
        return Ok(out.line(&json!({ "workspaces": all, "done": state.is_done() }).to_string())?);
    }
    if lines.is_empty() {
        return Ok(out.line("the journal holds nothing")?);
    }
    let row = |line: &Line| {
        let numbers = [line.rows, line.sent, line.known(), line.left];
        std::iter::once(line.workspace.to_string()).chain(numbers.map(|number| number.to_string())).collect()
    };
    let header = ["workspace", "rows", "sent", "known to the store", "not safe yet"];
    Ok(out.table(&header, lines.iter().map(row).collect())?)
}

fn why_not(state: &Forwarding, durability: Durability, wait: Duration) -> Option<String> {
    if state.is_done() {
        return None;
    }
    let why = match (&state.paused, state.connected, durability) {
        (Some(why), ..) => why.as_str(),
        (None, false, _) => "Redis does not answer",
        (None, true, Durability::Aof) => "Redis has them in memory only: set appendonly to yes there",
        (None, true, Durability::Replicated) => "no replica of Redis confirms them",
    };
    let rows = count(usize::try_from(state.waiting()).unwrap_or(usize::MAX), "row");
    Some(format!(
        "{rows} are not safe in the store and nothing has moved for {}: {why}; mend that and repeat the command",
        Span(wait)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> WorkspaceId {
        WorkspaceId::new("shop")
    }

    fn state(connected: bool, paused: Option<&str>, left: u64) -> Forwarding {
        Forwarding {
            connected,
            paused: paused.map(str::to_owned),
            unreleased: BTreeMap::from([(shop(), (left, None))]),
            undecided: BTreeMap::new(),
            sent: 3,
            sent_of: BTreeMap::from([(shop(), 3)]),
        }
    }

    #[test]
    fn what_is_left_is_told_with_the_reason() {
        let wait = Duration::from_secs(30);
        let told = |state: &Forwarding, durability| why_not(state, durability, wait).unwrap_or_default();
        assert_eq!(told(&state(true, None, 0), Durability::Aof), "");
        for (state, durability, why) in [
            (state(false, None, 2), Durability::Aof, "Redis does not answer"),
            (state(true, None, 2), Durability::Aof, "Redis has them in memory only: set appendonly to yes there"),
            (state(true, None, 2), Durability::Replicated, "no replica of Redis confirms them"),
            (state(true, Some("this Redis is a replica"), 2), Durability::Aof, "this Redis is a replica"),
        ] {
            let expected = format!(
                "2 rows are not safe in the store and nothing has moved for 30s: {why}; mend that and repeat the command"
            );
            assert_eq!(told(&state, durability), expected);
        }
        assert!(!told(&state(false, None, 0), Durability::Aof).is_empty(), "nobody knows before Redis has answered");
    }

    #[test]
    fn a_report_adds_up() {
        let mut to = Vec::new();
        report(&BTreeMap::from([(shop(), 10)]), &state(true, None, 0), &mut Output::plain(false, &mut to)).unwrap();
        insta::assert_snapshot!(String::from_utf8(to).unwrap(), @r"
        workspace  rows  sent  known to the store  not safe yet
        shop       10    3     7                   0
        ");
    }

    #[test]
    fn a_journal_is_never_made_by_looking_for_it() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("rescued.db");
        std::fs::write(&file, "x").unwrap();
        for (place, why) in [
            (home.path().to_owned(), "there is no journal.db in HOME"),
            (home.path().join(NAME), "there is no journal.db in HOME"),
            (file, "HOME/rescued.db is neither a data folder nor a journal.db"),
            (home.path().join("gone"), "HOME/gone is neither a data folder nor a journal.db"),
        ] {
            let sentence = folder(&place).unwrap_err().sentence;
            assert_eq!(sentence.replace(&home.path().display().to_string(), "HOME"), why);
        }
        assert!(!home.path().join(NAME).exists());
    }
}
