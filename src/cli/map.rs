//! What does a payload become? A file as a provider would send it is read by the channel's source and stored nowhere.

use super::desk_client::{Ask, Desk};
use super::failure::{Failure, Result};
use super::output::{BAD, GOOD, Output, STRONG, WEAK, text};
use super::send;
use crate::files;
use clap::Args;
use data_encoding::BASE64;
use hyper::Method;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(15);
/// More of a value helps nobody.
const SHOWN: usize = 60;

#[derive(Debug, Args)]
#[command(after_help = "Nothing is stored and no signature is asked for. What no field of ours takes is kept as an \
                        attribute of the lead; map it with fields = { phone = \"data.customer.tel\" } or compute it: \
                        fields = { name = \"= first ~ ' ' ~ last\" }.\n\nExamples:\n  leadgate map demo-form post.json\n  \
                        leadgate map line-1 call.txt --type application/x-www-form-urlencoded --path /events/call\n  \
                        curl -s https://example.com/payload.json | leadgate map demo-form -")]
pub(crate) struct Map {
    /// The id of a channel
    channel: String,
    /// The body of a request, or - for standard input
    #[arg(value_name = "PAYLOAD")]
    payload: PathBuf,
    /// Its content type [default: by the file's name and first letter]
    #[arg(long = "type", value_name = "TYPE")]
    media_type: Option<String>,
    /// What follows the channel's address, as /events/call or ?a=b
    #[arg(long, default_value = "")]
    path: String,
    /// Another header of the request, as "Name: value"
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The method of the request
    #[arg(long, default_value = "POST")]
    method: String,
    /// The workspace [default: all are asked]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

pub(crate) async fn run(desk: &Desk, asked: &Map, out: &mut Output<'_>) -> Result<()> {
    let body = read(&asked.payload)?;
    let mut headers = vec![("content-type".to_owned(), media_type(asked, &body))];
    for header in &asked.headers {
        let (name, value) =
            header.split_once(':').ok_or_else(|| Failure::usage("a header is written \"Name: value\""))?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let workspace = send::workspace_of(desk, asked.workspace.as_deref(), &asked.channel).await?;
    let payload =
        json!({ "method": asked.method, "path": asked.path, "headers": headers, "body_base64": BASE64.encode(&body) });
    let path = ["v1", "workspaces", &workspace, "channels", &asked.channel, "map"];
    let said =
        desk.ask(Ask { method: Method::POST, path: &path, query: &[], body: Some(&payload), time: TIME }).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    show(&said.json, out)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut body).map(|_| ())
    } else {
        std::fs::read(path).map(|read| body = read)
    };
    read.map_err(|error| Failure::no(format!("failed to read {}: {}", path.display(), files::why(&error))))?;
    Ok(body)
}

fn media_type(asked: &Map, body: &[u8]) -> String {
    let by_name = match asked.payload.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Some("application/json"),
        Some("eml") => Some("message/rfc822"),
        _ => None,
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let by_letter = if first == Some(&b'{') { "application/json" } else { "application/x-www-form-urlencoded" };
    asked.media_type.clone().unwrap_or_else(|| by_name.unwrap_or(by_letter).to_owned())
}

fn show(said: &Value, out: &mut Output<'_>) -> Result<()> {
    let list = |key: &str| said[key].as_array().cloned().unwrap_or_default();
    if let Some(why) = said["refused"].as_str() {
        return Err(Failure::no(format!("nothing can be read of it: {why}")));
    }
    for event in list("ignored") {
        let line = out.paint(WEAK, &format!("no signal: {} is known, answered and counted", text(&event)));
        out.line(&line)?;
    }
    for signal in list("signals") {
        let known = if signal["provider_id"] == true { "the provider's own id" } else { "its content" };
        let line = format!("{}, recognised when sent again by {known}", text(&signal["what"]));
        let line = out.paint(GOOD, &line);
        out.line(&line)?;
        said_fields(&signal["fields"], "", out)?;
    }
    for failed in list("failed") {
        let line = format!("the expression for {} failed: {}", text(&failed["field"]), text(&failed["why"]));
        let line = out.paint(BAD, &line);
        out.line(&line)?;
    }
    let fields = list("fields");
    if !fields.is_empty() {
        out.line("")?;
        let rows = fields.iter().map(|field| {
            let becomes = field["becomes"].as_str().unwrap_or("not used").to_owned();
            vec![text(&field["path"]), short(&text(&field["value"])), becomes]
        });
        out.table(&["its field", "value", "becomes"], rows.collect())?;
    }
    let unused = fields.iter().filter(|field| field["becomes"].is_null() && field["value"] != "").count();
    if unused > 0 {
        let line = out.paint(BAD, &format!("{unused} not used"));
        out.line(&line)?;
    }
    Ok(())
}

/// What is known of a signal; what is not is left out.
fn said_fields(value: &Value, path: &str, out: &mut Output<'_>) -> Result<()> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| said_fields(value, &below(key), out)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(at, value)| said_fields(value, &below(&at.to_string()), out))
        }
        Value::Null => Ok(()),
        value => {
            let name = out.paint(STRONG, path);
            Ok(out.line(&format!("  {name} = {}", short(&text(value))))?)
        }
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN - 1).chain(['…']).collect() }
}
