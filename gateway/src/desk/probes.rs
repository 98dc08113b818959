//! What does a process say of itself that has no desk? Live, ready and metrics; nothing of any lead.

use super::error::{Failure, Kind, Result};
use super::health::{self, Readiness};
use super::service;
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::server::{self, Edge};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use prometheus::Registry;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Clone)]
struct Probed {
    ready: Arc<Readiness>,
    registry: Registry,
}

/// Serves `/live`, `/ready` and `/metrics` until stopped.
pub async fn probes(
    listener: TcpListener,
    ready: Arc<Readiness>,
    registry: Registry,
    limits: Limits,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/live", get(health::live))
        .route("/ready", get(ready_now))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(|| async { Failure::from(Kind::Method) })
        .fallback(|| async { Failure::from(Kind::NotFound) })
        .with_state(Probed { ready, registry });
    let metrics = Metrics::new(&Registry::new());
    let edge = Arc::new(Edge { name: "workers", limits, trusted_proxies: Vec::new(), tls: None, metrics });
    let tasks = TaskTracker::new();
    server::serve(listener, edge, |peer| service(router.clone(), peer, tasks.clone()), stop).await;
}

async fn ready_now(State(probed): State<Probed>) -> Result<Response> {
    probed.ready.health(&[]).answer()
}

async fn metrics(State(probed): State<Probed>) -> Result<Response> {
    health::exposition(&probed.registry)
}
