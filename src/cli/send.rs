//! Does a lead come through? A signed sample goes to the public entrance like any knock, and is followed to the clean
//! stream; every hop is timed.

use super::desk_client::{Ask, Desk};
use super::failure::{Failure, Result};
use super::http::Answer;
use super::output::{GOOD, Output, moment, text};
use super::tail;
use bytes::Bytes;
use clap::Args;
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Method, Request, Uri};
use lead::ids::Uid;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use url::Url;

/// By then the lead must be readable.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "The lead is marked as a test and stays out of all statistics; a technical test reaches no \
                        person, a shopper does.\n\nExamples:\n  leadgate send demo-form --name Vera --phone \
                        +79035551234\n  leadgate send line-1 --shopper\n  leadgate send line-1 --via http://127.0.0.1:8080")]
pub(crate) struct Send {
    /// The id of a channel
    channel: String,
    /// The name of the made-up customer, where the source sends one
    #[arg(long)]
    name: Option<String>,
    /// His phone, in any spelling
    #[arg(long)]
    phone: Option<String>,
    /// His mail address
    #[arg(long)]
    email: Option<String>,
    /// What he writes
    #[arg(long)]
    text: Option<String>,
    /// A mystery shopper: the lead gets an owner and a clock
    #[arg(long)]
    shopper: bool,
    /// Knock at this address of the gateway instead of the public one
    #[arg(long, value_name = "URL")]
    via: Option<String>,
    /// The workspace [default: all are asked]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

/// A request as the desk made it.
#[derive(Debug)]
struct Knock {
    request: Request<Full<Bytes>>,
    body: Bytes,
    expect: u16,
}

/// What is known of the lead that was sent.
#[derive(Debug)]
struct Sent<'a> {
    channel: &'a str,
    synthetic: &'static str,
    uid: Option<Uid>,
    body: &'a [u8],
}

pub(crate) async fn run(desk: &Desk, asked: &Send, out: &mut Output<'_>) -> Result<()> {
    within(PATIENCE, desk, asked, out).await
}

async fn within(patience: Duration, desk: &Desk, asked: &Send, out: &mut Output<'_>) -> Result<()> {
    let workspace = workspace_of(desk, asked.workspace.as_deref(), &asked.channel).await?;
    let synthetic = if asked.shopper { "shopper" } else { "technical" };
    let cursor = tail::newest(desk, &workspace).await?;
    let knock = sample(desk, &workspace, asked, synthetic).await?;
    let begun = Instant::now();
    let answer = desk.http.send(knock.request, PATIENCE).await;
    let answer = answer.map_err(|trouble| Failure::no(format!("the entrance {}", trouble.sentence())))?;
    let accepted = begun.elapsed();
    let uid = accepted_as(&answer, knock.expect)?;
    let hop = format!("accepted  {:>6} ms  HTTP {}{}", accepted.as_millis(), answer.status.as_u16(), named(uid));
    say(out, &hop)?;
    let sent = Sent { channel: &asked.channel, synthetic, uid, body: &knock.body };
    let event = arrival(desk, &workspace, cursor, &sent, begun + patience).await?;
    let readable = begun.elapsed();
    let Some(event) = event else { return Err(lost(&asked.channel, uid, patience)) };
    report(&workspace, asked, &event, (accepted, readable), out)
}

fn say(out: &mut Output<'_>, line: &str) -> Result<()> {
    if out.json { Ok(()) } else { Ok(out.line(line)?) }
}

fn named(uid: Option<Uid>) -> String {
    uid.map(|uid| format!(", entry {uid}")).unwrap_or_default()
}

/// The workspace that has a channel: the one asked for, or the one it is found in.
pub(super) async fn workspace_of(desk: &Desk, asked: Option<&str>, wanted: &str) -> Result<String> {
    let spaces = match asked {
        Some(one) => vec![one.to_owned()],
        None => desk.workspaces().await?,
    };
    let mut known = Vec::new();
    for space in spaces {
        let said = desk.get(&["v1", "workspaces", &space, "channels"], &[]).await?.json;
        for channel in said["channels"].as_array().into_iter().flatten() {
            if channel["id"] == wanted {
                return Ok(space);
            }
            known.push(text(&channel["id"]));
        }
    }
    let mistakes = desk.mistakes().await;
    Err(Failure::no(format!("there is no channel {wanted}; there are: {}{mistakes}", known.join(", "))))
}

