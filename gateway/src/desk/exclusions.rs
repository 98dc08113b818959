//! Whom do we keep out of the leads? The list of the workspace file and the lines added at run time.
//!
//! The list is ordered by the normal form of its lines. A line that stands in both places is shown as the file's,
//! because only an edit of the file removes it.

use super::ask::{self, Asked, Long, Told};
use super::auth::{Managing, Reading, Seat};
use super::cursor;
use super::error::{Failure, Kind, Result, WrongLine};
use super::feedback::short;
use super::orders;
use axum::response::Response;
use http::StatusCode;
use lead::entry::Order;
use lead::identity::Matcher;
use lead::phone::Region;
use lead::record::Key;
use lead::rules::Rules;
use lead::state::Exclusion;
use lead::time::At;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Line {
    r#match: String,
    reason: String,
    origin: &'static str,
    by: Option<String>,
    at: Option<At>,
    expires_at: Option<At>,
}

#[derive(Serialize)]
struct Page {
    exclusions: Vec<Line>,
    next: Option<String>,
}

/// `GET …/exclusions`
pub(super) async fn list(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    let asked = asked.only(&["after", "limit"])?;
    let limit = asked.number("limit", 1..=1000, 100)?;
    let after = asked.text("after").map(|after| cursor::read_name(seat.workspace(), after)).transpose()?;
    let added = seat.desk.ledger.exclusions(seat.workspace(), after.as_deref(), limit).await?;
    let exclusions = merge(&seat.view.rules, after.as_deref(), added, limit);
    let full = exclusions.len() == limit;
    let next = exclusions.last().filter(|_| full).map(|last| cursor::name(seat.workspace(), &last.r#match));
    ask::json(StatusCode::OK, &Page { exclusions, next })
}

fn merge(rules: &Rules, after: Option<&str>, added: Vec<Exclusion>, limit: usize) -> Vec<Line> {
    let added = added.into_iter().map(|one| Line {
        r#match: one.matcher,
        reason: one.reason,
        origin: "desk",
        by: Some(one.by),
        at: Some(one.at),
        expires_at: one.expires_at,
    });
    let listed = rules.exclusions.iter().map(|one| Line {
        r#match: one.matcher.to_string(),
        reason: one.reason.clone(),
        origin: "file",
        by: None,
        at: None,
        expires_at: one.expires,
    });
    let listed = listed.filter(|line| after.is_none_or(|after| line.r#match.as_str() > after));
    let all: BTreeMap<String, Line> = added.chain(listed).map(|line| (line.r#match.clone(), line)).collect();
    all.into_values().take(limit).collect()
}

/// One line as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    r#match: String,
    reason: String,
    #[serde(default)]
    expires_at: Option<At>,
    /// The last day it holds.
    #[serde(default)]
    expires: Option<String>,
}

impl Wanted {
    fn order(self, rules: &Rules, now: At) -> std::result::Result<Order, Cow<'static, str>> {
        let matcher = matcher(&self.r#match, rules.region)?;
        if short("reason", Some(&self.reason), 500).is_err() {
            return Err("`reason`: expected 1 to 500 characters and no control characters".into());
        }
        let (name, expires_at) = match (&self.expires, self.expires_at) {
            (Some(_), Some(_)) => return Err("either `expires` or `expires_at`, not both".into()),
            (Some(day), None) => {
                let end = rules.calendar.end_of(day);
                ("expires", Some(end.ok_or("`expires`: expected a day like 2027-12-31")?))
            }
            (None, moment) => ("expires_at", moment),
        };
        if expires_at.is_some_and(|until| until <= now) {
            return Err(format!("`{name}` is past").into());
        }
        Ok(Order::Exclude { matcher, reason: self.reason, expires_at })
    }
}

/// The normal form, under which it is stored and looked for.
fn matcher(text: &str, region: Region) -> std::result::Result<String, &'static str> {
    if text.len() > 400 {
        return Err("`match` is too long");
    }
    Matcher::parse(text, region).map(|matcher| matcher.to_string())
}

/// `POST …/exclusions`
pub(super) async fn exclude(seat: Seat<Managing>, Told(wanted): Told<Wanted>) -> Result<Response> {
    let order = wanted.order(&seat.view.rules, seat.desk.now.now()).map_err(Failure::invalid)?;
    orders::give(&seat, order).await
}

/// `DELETE …/exclusions?match=…`
pub(super) async fn include(seat: Seat<Managing>, asked: Asked) -> Result<Response> {
    let asked = asked.only(&["match"])?;
    let text = asked.text("match").ok_or_else(|| Failure::invalid("`match` is missing"))?;
    let matcher = matcher(text, seat.view.rules.region).map_err(Failure::invalid)?;
    if !is_added(&seat, &matcher).await? {
        return Err(if is_listed(&seat.view.rules, &matcher) {
            Failure::new(Kind::Conflict, "this line stands in the workspace file; remove it there")
        } else {
            Failure::new(Kind::NotFound, "this is not excluded")
        });
    }
    orders::give(&seat, Order::Include { matcher }).await
}

fn is_listed(rules: &Rules, matcher: &str) -> bool {
    rules.exclusions.iter().any(|one| one.matcher.to_string() == matcher)
}

async fn is_added<N>(seat: &Seat<N>, matcher: &str) -> Result<bool> {
    let key = Key::Exclusion(matcher.to_owned());
    let found = seat.desk.ledger.fetch(seat.workspace(), &[key]).await?;
    Ok(found.into_iter().flatten().next().is_some())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    entries: Vec<Wanted>,
}

/// Wrong lines told one by one; the rest are only counted.
const MOST_TOLD: usize = 1_000;

/// `POST …/exclusions/import`: all or nothing.
pub(super) async fn import(seat: Seat<Managing>, Long(import): Long<Import>) -> Result<Response> {
    let (count, most) = (import.entries.len(), seat.desk.limits.import_lines);
    if !(1..=most).contains(&count) {
        return Err(Failure::invalid(format!("`entries`: expected 1 to {most} lines")));
    }
    let (rules, now) = (Arc::clone(&seat.view.rules), seat.desk.now.now());
    let checked = tokio::task::spawn_blocking(move || check(import.entries, &rules, now)).await;
    let orders = checked.map_err(|_| Kind::Broken)??;
    let row = |order| orders::command(seat.workspace(), &seat.caller.name, now, order);
    let rows = orders.into_iter().map(row).collect();
    seat.desk.journal.append(rows).await?;
    ask::json(StatusCode::ACCEPTED, &serde_json::json!({ "accepted": count }))
}

fn check(lines: Vec<Wanted>, rules: &Rules, now: At) -> Result<Vec<Order>> {
    let (count, mut orders, mut wrong) = (lines.len(), Vec::with_capacity(lines.len()), Vec::new());
    for (index, wanted) in lines.into_iter().enumerate() {
        match wanted.order(rules, now) {
            Ok(order) => orders.push(order),
            Err(error) => wrong.push(WrongLine { line: index + 1, error }),
        }
    }
    if wrong.is_empty() {
        return Ok(orders);
    }
    let told = format!("{} of {count} lines are wrong; nothing was imported", wrong.len());
    wrong.truncate(MOST_TOLD);
    Err(Failure::lines(told, wrong))
}
