//! How is a channel connected? What to paste where at the provider, and then whether anything comes through, request
//! by request, until the first lead is there.

use super::desk_client::Desk;
use super::failure::Result;
use super::output::{BAD, GOOD, Output, QUIET, STRONG, WEAK, text};
use super::wire_watch::{Before, Watch, counts};
use super::{send, tail};
use clap::Args;
use serde_json::Value;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use url::{Host, Url};

#[derive(Debug, Args)]
#[command(
    after_help = "It waits until the first request was decided, for --for at the longest; Ctrl-C ends it sooner. \
                        With --json it prints and does not wait.\n\nExamples:\n  leadgate wire demo-bot\n  leadgate wire \
                        line-1 --for 1h\n  leadgate wire demo-form --no-wait"
)]
pub(crate) struct Wire {
    /// The id of a channel
    channel: String,
    /// Print what to paste where, and do not wait
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for the first request
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = super::span)]
    patience: Duration,
    /// The workspace [default: all are asked]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

pub(crate) async fn run(desk: &Desk, asked: &Wire, out: &mut Output<'_>) -> Result<()> {
    let workspace = send::workspace_of(desk, asked.workspace.as_deref(), &asked.channel).await?;
    let watch = Watch { desk, workspace: &workspace, channel: &asked.channel, begun: Instant::now() };
    let (cursor, booked) = (tail::newest(desk, &workspace).await?, watch.booked().await?);
    let path = ["v1", "workspaces", &workspace, "channels", &asked.channel, "wiring"];
    let said = desk.get(&path, &[]).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    explain(&said.json, out)?;
    if asked.no_wait {
        return Ok(());
    }
    let before = Before { cursor, booked, counted: counts(&said.json) };
    tokio::select! {
        came = watch.until(asked.patience, before, out) => came,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn explain(said: &Value, out: &mut Output<'_>) -> Result<()> {
    let help = text_of(&said["help"]).trim_end();
    out.line(help)?;
    out.line("")?;
    let url = text_of(&said["url"]);
    if help.contains(url) && is_near(url) {
        out.line(&format!("{}\n", out.paint(WEAK, &unreachable(url))))?;
    }
    let keys = said["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !keys.is_empty() {
        let title = out.paint(STRONG, "In the file of the workspace, under this [[channel]]:");
        out.line(&title)?;
    }
    for key in keys {
        let state = state(key, out);
        out.line(&format!("  {:<20} {state}: {}", text(&key["name"]), text(&key["expected"])))?;
    }
    let proven = if said["proven"] == true {
        out.paint(GOOD, "Something came through this entrance before.")
    } else {
        out.paint(WEAK, "Unproven: nothing has come through this entrance yet.")
    };
    Ok(out.line(&format!("\n{proven}"))?)
}

fn state(key: &Value, out: &Output<'_>) -> String {
    match (key["configured"] == true, key["default"].as_str(), key["required"] == true) {
        (true, ..) => out.paint(GOOD, "is set"),
        (false, Some(default), _) => out.paint(QUIET, &format!("default {default:?}")),
        (false, None, true) => out.paint(BAD, "is missing"),
        (false, None, false) => out.paint(QUIET, "not set"),
    }
}

/// Our own text keeps its lines.
fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether an address means this machine or this network: without `gateway.public_url` it is the one that is listened on.
fn is_near(url: &str) -> bool {
    let near = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified(),
    };
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => near(ip.into()),
        Some(Host::Ipv6(ip)) => near(ip.into()),
        None => false,
    }
}

fn unreachable(url: &str) -> String {
    let base = Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    format!(
        "A provider on the internet cannot reach {base}: until gateway.public_url in leadgate.toml names an address that \
         it can (https where the provider demands it), only this machine or its network gets through."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_of_this_machine_is_no_address_for_a_provider() {
        for (url, near) in [
            ("http://127.0.0.1:8080/in/a", true),
            ("http://0.0.0.0:8080/in/a", true),
            ("http://[::1]:8080/in/a", true),
            ("http://192.168.1.7/in/a", true),
            ("http://localhost:8080/in/a", true),
            ("https://leads.example.com/in/a", false),
            ("https://203.0.113.7/in/a", false),
        ] {
            assert_eq!(is_near(url), near, "{url}");
        }
        assert!(unreachable("http://127.0.0.1:8080/in/a.key").contains("reach http://127.0.0.1:8080: "));
    }

    #[test]
    fn a_key_is_set_by_whoever_wrote_it_and_by_nobody_else() {
        let mut to = Vec::new();
        let out = Output::plain(false, &mut to);
        let state = |configured: bool, default: Option<&str>, required: bool| {
            state(&json!({"configured": configured, "default": default, "required": required}), &out)
        };
        assert_eq!(
            [
                state(true, Some("off"), false),
                state(false, Some("off"), false),
                state(false, None, true),
                state(false, None, false)
            ],
            ["is set", "default \"off\"", "is missing", "not set"]
        );
    }
}
