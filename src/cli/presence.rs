//! Who is at work? Whoever is absent gets no new leads until he is back.

use super::Within;
use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::Output;
use clap::{Args, ValueEnum};
use hyper::StatusCode;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  leadgate presence ivan absent\n  leadgate presence ivan present")]
pub(crate) struct Presence {
    /// The id of a person of the workspace
    #[arg(value_name = "PERSON")]
    person: String,
    /// Whether he is at work
    state: State,
    #[command(flatten)]
    within: Within,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum State {
    /// Gets leads
    Present,
    /// Gets none
    Absent,
}

pub(crate) async fn run(desk: &Desk, asked: &Presence, out: &mut Output<'_>) -> Result<()> {
    let workspace = desk.workspace(asked.within.asked()).await?;
    let present = matches!(asked.state, State::Present);
    let path = ["v1", "workspaces", &workspace, "people", &asked.person, "presence"];
    let said = desk.post(&path, Some(&json!({ "present": present }))).await;
    let said = said.map_err(|failure| unknown(failure, &asked.person, &workspace))?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    let becomes = if present { "is present and gets leads again" } else { "is absent and gets no new leads" };
    Ok(out.line(&format!("{} {becomes}", asked.person))?)
}

fn unknown(failure: Failure, person: &str, workspace: &str) -> Failure {
    failure.when(StatusCode::NOT_FOUND, || {
        format!("the workspace {workspace} has nobody with the id {person}; ids stand in its file under [[person]]")
    })
}
