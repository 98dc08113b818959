//! Do the books balance? A line for each channel; a difference is an exit code of its own.

use super::Within;
use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::{Output, text};
use clap::Args;
use serde_json::Value;

#[derive(Debug, Args)]
#[command(after_help = "Every accepted signal has exactly one verdict or is in flight; what is left over is the \
                        difference, and the exit code is then 1.\n\nExamples:\n  leadgate books\n  leadgate books --json")]
pub(crate) struct Books {
    #[command(flatten)]
    within: Within,
}

pub(crate) async fn run(desk: &Desk, asked: &Books, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let said = desk.get(&["v1", "workspaces", &workspace, "books"], &[]).await?;
    let channels = said.json["channels"].as_array().cloned().unwrap_or_default();
    if out.json {
        out.raw(&said.raw)?;
    } else if channels.is_empty() {
        out.line("nothing was accepted yet")?;
    } else {
        table(&channels, out)?;
    }
    judge(&channels)
}

fn table(channels: &[Value], out: &mut Output<'_>) -> Result<()> {
    let verdicts = used(channels);
    let mut header = vec!["channel", "accepted"];
    header.extend(&verdicts);
    header.extend(["in flight", "difference"]);
    let rows = channels.iter().map(|channel| {
        let mut row = vec![text(&channel["channel"]), text(&channel["accepted"])];
        row.extend(verdicts.iter().map(|verdict| text(&channel["verdicts"][*verdict])));
        row.extend([text(&channel["in_flight"]), shown(difference(channel))]);
        row
    });
    Ok(out.table(&header, rows.collect())?)
}

/// The verdicts that any channel has, in the order of the definitions.
fn used(channels: &[Value]) -> Vec<&'static str> {
    let words = lead::books::Verdict::ALL.map(lead::books::Verdict::word);
    let is_used = |word: &&str| channels.iter().any(|channel| channel["verdicts"][*word].as_i64().unwrap_or(0) != 0);
    words.into_iter().filter(is_used).collect()
}

fn difference(channel: &Value) -> i64 {
    channel["difference"].as_i64().unwrap_or(0)
}

fn shown(difference: i64) -> String {
    if difference == 0 { "0".to_owned() } else { format!("{difference:+}") }
}

fn judge(channels: &[Value]) -> Result<()> {
    let wrong = channels.iter().filter(|channel| difference(channel) != 0);
    let wrong: Vec<String> =
        wrong.map(|channel| format!("{} ({})", text(&channel["channel"]), shown(difference(channel)))).collect();
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(Failure::no(format!(
            "the books differ: {}; ask again in a minute, and if it stays keep the data folder as it is and report it",
            wrong.join(", ")
        ))),
    }
}
