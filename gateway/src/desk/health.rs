//! Is it alive, is it ready, what does it count? Answers from memory: asking changes nothing and waits for nothing.

use super::Desk;
use super::ask;
use super::auth::{Office, Reading};
use super::error::{Failure, Kind, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What the parts of the process last said of themselves.
#[derive(Debug, Default)]
pub struct Readiness {
    parts: RwLock<BTreeMap<String, Part>>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
struct Part {
    up: bool,
    /// Without it nothing can be taken, so the gateway is not ready.
    needed: bool,
}

impl Readiness {
    /// Not ready until [`Readiness::started`].
    pub fn new() -> Self {
        let ready = Self::default();
        ready.put("start", Part { up: false, needed: true });
        ready
    }

    /// Everything is set up.
    pub fn started(&self) {
        self.put("start", Part { up: true, needed: true });
    }

    /// Says how a part is that is shown, and without which knocks are still taken.
    pub fn note(&self, part: &str, up: bool) {
        self.put(part, Part { up, needed: false });
    }

    /// Says how a part is without which nothing can be taken.
    pub fn need(&self, part: &str, up: bool) {
        self.put(part, Part { up, needed: true });
    }

    fn put(&self, name: &str, part: Part) {
        self.parts.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), part);
    }

    fn parts(&self) -> BTreeMap<String, Part> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Serialize)]
struct Health {
    ready: bool,
    parts: BTreeMap<String, Part>,
}

/// `GET /live`
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /ready`
pub async fn ready(State(desk): State<Arc<Desk>>) -> Result<Response> {
    let health = health(&desk);
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    ask::json(status, &health)
}

fn health(desk: &Desk) -> Health {
    let mut parts = desk.ready.parts();
    let own = [("journal", desk.journal.healthy()), ("serving", !desk.stop.is_cancelled())];
    parts.extend(own.map(|(name, up)| (name.to_owned(), Part { up, needed: true })));
    Health { ready: parts.values().all(|part| part.up || !part.needed), parts }
}

/// `GET /metrics`
pub async fn metrics(office: Office<Reading>) -> Result<Response> {
    let desk = office.whole()?.desk;
    (desk.measure)();
    let (encoder, mut text) = (TextEncoder::new(), Vec::new());
    encoder.encode(&desk.registry.gather(), &mut text).map_err(|_| Failure::from(Kind::Broken))?;
    Ok(([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response())
}
