//! How is everything copied while it runs? By the running product, into a new folder on its machine.

use super::desk_client::{Ask, Desk};
use super::failure::{Failure, Result};
use super::output::Output;
use clap::Args;
use hyper::Method;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a copy.
const TIME: Duration = Duration::from_hours(1);

#[derive(Debug, Args)]
#[command(after_help = "The folder is made on the machine of the desk and must be new or empty. It holds personal \
                        data: keep it as safe as the data folder. With Redis it holds the whole store and the journal \
                        of the gateway that is asked.\n\nExample:\n  leadgate backup /var/backups/leadgate/2026-11-21")]
pub(crate) struct Backup {
    /// Where to, on the machine of the desk
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) async fn run(desk: &Desk, asked: &Backup, out: &mut Output<'_>) -> Result<()> {
    let folder = std::path::absolute(&asked.folder).map_err(|_| Failure::usage("the folder has no name"))?;
    let body = json!({ "folder": folder });
    let path = ["v1", "backup"];
    let said = desk.ask(Ask { method: Method::POST, path: &path, query: &[], body: Some(&body), time: TIME }).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    Ok(out.line(&format!("everything is copied into {} on the machine of the desk", folder.display()))?)
}
