//! Which paths does the desk have? One table; each row with the longest time its answer may take.

use super::error::{Failure, Kind};
use super::{Desk, aside, backup, books, channels, console, events, exclusions, feedback, health, leads, openapi};
use super::{mapping, people, sample, wiring};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::header::{self, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

type Row = (&'static str, MethodRouter<Arc<Desk>>);

/// The desk's routes over its state.
pub fn router(desk: Arc<Desk>) -> Router {
    let limits = &desk.limits;
    let mut router = Router::new();
    for (path, methods) in plain() {
        router = router.route(path, within(methods, limits.request_time));
    }
    let slow = [
        ("/v1/workspaces/{w}/events", get(events::read), limits.request_time + limits.wait),
        ("/v1/workspaces/{w}/exclusions/import", post(exclusions::import), limits.request_time + limits.body_time),
        ("/v1/backup", post(backup::backup), limits.backup_time),
    ];
    for (path, methods, time) in slow {
        router = router.route(path, within(methods, time));
    }
    router
        .method_not_allowed_fallback(|| async { Failure::from(Kind::Method) })
        .fallback(|| async { Failure::from(Kind::NotFound) })
        .layer(from_fn_with_state(Arc::clone(&desk), count))
        .layer(map_response(seal))
        .with_state(desk)
}

fn plain() -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        ("/live", get(health::live)),
        ("/ready", get(health::ready)),
        ("/metrics", get(health::metrics)),
        ("/openapi.json", get(openapi::document)),
        ("/", get(console::page)),
        ("/console.js", get(console::script)),
        ("/console.css", get(console::style)),
        ("/v1/workspaces", get(channels::workspaces)),
    ];
    rows.extend(of_leads());
    rows.extend(of_upkeep());
    rows
}

fn of_leads() -> [Row; 12] {
    [
        ("/v1/workspaces/{w}/consumers/{name}/ack", post(events::acknowledge)),
        ("/v1/workspaces/{w}/leads", get(leads::list)),
        ("/v1/workspaces/{w}/leads/{id}", get(leads::show)),
        ("/v1/workspaces/{w}/leads/{id}/why", get(leads::why)),
        ("/v1/workspaces/{w}/leads/{id}/feedback", post(feedback::give)),
        ("/v1/workspaces/{w}/leads/{id}/owner", post(people::reassign)),
        ("/v1/workspaces/{w}/people/{id}/presence", post(people::presence)),
        ("/v1/workspaces/{w}/channels", get(channels::list)),
        ("/v1/workspaces/{w}/channels/{c}/sample", post(sample::make)),
        ("/v1/workspaces/{w}/channels/{c}/wiring", get(wiring::show)),
        ("/v1/workspaces/{w}/channels/{c}/map", post(mapping::map)),
        ("/v1/workspaces/{w}/books", get(books::show)),
    ]
}

fn of_upkeep() -> [Row; 7] {
    [
        ("/v1/workspaces/{w}/exclusions", get(exclusions::list).post(exclusions::exclude).delete(exclusions::include)),
        ("/v1/workspaces/{w}/dead", get(aside::dead)),
        ("/v1/workspaces/{w}/dead/{uid}", get(aside::dead_one)),
        ("/v1/workspaces/{w}/dead/{uid}/retry", post(aside::retry)),
        ("/v1/workspaces/{w}/quarantine", get(aside::quarantine)),
        ("/v1/workspaces/{w}/quarantine/{uid}", get(aside::quarantine_one)),
        ("/v1/workspaces/{w}/quarantine/{uid}/release", post(aside::release)),
    ]
}

fn within(methods: MethodRouter<Arc<Desk>>, time: Duration) -> MethodRouter<Arc<Desk>> {
    methods.layer(from_fn(move |request: Request, next: Next| async move {
        match tokio::time::timeout(time, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Failure::from(Kind::Late).into_response(),
        }
    }))
}

/// By the path's pattern, so that no caller can make a new series.
async fn count(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let class = match response.status().as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    desk.requests.with_label_values(&[path, class]).inc();
    response
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Nothing here is to be cached, guessed at, framed or told to the next site.
async fn seal(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
