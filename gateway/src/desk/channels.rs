//! Which workspaces and entrances are there, and who answers for each?

use super::ask::{self, Asked};
use super::auth::{Office, Reading, Scope, Seat};
use super::books::is_proven;
use super::error::Result;
use crate::channel::Channel;
use axum::response::Response;
use http::StatusCode;
use lead::entry::Kind;
use lead::ids::{ChannelId, PersonId, WorkspaceId};
use lead::rules::Rules;
use lead::time::At;
use serde::Serialize;

#[derive(Serialize)]
struct Workspaces {
    workspaces: Vec<Workspace>,
}

#[derive(Serialize)]
struct Workspace {
    id: WorkspaceId,
    name: String,
    rules: String,
    channels: usize,
}

/// `GET /v1/workspaces`
pub(super) async fn workspaces(office: Office<Reading>, asked: Asked) -> Result<Response> {
    asked.only(&[])?;
    let all = office.desk.workspaces.load_full();
    let seen = all.values().filter(|view| office.caller.sees(&view.rules.workspace)).map(|view| Workspace {
        id: view.rules.workspace.clone(),
        name: view.rules.name.clone(),
        rules: view.rules.version.clone(),
        channels: view.channels.len(),
    });
    ask::json(StatusCode::OK, &Workspaces { workspaces: seen.collect() })
}

#[derive(Serialize)]
struct Channels<'a> {
    channels: Vec<View<'a>>,
}

#[derive(Serialize)]
struct View<'a> {
    id: &'a ChannelId,
    source: &'a str,
    kind: Option<Kind>,
    address: Option<&'a str>,
    responsible: Option<&'a PersonId>,
    skill: Option<&'a str>,
    language: Option<&'a str>,
    campaign: Option<&'a str>,
    /// Where the provider sends. With a key in it, it is a secret and for those who manage.
    url: Option<&'a str>,
    /// Has a secret to verify with.
    secret: bool,
    /// Something came through it, not counting our own tests.
    proven: bool,
    waiting: Waiting,
}

#[derive(Serialize)]
struct Waiting {
    leads: u64,
    oldest_at: Option<At>,
}

/// `GET …/channels`
pub(super) async fn list(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    asked.only(&[])?;
    let waiting = seat.desk.ledger.waiting(seat.workspace()).await?;
    let books = seat.desk.ledger.books(seat.workspace()).await?;
    let manages = seat.caller.may(Scope::Manage);
    let views = seat.view.channels.iter().map(|channel| {
        let (leads, oldest_at) = waiting.get(&channel.id).map_or((0, None), |(leads, at)| (*leads, Some(*at)));
        let proven = is_proven(books.get(&channel.id));
        view(&seat.view.rules, channel, manages, proven, Waiting { leads, oldest_at })
    });
    ask::json(StatusCode::OK, &Channels { channels: views.collect() })
}

fn view<'a>(rules: &'a Rules, channel: &'a Channel, manages: bool, proven: bool, waiting: Waiting) -> View<'a> {
    let domain = rules.channels.get(&channel.id);
    View {
        id: &channel.id,
        source: channel.source,
        kind: domain.map(|domain| domain.kind),
        address: channel.address.as_deref(),
        responsible: domain.map(|domain| &domain.responsible),
        skill: domain.and_then(|domain| domain.skill.as_deref()),
        language: domain.and_then(|domain| domain.language.as_deref()),
        campaign: domain.and_then(|domain| domain.campaign.as_deref()),
        url: (manages || channel.url_key.is_none()).then_some(channel.url.as_str()),
        secret: !channel.secrets.is_empty(),
        proven,
        waiting,
    }
}
