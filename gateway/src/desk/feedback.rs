//! What became of a lead? A consumer's word, journalled like a knock of the lead's own channel.

use super::ask::{Named, Told};
use super::auth::{Reporting, Seat};
use super::error::{Failure, Kind, Result};
use super::{leads, orders};
use axum::response::Response;
use http::HeaderMap;
use lead::entry::{CloseAs, Feedback, Outcome, Signal, Stage};
use lead::ids::{LeadId, Uid};
use lead::state::Lead;
use lead::time::At;
use serde::Deserialize;

/// The body; which fields fit depends on `type`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    r#type: What,
    #[serde(default)]
    at: Option<At>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    stage: Option<Stage>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(default)]
    outcome: Option<CloseAs>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Attempt,
    Contact,
    Stage,
    Outcome,
}

/// `POST …/leads/{id}/feedback`
pub(super) async fn give(
    seat: Seat<Reporting>,
    id: Named,
    headers: HeaderMap,
    Told(said): Told<Said>,
) -> Result<Response> {
    let key = key(&headers)?.map(str::to_owned);
    let (lead, _) = leads::find(&seat, &id.0).await?;
    let now = seat.desk.now.now();
    let feedback = feedback(lead.id, said, now)?;
    let uid = key.map_or_else(|| orders::fresh(now), |key| derived(&lead, &key));
    let signal = Signal::Feedback(Box::new(feedback));
    orders::accept(&seat.desk, orders::row(seat.workspace(), &lead.channel, now, uid, signal)).await
}

/// The same key for the same lead is the same report, however often it is sent.
fn derived(lead: &Lead, key: &str) -> Uid {
    Uid::derived(lead.channel.as_str(), &format!("feedback:{key}"), &lead.id.to_string())
}

fn key(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let fits = |text: &&str| (1..=255).contains(&text.len());
    match key.to_str().ok().filter(fits) {
        Some(key) if keys.next().is_none() => Ok(Some(key)),
        _ => Err(Failure::new(Kind::Invalid, "`Idempotency-Key`: expected one value of 1 to 255 ASCII characters")),
    }
}

