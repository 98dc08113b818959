//! Which paths does the public listener have? A route table by hand: `/in/…`, `/embed.js`, `/live`, `/demo`. Nothing on
//! it reveals a lead.

#[doc(hidden)]
pub mod fuzzing;

use crate::channels::Lookup;
use crate::config::Config;
use crate::demo;
use crate::embed;
use crate::knock::{self, Door};
use crate::problem::Refused;
use crate::reply::{self, Reply};
use crate::server::{self, Edge};
use crate::state::Gateway;
use crate::tls::{Tls, TlsError};
use http::header::HOST;
use http::request::Parts;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::service::Service;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Serves the public listener until stopped; returns when every handler has finished or the drain time is over.
pub async fn run(listener: TcpListener, gateway: Arc<Gateway>, stop: CancellationToken) -> Result<(), TlsError> {
    let config = &gateway.config;
    let tls = config.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    let edge = Arc::new(Edge {
        name: "public",
        limits: config.limits.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        tls: tls.clone(),
        metrics: gateway.metrics.clone(),
    });
    let make = |peer| Public { gateway: Arc::clone(&gateway), peer };
    let chores = async {
        tokio::join!(sweep(&gateway, stop.clone()), watch(tls, stop.clone()));
    };
    tokio::join!(server::serve(listener, edge, make, stop.clone()), chores);
    gateway.tasks.close();
    if timeout(config.limits.drain_time.0, gateway.tasks.wait()).await.is_err() {
        tracing::warn!(handlers = gateway.tasks.len(), "public.cut: handlers outlived the drain time");
    }
    Ok(())
}

async fn watch(tls: Option<Arc<Tls>>, stop: CancellationToken) {
    if let Some(tls) = tls {
        tls.watch(stop).await;
    }
}

async fn sweep(gateway: &Gateway, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(10))).await.is_some() {
        gateway.admission.sweep();
    }
}

/// The service of one connection.
#[derive(Debug)]
struct Public {
    gateway: Arc<Gateway>,
    peer: IpAddr,
}

impl Service<Request<Incoming>> for Public {
    type Response = Reply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

    /// The handler is a task of its own: it ends when it is done, not when the client hangs up.
    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (gateway, peer) = (Arc::clone(&self.gateway), self.peer);
        let handler = {
            let gateway = Arc::clone(&gateway);
            self.gateway.tasks.spawn(async move { handle(&gateway, peer, request).await })
        };
        Box::pin(async move {
            let reply = match timeout(gateway.config.limits.request_time.0, handler).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) => refuse(&gateway, Refused::Broken),
                Err(_) => refuse(&gateway, Refused::Late),
            };
            Ok(reply::seal(reply))
        })
    }
}

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Knock(Door<'a>),
    Live,
    Script,
    Demo,
    Nothing,
}

fn route(path: &str) -> Route<'_> {
    match path {
        "/live" => Route::Live,
        "/embed.js" => Route::Script,
        "/demo" => Route::Demo,
        _ if !is_plain(path) => Route::Nothing,
        _ => path.strip_prefix("/in/").map_or(Route::Nothing, |door| Route::Knock(self::door(door))),
    }
}

fn door(text: &str) -> Door<'_> {
    let (name, rest) = text.split_once('/').unwrap_or((text, ""));
    let (channel, key) = name.split_once('.').map_or((name, None), |(channel, key)| (channel, Some(key)));
    Door { channel, key, rest }
}

/// Only what we hand out ourselves: no escapes, no parameters, no empty or climbing segments. What a proxy in front
/// might read differently is not read at all.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let segment = |one: &str| !one.is_empty() && one != "." && one != ".." && one.bytes().all(plain);
    path.strip_prefix('/').is_some_and(|rest| rest.strip_suffix('/').unwrap_or(rest).split('/').all(segment))
}

async fn handle(gateway: &Gateway, peer: IpAddr, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let route = match check(&gateway.config, &parts) {
        Ok(()) => route(path),
        // A load balancer asks by address.
        Err(Refused::Host) if path == "/live" => Route::Live,
        Err(refused) => return refuse(gateway, refused),
    };
    match route {
        Route::Knock(door) => knock::knock(gateway, peer, door, &parts, body).await,
        Route::Live => page(gateway, &parts, || reply::body("ok\n", "text/plain; charset=utf-8")),
        Route::Script => page(gateway, &parts, || embed::script(&parts.headers)),
        Route::Demo if has_demo(gateway) => page(gateway, &parts, || demo::page(parts.uri.query().unwrap_or(""))),
        Route::Demo | Route::Nothing => refuse(gateway, Refused::NotFound),
    }
}

/// What the head of any request must keep to.
fn check(config: &Config, parts: &Parts) -> Result<(), Refused> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > config.limits.uri.bytes() {
        return Err(Refused::UriTooLong);
    }
    if parts.headers.get_all(HOST).iter().count() > 1 {
        return Err(Refused::Framing);
    }
    let served = config.hosts.is_empty() || host(parts).is_some_and(|host| is_served(host, &config.hosts));
    if served { Ok(()) } else { Err(Refused::Host) }
}

fn host(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(http::uri::Authority::as_str).or_else(|| parts.headers.get(HOST)?.to_str().ok())
}

fn is_served(host: &str, hosts: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    hosts.iter().any(|known| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(host))
}

fn page(gateway: &Gateway, parts: &Parts, make: impl FnOnce() -> Reply) -> Reply {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return make();
    }
    refuse(gateway, Refused::Method);
    reply::method_not_allowed(&[Method::GET, Method::HEAD])
}

fn has_demo(gateway: &Gateway) -> bool {
    let table = gateway.channels.load();
    matches!(table.lookup(demo::CHANNEL), Lookup::Here(entrance) if entrance.channel.workspace.as_str() == demo::WORKSPACE)
}

fn refuse(gateway: &Gateway, refused: Refused) -> Reply {
    knock::refuse(gateway, "", refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_channel_its_key_and_what_belongs_to_the_source() {
        for (path, channel, key, rest) in [
            ("/in/line-1", "line-1", None, ""),
            ("/in/line-1/", "line-1", None, ""),
            ("/in/line-1.s3cret", "line-1", Some("s3cret"), ""),
            ("/in/line-1.a.b/events/call", "line-1", Some("a.b"), "events/call"),
            ("/in/line-1/events/call", "line-1", None, "events/call"),
        ] {
            assert_eq!(route(path), Route::Knock(Door { channel, key, rest }), "{path}");
        }
    }

    #[test]
    fn a_path_that_two_servers_could_read_differently_is_nothing() {
        for path in [
            "/",
            "",
            "*",
            "/in",
            "/inside/a",
            "/in//a",
            "/in/a//b",
            "/in/../live",
            "/in/a/..",
            "/in/a/..;/b",
            "/in/a%00",
            "/in/%2561",
            "/in/a;b=c",
            "/in/a\\b",
            "/live/",
            "/LIVE",
            "/metrics",
            "/v1/workspaces",
        ] {
            assert_eq!(route(path), Route::Nothing, "{path}");
        }
    }

    #[test]
    fn hosts_are_compared_without_case_and_port() {
        let hosts = ["leads.example.com".to_owned(), "10.0.0.1:8080".to_owned()];
        for (host, served) in [
            ("leads.example.com", true),
            ("Leads.Example.COM:443", true),
            ("10.0.0.1:8080", true),
            ("example.com", false),
            ("leads.example.com.evil.example", false),
            ("leads.example.com:443@evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_served(host, &hosts), served, "{host}");
        }
    }
}
