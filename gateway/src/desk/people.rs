//! Who is at work, and whose lead is it? Orders about people.

use super::ask::{Named, Told};
use super::auth::{Managing, Seat};
use super::error::{Failure, Kind, Result};
use super::feedback::short;
use super::{leads, orders};
use axum::response::Response;
use lead::entry::Order;
use lead::ids::PersonId;
use lead::state::Lead;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presence {
    present: bool,
}

/// `POST …/people/{id}/presence`
pub(super) async fn presence(seat: Seat<Managing>, id: Named, Told(said): Told<Presence>) -> Result<Response> {
    let person = seat.view.rules.person(&PersonId::new(&id.0)).ok_or(Kind::NotFound)?.id.clone();
    orders::give(&seat, Order::Presence { person, present: said.present }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    person: String,
    reason: String,
}

/// `POST …/leads/{id}/owner`
pub(super) async fn reassign(seat: Seat<Managing>, id: Named, Told(said): Told<Owner>) -> Result<Response> {
    short("reason", Some(&said.reason), 2_000)?;
    let (lead, _) = leads::find(&seat, &id.0).await?;
    let person = seat.view.rules.person(&PersonId::new(&said.person)).map(|person| person.id.clone());
    let order = order(&lead, person, said.reason)?;
    orders::give(&seat, order).await
}

fn order(lead: &Lead, person: Option<PersonId>, reason: String) -> Result<Order> {
    let person = person.ok_or_else(|| Failure::invalid("`person`: nobody of this workspace has this id"))?;
    if !lead.is_open() {
        return Err(Failure::new(Kind::Conflict, "the lead is closed"));
    }
    Ok(Order::Reassign { lead: lead.id, person, reason })
}
