//! How does the desk meet the accept loop? The router as a hyper service, one for each connection.

use super::auth::Peer;
use super::error::{Failure, Kind};
use super::{Desk, router};
use crate::config;
use crate::metrics::Metrics;
use crate::server::{self, Edge};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The router for the connection of one peer.
#[derive(Clone, Debug)]
pub struct DeskService {
    router: Router,
    peer: IpAddr,
    tasks: TaskTracker,
}

/// `tasks` takes the requests that change something: they end when they are done, not when the client hangs up.
pub fn service(router: Router, peer: IpAddr, tasks: TaskTracker) -> DeskService {
    DeskService { router, peer, tasks }
}

impl Service<Request<Incoming>> for DeskService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(self.peer));
        let changes = !request.method().is_safe();
        let answer = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        let answer = answer.map(|answer| match answer {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => Failure::from(Kind::Broken).into_response(),
        });
        if !changes {
            return Box::pin(answer.map(Ok));
        }
        let task = self.tasks.spawn(answer);
        Box::pin(task.map(|done| Ok(done.unwrap_or_else(|_| Failure::from(Kind::Broken).into_response()))))
    }
}

/// Serves the desk until stopped; returns when its handlers have finished or the drain time is over.
pub async fn run(
    listener: TcpListener,
    desk: Arc<Desk>,
    limits: config::Limits,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let (router, tasks, drain) = (router(Arc::clone(&desk)), TaskTracker::new(), limits.drain_time.0);
    let edge = Arc::new(Edge { name: "desk", limits, trusted_proxies: Vec::new(), tls: None, metrics });
    let make = |peer| service(router.clone(), peer, tasks.clone());
    let ending = async {
        stop.cancelled().await;
        desk.stop.cancel();
    };
    tokio::join!(server::serve(listener, edge, make, stop.clone()), ending);
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(name: "desk.cut", handlers = tasks.len(), "handlers outlived the drain time");
    }
}
