//! How is a channel connected? What to paste where at the provider, and then whether anything comes through, request
//! by request, until the first lead is there.

use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::{BAD, GOOD, Output, QUIET, STRONG, WEAK, text};
use super::{send, tail};
use clap::Args;
use lead::units::Span;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two looks at what came.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_help = "It waits until the first lead came through, for --for at the longest; Ctrl-C ends it sooner. \
                        With --json it prints and does not wait.\n\nExamples:\n  leadgate wire demo-bot\n  leadgate wire \
                        line-1 --for 1h\n  leadgate wire demo-form --no-wait")]
pub(crate) struct Wire {
    /// The id of a channel
    channel: String,
    /// Print what to paste where, and do not wait
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for the first lead
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = span)]
    patience: Duration,
    /// The workspace [default: all are asked]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

fn span(text: &str) -> std::result::Result<Duration, String> {
    Span::parse(text).map(|span| span.0).ok_or_else(|| "write it like 90s, 15m or 1h".to_owned())
}

/// Counters of the entrance by what they count.
type Counts = BTreeMap<String, u64>;

pub(crate) async fn run(desk: &Desk, asked: &Wire, out: &mut Output<'_>) -> Result<()> {
    let workspace = send::workspace_of(desk, asked.workspace.as_deref(), &asked.channel).await?;
    let cursor = tail::newest(desk, &workspace).await?;
    let path = ["v1", "workspaces", &workspace, "channels", &asked.channel, "wiring"];
    let said = desk.get(&path, &[]).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    explain(&said.json, out)?;
    if asked.no_wait {
        return Ok(());
    }
    let watch = Watch { desk, workspace: &workspace, channel: &asked.channel, begun: Instant::now() };
    tokio::select! {
        came = watch.until(asked.patience, counts(&said.json), cursor, out) => came,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn explain(said: &Value, out: &mut Output<'_>) -> Result<()> {
    out.line(text_of(&said["help"]).trim_end())?;
    out.line("")?;
    let keys = said["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !keys.is_empty() {
        let title = out.paint(STRONG, "In the file of the workspace, under this [[channel]]:");
        out.line(&title)?;
    }
    for key in keys {
        let state = match (key["configured"] == true, key["required"] == true) {
            (true, _) => out.paint(GOOD, "is set"),
            (false, true) => out.paint(BAD, "is missing"),
            (false, false) => out.paint(QUIET, "not set"),
        };
        out.line(&format!("  {:<20} {state}: {}", text(&key["name"]), text(&key["expected"])))?;
    }
    let proven = if said["proven"] == true {
        out.paint(GOOD, "Something came through this entrance before.")
    } else {
        out.paint(WEAK, "Unproven: nothing has come through this entrance yet.")
    };
    Ok(out.line(&format!("\n{proven}"))?)
}

/// Our own text keeps its lines.
fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn counts(said: &Value) -> Counts {
    let seen = &said["seen"];
    let mut counts = Counts::new();
    for (name, word) in [("accepted", "accepted"), ("ignored", "ignored")] {
        counts.insert(word.to_owned(), seen[name].as_u64().unwrap_or(0));
    }
    for (reason, count) in seen["refused"].as_object().into_iter().flatten() {
        counts.insert(format!("refused {reason}"), count.as_u64().unwrap_or(0));
    }
    counts
}

struct Watch<'a> {
    desk: &'a Desk,
    workspace: &'a str,
    channel: &'a str,
    begun: Instant,
}

impl Watch<'_> {
    async fn until(
        &self,
        patience: Duration,
        mut known: Counts,
        mut cursor: String,
        out: &mut Output<'_>,
    ) -> Result<()> {
        out.line(&format!("Waiting for the first request to {} …", self.channel))?;
        while self.begun.elapsed() < patience {
            tokio::time::sleep(PAUSE).await;
            let path = ["v1", "workspaces", self.workspace, "channels", self.channel, "wiring"];
            let now = counts(&self.desk.get(&path, &[]).await?.json);
            for (what, more) in grown(&known, &now) {
                let said = out.paint(style(&what), &sentence(&what, more));
                out.line(&format!("{}  {said}", self.at()))?;
            }
            known = now;
            if let Some(event) = self.lead(&mut cursor).await? {
                return self.arrived(&event, out);
            }
        }
        Err(Failure::no(format!("no lead of {} came within {}", self.channel, Span(patience))))
    }

    fn at(&self) -> String {
        format!("{:>6.1} s", self.begun.elapsed().as_secs_f64())
    }

    /// The first event of this channel behind the cursor.
    async fn lead(&self, cursor: &mut String) -> Result<Option<Value>> {
        let path = ["v1", "workspaces", self.workspace, "events"];
        let page = self.desk.get(&path, &[("after", cursor.as_str()), ("limit", "100")]).await?.json;
        if let Some(next) = page["next"].as_str() {
            next.clone_into(cursor);
        }
        let events = page["events"].as_array().into_iter().flatten();
        let mut ours = events.filter(|event| event["data"]["lead"]["channel"] == self.channel);
        Ok(ours.next().cloned())
    }

    fn arrived(&self, event: &Value, out: &mut Output<'_>) -> Result<()> {
        let lead = &event["data"]["lead"];
        let owner = if lead["owner"].is_null() { "nobody yet".to_owned() } else { text(&lead["owner"]) };
        out.line(&format!("{}  decided: {} {}, owner {owner}", self.at(), text(&event["type"]), text(&lead["id"])))?;
        let works = out.paint(GOOD, &format!("{} works", self.channel));
        Ok(out.line(&works)?)
    }
}

