//! Why is a lead as it is? Found by its id, or by the end of it, in whichever workspace it lives.

use super::desk_client::{Desk, Said};
use super::failure::{Failure, Result};
use super::output::Output;
use super::tail_line::SHORT;
use super::why_words;
use clap::Args;
use hyper::StatusCode;
use lead::ids::LeadId;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  leadgate why 06c8d0u1v2g3h4i5j6a7b8c9d0\n  leadgate why a7b8c9d0   # as `leadgate tail` shows it"
)]
pub(crate) struct Asked {
    /// The id of a lead, or at least its last 8 characters if it is one of the newest thousand
    #[arg(value_name = "LEAD")]
    lead: String,
    /// The workspace [default: all are asked]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

pub(crate) async fn run(desk: &Desk, asked: &Asked, out: &mut Output<'_>) -> Result<()> {
    let typed = asked.lead.to_ascii_lowercase();
    let spaces = match &asked.workspace {
        Some(one) => vec![one.clone()],
        None => desk.workspaces().await?,
    };
    let said = if LeadId::parse(&typed).is_some() {
        whole(desk, &spaces, &typed).await?
    } else {
        by_end(desk, &spaces, &typed).await?
    };
    match said {
        Some(said) if out.json => Ok(out.raw(&said.raw)?),
        Some(said) => Ok(out.line(why_words::explain(&said.json).trim_end())?),
        None => Err(Failure::no(format!("there is no lead {} in {}", asked.lead, spaces.join(", ")))),
    }
}

async fn whole(desk: &Desk, spaces: &[String], id: &str) -> Result<Option<Said>> {
    for space in spaces {
        match desk.get(&["v1", "workspaces", space, "leads", id, "why"], &[]).await {
            Ok(said) => return Ok(Some(said)),
            Err(failure) if failure.status == Some(StatusCode::NOT_FOUND) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

async fn by_end(desk: &Desk, spaces: &[String], end: &str) -> Result<Option<Said>> {
    if end.len() < SHORT || !end.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::usage(format!(
            "an id of a lead has 26 letters and digits; its last {SHORT} or more are enough for a new one"
        )));
    }
    let mut found = Vec::new();
    for space in spaces {
        let page = desk.get(&["v1", "workspaces", space, "leads"], &[("limit", "1000")]).await?.json;
        let leads = page["leads"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids = leads.iter().filter_map(|lead| lead["id"].as_str()).filter(|id| id.ends_with(end));
        found.extend(ids.map(|id| (space.clone(), id.to_owned())));
    }
    match found.as_slice() {
        [] => Ok(None),
        [(space, id)] => whole(desk, std::slice::from_ref(space), id).await,
        several => {
            let ids: Vec<&str> = several.iter().map(|(_, id)| id.as_str()).collect();
            Err(Failure::no(format!("several leads end like this: {}", ids.join(", "))))
        }
    }
}