fn feedback(lead: LeadId, said: Said, now: At) -> Result<Feedback> {
    let Said { r#type: what, at, by, stage, reason, value, outcome } = said;
    short("by", by.as_deref(), 200)?;
    short("reason", reason.as_deref(), 2_000)?;
    let other = |given: bool, name, belongs| match given {
        true => Err(Failure::invalid(format!("`{name}` belongs to type {belongs}"))),
        false => Ok(()),
    };
    other(stage.is_some() && matches!(what, What::Attempt | What::Contact), "stage", "`stage` or `outcome`")?;
    other(outcome.is_some() && what != What::Outcome, "outcome", "`outcome`")?;
    other(value.is_some() && what != What::Outcome, "value", "`outcome`")?;
    other(reason.is_some() && matches!(what, What::Attempt | What::Contact), "reason", "`stage` or `outcome`")?;
    let what = match (what, stage, outcome) {
        (What::Attempt, ..) => Outcome::Attempt,
        (What::Contact, ..) => Outcome::Contact,
        (What::Stage, Some(stage), _) => Outcome::Stage { stage, reason },
        (What::Stage, None, _) => return Err(Failure::invalid("`stage` is missing")),
        (What::Outcome, stage, outcome) => Outcome::Closed { outcome: closed(stage, outcome)?, reason, value },
    };
    Ok(Feedback { lead, at: at.unwrap_or(now), by, what })
}

/// How a lead ended is the stage it ended in; `outcome` is another name for it.
fn closed(stage: Option<Stage>, outcome: Option<CloseAs>) -> Result<CloseAs> {
    let ended = match stage {
        Some(Stage::Converted) => Some(CloseAs::Converted),
        Some(Stage::Rejected) => Some(CloseAs::Rejected),
        Some(_) => return Err(Failure::invalid("`stage`: expected `converted` or `rejected` for an outcome")),
        None => None,
    };
    match (ended, outcome) {
        (_, Some(CloseAs::Expired)) => {
            Err(Failure::invalid("`outcome`: expected `converted` or `rejected`; a lead expires by itself"))
        }
        (Some(one), Some(other)) if one != other => {
            Err(Failure::invalid("`stage` and `outcome` contradict each other"))
        }
        (Some(ended), _) | (None, Some(ended)) => Ok(ended),
        (None, None) => Err(Failure::invalid("`stage` is missing: `converted` or `rejected`")),
    }
}

/// Words of people are short and hold no control characters.
pub(super) fn short(name: &str, text: Option<&str>, most: usize) -> Result<()> {
    let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= most && !text.contains(char::is_control);
    if text.is_none_or(fits) {
        return Ok(());
    }
    Err(Failure::invalid(format!("`{name}`: expected 1 to {most} characters and no control characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> std::result::Result<Outcome, String> {
        let said = super::super::ask::parse::<Said>(body.as_bytes()).map_err(|failure| format!("{failure:?}"))?;
        let lead = Uid::derived("a", "b", "c").lead();
        feedback(lead, said, At::from_secs(9)).map(|one| one.what).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn each_type_takes_its_own_fields() {
        let reason = Some("too far".to_owned());
        for (body, means) in [
            (r#"{"type": "attempt", "at": "2026-11-21T10:00:00Z", "by": "ivan"}"#, Outcome::Attempt),
            (r#"{"type": "contact", "stage": null}"#, Outcome::Contact),
            (
                r#"{"type": "stage", "stage": "no_answer", "reason": "too far"}"#,
                Outcome::Stage { stage: Stage::NoAnswer, reason: reason.clone() },
            ),
            (
                r#"{"type": "outcome", "stage": "converted", "value": 7}"#,
                Outcome::Closed { outcome: CloseAs::Converted, reason: None, value: Some(7.0) },
            ),
            (
                r#"{"type": "outcome", "outcome": "rejected", "reason": "too far", "value": -1.5}"#,
                Outcome::Closed { outcome: CloseAs::Rejected, reason, value: Some(-1.5) },
            ),
        ] {
            assert_eq!(read(body), Ok(means), "{body}");
        }
    }

    #[test]
    fn what_does_not_fit_its_type_is_refused_with_the_reason() {
        for (body, says) in [
            (r#"{"type": "attempt", "stage": "new"}"#, "`stage` belongs to type `stage` or `outcome`"),
            (r#"{"type": "contact", "value": 1}"#, "`value` belongs to type `outcome`"),
            (r#"{"type": "contact", "reason": "x"}"#, "`reason` belongs to type `stage` or `outcome`"),
            (r#"{"type": "stage"}"#, "`stage` is missing"),
            (r#"{"type": "stage", "stage": "new", "outcome": "converted"}"#, "`outcome` belongs to type `outcome`"),
            (r#"{"type": "outcome"}"#, "`stage` is missing: `converted` or `rejected`"),
            (r#"{"type": "outcome", "stage": "nurture"}"#, "expected `converted` or `rejected`"),
            (r#"{"type": "outcome", "stage": "rejected", "outcome": "converted"}"#, "contradict each other"),
            (r#"{"type": "outcome", "outcome": "expired"}"#, "a lead expires by itself"),
            (r#"{"type": "sale"}"#, "expected one of `attempt`, `contact`, `stage`, `outcome`"),
            (r#"{"type": "attempt", "at": "yesterday"}"#, "expected an RFC 3339 time"),
            (r#"{"type": "attempt", "by": ""}"#, "`by`: expected 1 to 200 characters"),
            (r#"{"type": "attempt", "by": "a\nb"}"#, "`by`: expected 1 to 200 characters"),
            (r#"{"type": "attempt", "lead": "x"}"#, "unknown field"),
        ] {
            let said = read(body).unwrap_err();
            assert!(said.contains(says), "{body}: {said}");
        }
    }
}
