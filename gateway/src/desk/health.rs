//! Is it alive, is it ready, what does it count? Answers from memory: asking changes nothing and waits for nothing.

use super::Desk;
use super::ask;
use super::auth::{Office, Reading};
use super::error::{Failure, Kind, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus::{Encoder, Registry, TextEncoder};
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

    /// What was said, and what is known without being told.
    pub(super) fn health(&self, known: &[(&str, bool)]) -> Health {
        let mut parts = self.parts.read().unwrap_or_else(PoisonError::into_inner).clone();
        parts.extend(known.iter().map(|(name, up)| ((*name).to_owned(), Part { up: *up, needed: true })));
        Health { ready: parts.values().all(|part| part.up || !part.needed), parts }
    }
}

#[derive(Serialize)]
pub(super) struct Health {
    ready: bool,
    parts: BTreeMap<String, Part>,
}

impl Health {
    pub(super) fn answer(&self) -> Result<Response> {
        let status = if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        ask::json(status, self)
    }
}

/// `GET /live`
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /ready`
pub async fn ready(State(desk): State<Arc<Desk>>) -> Result<Response> {
    health(&desk).answer()
}

fn health(desk: &Desk) -> Health {
    desk.ready.health(&[("journal", desk.journal.healthy()), ("serving", !desk.stop.is_cancelled())])
}

/// `GET /metrics`
pub async fn metrics(office: Office<Reading>) -> Result<Response> {
    let desk = office.whole()?.desk;
    (desk.measure)();
    exposition(&desk.registry)
}

/// Every series, as Prometheus reads them.
pub(super) fn exposition(registry: &Registry) -> Result<Response> {
    let (encoder, mut text) = (TextEncoder::new(), Vec::new());
    encoder.encode(&registry.gather(), &mut text).map_err(|_| Failure::from(Kind::Broken))?;
    Ok(([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response())
}
