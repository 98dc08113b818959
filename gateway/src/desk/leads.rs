//! Which leads are there, and why is each as it is?

use super::ask::{self, Asked, Named};
use super::auth::{Reading, Seat};
use super::cursor;
use super::error::{Kind, Result};
use axum::response::Response;
use http::StatusCode;
use lead::entry::Stage;
use lead::event::LeadView;
use lead::ids::{ChannelId, LeadId};
use lead::state::{Contact, Lead, Step};
use ledger::LeadFilter;
use serde::Serialize;

#[derive(Serialize)]
struct Page<'a> {
    leads: Vec<LeadView<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct One<'a> {
    lead: LeadView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trail: Option<&'a [Step]>,
}

/// `GET …/leads`
pub(super) async fn list(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    let asked = asked.only(&["open", "channel", "owner", "stage", "limit", "before"])?;
    let workspace = seat.workspace();
    let limit = asked.number("limit", 1..=1000, 100)?;
    let filter = LeadFilter {
        before: asked.text("before").map(|before| cursor::read_lead(workspace, before)).transpose()?,
        open: asked.flag("open")?,
        channel: asked.text("channel").map(ChannelId::new),
        owner: asked.text("owner").map(str::to_owned),
        stage: asked.word::<Stage>("stage")?,
        limit,
    };
    let found = seat.desk.ledger.leads(workspace, &filter).await?;
    let full = found.len() == limit;
    let next = found.last().filter(|_| full).map(|(last, _)| cursor::lead(workspace, (last.received_at, last.id)));
    let leads = found.iter().map(|(lead, contact)| LeadView::new(workspace, lead, contact.as_ref())).collect();
    ask::json(StatusCode::OK, &Page { leads, next })
}

/// `GET …/leads/{id}`
pub(super) async fn show(seat: Seat<Reading>, id: Named) -> Result<Response> {
    let (lead, contact) = find(&seat, &id.0).await?;
    let lead = LeadView::new(seat.workspace(), &lead, contact.as_ref());
    ask::json(StatusCode::OK, &One { lead, trail: None })
}

/// `GET …/leads/{id}/why`
pub(super) async fn why(seat: Seat<Reading>, id: Named) -> Result<Response> {
    let (lead, contact) = find(&seat, &id.0).await?;
    let view = LeadView::new(seat.workspace(), &lead, contact.as_ref());
    ask::json(StatusCode::OK, &One { lead: view, trail: Some(&lead.trail) })
}

/// What is no id names no lead either.
pub(super) async fn find<N>(seat: &Seat<N>, id: &str) -> Result<(Lead, Option<Contact>)> {
    let id = LeadId::parse(id).ok_or(Kind::NotFound)?;
    let found = seat.desk.ledger.lead(seat.workspace(), id).await?;
    found.ok_or_else(|| Kind::NotFound.into())
}