async fn sample(desk: &Desk, workspace: &str, asked: &Send, synthetic: &str) -> Result<Knock> {
    let Send { name, phone, email, text, .. } = asked;
    let body = json!({ "name": name, "phone": phone, "email": email, "text": text, "synthetic": synthetic });
    let path = ["v1", "workspaces", workspace, "channels", &asked.channel, "sample"];
    let ask = Ask { method: Method::POST, path: &path, query: &[], body: Some(&body), time: PATIENCE };
    let made = desk.ask(ask).await?.json;
    let url = Url::parse(made["url"].as_str().unwrap_or_default()).map_err(|_| strange())?;
    request(&made, &url, asked.via.as_deref())
}

fn strange() -> Failure {
    Failure::no("the desk's sample is not understood; are desk and command of one version?")
}

fn request(made: &Value, url: &Url, via: Option<&str>) -> Result<Knock> {
    let body = BASE64.decode(made["body_base64"].as_str().unwrap_or_default().as_bytes()).map_err(|_| strange())?;
    let body = Bytes::from(body);
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = Request::builder()
        .method(made["method"].as_str().unwrap_or_default())
        .uri(target(url, via)?)
        .header(HOST, host);
    for header in made["headers"].as_array().into_iter().flatten() {
        request = request.header(header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or_default());
    }
    let request = request.body(Full::new(body.clone())).map_err(|_| strange())?;
    let expect = made["expect"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    Ok(Knock { request, body, expect })
}

/// The public address, or the same path at another door of the same gateway.
fn target(url: &Url, via: Option<&str>) -> Result<Uri> {
    let unread = || Failure::usage("the address is not understood; write it like --via http://127.0.0.1:8080");
    let mut target = url.clone();
    if let Some(via) = via {
        let via = Url::parse(via).ok().filter(|via| via.scheme() == "http").ok_or_else(unread)?;
        let set = target.set_scheme("http").is_ok() && target.set_host(via.host_str()).is_ok();
        if !set || target.set_port(via.port()).is_err() {
            return Err(unread());
        }
    }
    if target.scheme() != "http" {
        return Err(Failure::no(format!(
            "the public address is {}, and this command speaks plain HTTP only; knock at the gateway itself with --via http://ADDRESS:PORT",
            &url[..url::Position::AfterPort]
        )));
    }
    target.as_str().parse().map_err(|_| strange())
}

/// The entry's id where the source tells it.
fn accepted_as(answer: &Answer, expect: u16) -> Result<Option<Uid>> {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.as_u16() == expect {
        return Ok(said["id"].as_str().and_then(Uid::parse));
    }
    let parts = ["title", "detail"].map(|key| text(&said[key]));
    let told: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let told = if told.is_empty() { "it does not say why".to_owned() } else { told.join(": ") };
    Err(Failure::no(format!("the entrance answered {} instead of {expect}: {told}", answer.status.as_u16())))
}

/// The event that shows the lead, or nothing when it is not there in time.
async fn arrival(
    desk: &Desk,
    workspace: &str,
    cursor: String,
    sent: &Sent<'_>,
    until: Instant,
) -> Result<Option<Value>> {
    let path = ["v1", "workspaces", workspace, "events"];
    let mut cursor = cursor;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let wait = format!("{}s", left.as_secs().max(1));
        let query = [("after", cursor.as_str()), ("limit", "100"), ("wait", wait.as_str())];
        let asked = desk.get(&path, &query);
        let Ok(page) = tokio::time::timeout(left, asked).await else { return Ok(None) };
        let page = page?.json;
        if let Some(event) = page["events"].as_array().into_iter().flatten().find(|event| sent.is_in(event)) {
            return Ok(Some(event.clone()));
        }
        page["next"].as_str().ok_or_else(strange)?.clone_into(&mut cursor);
        // A desk that is stopping does not wait.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Sent<'_> {
    /// Where the entrance names the entry its lead is known; otherwise it is the test of this channel that is new,
    /// and a call must be the call that was sent.
    fn is_in(&self, event: &Value) -> bool {
        let (lead, change) = (&event["data"]["lead"], &event["data"]["change"]);
        if let Some(uid) = self.uid {
            return lead["id"] == uid.lead().to_string() || change["touch"]["id"] == uid.to_string();
        }
        let ours = lead["channel"] == self.channel && lead["synthetic"] == self.synthetic;
        ours && lead["call"]["id"].as_str().is_none_or(|call| contains(self.body, call.as_bytes()))
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}

fn lost(channel: &str, uid: Option<Uid>, patience: Duration) -> Failure {
    Failure::no(format!(
        "the entrance accepted it{}, but no lead of {channel} was readable within {} s; `leadgate books` shows what became of it, the log of the workers why",
        named(uid),
        patience.as_secs()
    ))
}

fn report(
    workspace: &str,
    asked: &Send,
    event: &Value,
    times: (Duration, Duration),
    out: &mut Output<'_>,
) -> Result<()> {
    let (accepted, readable) = times;
    let (lead, owner) = (text(&event["data"]["lead"]["id"]), text(&event["data"]["lead"]["owner"]));
    if out.json {
        let hops = json!([
            { "hop": "accepted", "ms": u64::try_from(accepted.as_millis()).unwrap_or(u64::MAX) },
            { "hop": "decided", "at": event["time"] },
            { "hop": "readable", "ms": u64::try_from(readable.as_millis()).unwrap_or(u64::MAX) },
        ]);
        let said = json!({ "workspace": workspace, "channel": asked.channel, "lead": lead, "owner": event["data"]["lead"]["owner"], "hops": hops });
        return Ok(out.line(&said.to_string())?);
    }
    let owner = if owner.is_empty() { String::new() } else { format!(", owner {owner}") };
    out.line(&format!("decided              lead {lead}{owner}, as of {}", moment(&event["time"])))?;
    out.line(&format!("readable  {:>6} ms  event {}", readable.as_millis(), text(&event["type"])))?;
    let through = out.paint(GOOD, &format!("{} works", asked.channel));
    Ok(out.line(&through)?)
}

#[cfg(test)]
impl Send {
    /// As typed, with little patience, for tests alone.
    pub(crate) async fn impatient(&self, desk: &Desk, out: &mut Output<'_>) -> Result<()> {
        within(Duration::from_millis(300), desk, self, out).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, channel: &str, synthetic: &Value, call: &Value) -> Value {
        json!({"data": {"lead": {"id": id, "channel": channel, "synthetic": synthetic, "call": call},
            "change": {"touch": {"id": id}}}})
    }

    #[test]
    fn a_named_entry_is_found_by_its_lead_or_its_touch_and_by_nothing_else() {
        let uid = Uid::from_bytes([7; 16]);
        let sent = Sent { channel: "a", synthetic: "technical", uid: Some(uid), body: b"" };
        let of = |id: String| sent.is_in(&event(&id, "a", &json!("technical"), &json!(null)));
        assert!(of(uid.lead().to_string()) && of(uid.to_string()));
        assert!(!of(Uid::from_bytes([8; 16]).lead().to_string()));
    }

    #[test]
    fn without_a_name_it_is_the_new_test_of_the_channel_and_the_call_that_was_sent() {
        let sent = Sent { channel: "a", synthetic: "technical", uid: None, body: b"CallSid=CA7&x" };
        for (channel, synthetic, call, found) in [
            ("a", json!("technical"), json!(null), true),
            ("a", json!("technical"), json!({"id": "CA7"}), true),
            ("a", json!("technical"), json!({"id": "CA8"}), false),
            ("a", json!("shopper"), json!(null), false),
            ("a", json!(null), json!(null), false),
            ("b", json!("technical"), json!(null), false),
        ] {
            let event = event("l", channel, &synthetic, &call);
            assert_eq!(sent.is_in(&event), found, "{channel} {synthetic} {call}");
        }
    }

    #[test]
    fn another_door_keeps_path_and_name() {
        let made = json!({"method": "POST", "headers": [["x-proof", "p"]], "body_base64": "aGk="});
        let url = Url::parse("https://leads.example.com/in/a.key/b").unwrap();
        let knock = request(&made, &url, Some("http://127.0.0.1:8080")).unwrap();
        assert_eq!(knock.request.uri(), "http://127.0.0.1:8080/in/a.key/b");
        assert_eq!(
            (&knock.request.headers()["host"], &knock.request.headers()["x-proof"]),
            (&"leads.example.com".parse().unwrap(), &"p".parse().unwrap())
        );
        let refused = request(&made, &url, None).unwrap_err();
        assert!(refused.sentence.contains("https://leads.example.com") && refused.sentence.contains("--via"));
        for bad in ["127.0.0.1:8080", "https://a", "x"] {
            assert_eq!(request(&made, &url, Some(bad)).unwrap_err().code, 2, "{bad}");
        }
    }
}