/// What was counted since.
fn grown(before: &Counts, now: &Counts) -> Vec<(String, u64)> {
    let more = |(what, count): (&String, &u64)| {
        // A gateway that was restarted counts from nothing.
        let old = before.get(what).copied().filter(|old| old <= count).unwrap_or(0);
        (*count > old).then(|| (what.clone(), count - old))
    };
    now.iter().filter_map(more).collect()
}

fn style(what: &str) -> anstyle::Style {
    match what {
        "accepted" => GOOD,
        "ignored" => WEAK,
        _ => BAD,
    }
}

fn sentence(what: &str, more: u64) -> String {
    let times = if more == 1 { String::new() } else { format!(", {more} times") };
    let said = match what.strip_prefix("refused ").unwrap_or(what) {
        "accepted" => "arrived, believed and stored".to_owned(),
        "ignored" => "arrived and answered: a handshake, or an event that makes no lead".to_owned(),
        "unauthorized" => "refused: it is not proven genuine; compare the secret on both sides".to_owned(),
        "misconfigured" => "refused: the channel has no secret to check with".to_owned(),
        "method" => "refused: this method is not taken here; the provider should POST".to_owned(),
        "media_type" => "refused: its content type is not read here".to_owned(),
        "not_found" => "refused: the key in the address is wrong".to_owned(),
        "upstream" => "put off: the provider could not be asked for the rest; see the log".to_owned(),
        reason => format!("refused: {reason}"),
    };
    format!("{said}{times}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_new_is_told_and_a_restart_is_no_news() {
        let seen = |accepted: u64, refused: u64| {
            counts(&json!({"seen": {"accepted": accepted, "ignored": 0, "refused": {"unauthorized": refused}}}))
        };
        assert_eq!(grown(&seen(2, 1), &seen(2, 1)), []);
        assert_eq!(
            grown(&seen(2, 1), &seen(3, 3)),
            [("accepted".to_owned(), 1), ("refused unauthorized".to_owned(), 2)]
        );
        assert_eq!(grown(&seen(5, 0), &seen(1, 0)), [("accepted".to_owned(), 1)]);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        assert!(sentence("refused unauthorized", 1).contains("compare the secret"));
        assert_eq!(sentence("refused slow", 2), "refused: slow, 2 times");
    }
}
