//! What does `leadgate.toml` say? The machine: store, listeners, retention, tokens, log.
//!
//! Read once into [`Config`]; the limits have a room of their own in [`super::limits`]. Every accessor has a default
//! below it, so a mistake never hides the next one, and a `Config` exists even while there are problems.

use super::hint::one_of;
use super::limits;
use super::mail;
use super::problem::Problem;
use super::read::{A_DURATION, Report, Section, Spot, too_large};
use super::tree::Node;
use super::{Env, Place};
use gateway::config::{Limits, TlsFiles};
use ipnet::IpNet;
use lead::ids::WorkspaceId;
use lead::units::Span;
use ledger::journal::Bounds;
use ledger::redis::Durability;
use secrecy::SecretString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The machine, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    /// Set: the operator's own. None: made at the first start, in `data`.
    pub(crate) pepper: Option<SecretString>,
    pub(crate) gateway: Gateway,
    pub(crate) limits: Limits,
    pub(crate) keep: Keep,
    pub(crate) desk: Desk,
    pub(crate) journal: Bounds,
    pub(crate) workers: Workers,
    pub(crate) log: Log,
    /// How long a stop may take.
    pub(crate) grace: Duration,
}

/// Where leads and events live.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Embedded,
    Redis {
        url: SecretString,
        /// The certificate of the authority that signed the server's, in PEM.
        ca: Option<PathBuf>,
        durability: Durability,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) listen: SocketAddr,
    /// Without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Lower case; empty means any.
    pub(crate) hosts: Vec<String>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) mail: mail::Mail,
}

#[derive(Clone, Debug)]
pub(crate) struct Keep {
    pub(crate) events: Duration,
    pub(crate) inbox: Duration,
    pub(crate) journal: Duration,
    pub(crate) seen: Duration,
    pub(crate) closed: Duration,
    pub(crate) aside: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) listen: SocketAddr,
    pub(crate) tokens: Vec<Token>,
}

/// Who may ask the desk, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) token: SecretString,
    pub(crate) scopes: Vec<Scope>,
    /// None: every workspace.
    pub(crate) workspaces: Option<Vec<WorkspaceId>>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Leads and events.
    Read,
    /// What became of a lead.
    Feedback,
    /// Everything else.
    Manage,
}

#[derive(Clone, Debug)]
pub(crate) struct Workers {
    pub(crate) listen: SocketAddr,
    pub(crate) bounds: workers::Config,
}

#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Auto,
    Text,
    Json,
}

/// Shorter tokens can be guessed.
const TOKEN: usize = 16;
const PEPPER: usize = 16;
const TLS_CHECK: Duration = Duration::from_secs(10);
pub(super) const AN_ADDRESS: &str = "an address like \"127.0.0.1:8080\" or \"[::1]:8080\"";
const SCOPES: [(&str, Scope); 3] = [("read", Scope::Read), ("feedback", Scope::Feedback), ("manage", Scope::Manage)];

/// The machine and what only the workspaces can tell right from wrong.
pub(crate) struct Machine {
    pub(crate) config: Config,
    /// Workspaces that tokens name.
    pub(crate) mentioned: Vec<(Spot, WorkspaceId)>,
    pub(crate) problems: Vec<Problem>,
}

/// Resolves the tree of defaults, file and environment.
pub(crate) fn resolve(tree: &Node, env: &Env, place: &Place) -> Machine {
    let report = Report::default();
    let root = Section::root(tree, &report);
    let limits = limits::read(&root.section("limits"));
    let mut mentioned = Vec::new();
    let (store, pepper) = store(&root.section("store"), env, place);
    let desk = desk(&root.section("desk"), env, place, &mut mentioned);
    let gateway = gateway(&root.section("gateway"), place);
    let workers = workers(&root.section("workers"));
    let mut taken = vec![("gateway", gateway.listen), ("desk", desk.listen), ("workers", workers.listen)];
    taken.extend(gateway.mail.addresses());
    distinct_listeners(&root, &taken);
    mail::contradictions(&root, &gateway.mail, &limits);
    let config = Config {
        data: place.folder().join(root.parsed("data", "a folder", not_blank).unwrap_or("data")),
        store,
        pepper,
        keep: keep(&root.section("keep")),
        log: log(&root.section("log")),
        grace: grace(&root, &limits),
        gateway,
        limits,
        desk,
        journal: journal(&root.section("journal")),
        workers,
    };
    root.end();
    Machine { config, mentioned, problems: report.take() }
}

fn not_blank(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

const A_STORE: &str = "\"embedded\", or an address like \"redis://redis.example:6379/0\" or \"rediss://…\"";

fn store(section: &Section<'_>, env: &Env, place: &Place) -> (Store, Option<SecretString>) {
    let durability = section.word("durability", &[("aof", Durability::Aof), ("replicated", Durability::Replicated)]);
    let pepper = section.secret("pepper", PEPPER, env, place);
    let file = |text: &str| Some(place.folder().join(text)).filter(|path| path.is_file());
    let ca = section.has("ca").then(|| section.parsed("ca", "the path of a PEM file that is there", file)).flatten();
    let read = |text: &str| match text.split_once("://") {
        None if text == "embedded" => Some(Store::Embedded),
        Some(("redis" | "rediss" | "redis+unix", _)) if ::ledger::redis::Address::parse(text, None).is_ok() => {
            Some(Store::Redis { url: SecretString::from(text), ca: ca.clone(), durability })
        }
        _ => None,
    };
    let store = section.parsed("url", A_STORE, read).unwrap_or(Store::Embedded);
    let encrypted = section.text("url").is_some_and(|url| url.starts_with("rediss://"));
    if ca.is_some() && !encrypted {
        section.wrong(section.spot("ca").wrong("left out, or a store.url that begins with rediss://"));
    }
    if matches!(store, Store::Redis { .. }) && !section.has("pepper") {
        section.wrong(section.spot("pepper").wrong(format!(
            "a secret of at least {PEPPER} characters, the same for every gateway and worker of this Redis"
        )));
    }
    section.end();
    (store, pepper)
}

fn gateway(section: &Section<'_>, place: &Place) -> Gateway {
    let listen = listen(section);
    let public_url =
        section.parsed("public_url", "an address like \"https://leads.example.com\", without a path", base);
    let networks = section.all("trusted_proxies", "a network like \"10.0.0.0/8\" or an address like \"::1\"", network);
    let hosts = section.all("hosts", "a host name like \"leads.example.com\"", host);
    let tls = section.maybe_section("tls").and_then(|tls| certificate(&tls, place));
    let public_url = public_url.unwrap_or_else(|| format!("http://{listen}"));
    let mail = mail::read(section, &public_url, place);
    section.end();
    Gateway {
        listen,
        public_url,
        trusted_proxies: networks.into_iter().map(|(_, network)| network).collect(),
        hosts: hosts.into_iter().map(|(_, host)| host).collect(),
        tls,
        mail,
    }
}

fn listen(section: &Section<'_>) -> SocketAddr {
    let read = section.parsed("listen", AN_ADDRESS, |text| text.parse().ok());
    read.expect("the built-in defaults name an address for every listener")
}

/// Scheme, host and port, and nothing that a provider would have to guess.
fn base(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (bare && url.has_host()).then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn host(text: &str) -> Option<String> {
    let host = url::Host::parse(text).ok()?.to_string();
    host.eq_ignore_ascii_case(text).then_some(host)
}

pub(super) fn certificate(section: &Section<'_>, place: &Place) -> Option<TlsFiles> {
    let file = |key: &'static str| {
        let found = |text: &str| Some(place.folder().join(text)).filter(|path| path.is_file());
        section.need(key, "the path of a PEM file that is there", |value| value.text().and_then(found))
    };
    let (cert, key) = (file("cert"), file("key"));
    let above_zero = |text: &str| Span::parse(text).map(|span| span.0).filter(|span| !span.is_zero());
    let check = section.parsed("check", A_DURATION, above_zero).unwrap_or(TLS_CHECK);
    section.end();
    Some(TlsFiles { cert: cert?, key: key?, check: Span(check) })
}

fn keep(section: &Section<'_>) -> Keep {
    let keep = Keep {
        events: section.span("events"),
        inbox: section.span("inbox"),
        journal: section.span("journal"),
        seen: section.span("seen"),
        closed: section.span("closed"),
        aside: section.span("aside"),
    };
    if keep.journal > keep.seen {
        // A journal row sent again after its uid was forgotten would become a second lead.
        section.wrong(too_large(&section.spot("journal"), &section.spot("seen")));
    }
    if keep.seen < gateway::feeds::WINDOW {
        let least = Span(gateway::feeds::WINDOW);
        section.wrong(section.spot("seen").wrong(format!("at least {least}")));
    }
    section.end();
    keep
}

fn desk(section: &Section<'_>, env: &Env, place: &Place, mentioned: &mut Vec<(Spot, WorkspaceId)>) -> Desk {
    let listen = listen(section);
    let sections = section.sections("tokens");
    let guarded = !sections.is_empty();
    let mut tokens: Vec<Token> = Vec::new();
    for one in sections {
        let spot = one.spot("name");
        let Some(token) = token(&one, env, place, mentioned) else { continue };
        if tokens.iter().any(|other| other.name == token.name) {
            section.wrong(spot.wrong("a name no other token has"));
        }
        tokens.push(token);
    }
    if !guarded && !listen.ip().is_loopback() {
        section.wrong(section.spot("listen").wrong("an address of this machine only, or [[desk.tokens]]"));
    }
    section.end();
    Desk { listen, tokens }
}

fn token(section: &Section<'_>, env: &Env, place: &Place, mentioned: &mut Vec<(Spot, WorkspaceId)>) -> Option<Token> {
    let name = section.need("name", super::A_NAME, |value| value.text().filter(|text| lead::ids::is_name(text)));
    if !section.has("token") {
        section.wrong(section.spot("token").wrong(format!("a secret of at least {TOKEN} characters")));
    }
    let secret = section.secret("token", TOKEN, env, place);
    let scopes = scopes(section);
    let spaces =
        section.all("workspaces", super::A_NAME, |text| lead::ids::is_name(text).then(|| WorkspaceId::new(text)));
    let all = !section.has("workspaces");
    mentioned.extend(spaces.iter().cloned());
    let workspaces = (!all).then(|| spaces.into_iter().map(|(_, id)| id).collect());
    section.end();
    Some(Token { name: name?.to_owned(), token: secret?, scopes, workspaces })
}

fn scopes(section: &Section<'_>) -> Vec<Scope> {
    let names: Vec<String> = SCOPES.iter().map(|(name, _)| format!("{name:?}")).collect();
    let expected = one_of(&names);
    let known = |text: &str| SCOPES.iter().find(|(name, _)| *name == text).map(|(_, scope)| *scope);
    let scopes: Vec<Scope> = section.all("scopes", &expected, known).into_iter().map(|(_, scope)| scope).collect();
    if scopes.is_empty() && section.is_blank("scopes") {
        section.wrong(section.spot("scopes").wrong(format!("at least one of {expected}")));
    }
    scopes
}

fn workers(section: &Section<'_>) -> Workers {
    let listen = listen(section);
    let bounds = workers::Config {
        batch: section.count("batch", 1..=10_000),
        attempts: section.whole("attempts", 1..=100).unwrap_or(4),
        watchdog: Span(section.span("watchdog")),
        lease: Span(section.span("lease")),
        trim_every: Span(section.span("trim_every")),
        gauges_every: Span(section.span("gauges_every")),
    };
    section.end();
    Workers { listen, bounds }
}

fn journal(section: &Section<'_>) -> Bounds {
    let bounds = Bounds {
        waiting: section.count("waiting", 1..=1_000_000),
        group: section.count("group", 1..=10_000),
        spool_over: section.size("spool_over").bytes(),
        free_percent: section.whole("disk_free", 0..=90).map_or(5, u64::from),
        free_enough: section.size("disk_free_enough").bytes() as u64,
    };
    section.end();
    bounds
}

fn log(section: &Section<'_>) -> Log {
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = section.word("format", &formats);
    let expected = "levels like \"info\" or \"info,gateway=debug\"";
    let filter = section.parsed("filter", expected, |text| EnvFilter::try_new(text).ok().map(|_| text.to_owned()));
    section.end();
    Log { format, filter: filter.unwrap_or_else(|| "info".to_owned()) }
}

/// Running requests get their time out of the time of the whole stop.
fn grace(root: &Section<'_>, limits: &Limits) -> Duration {
    let section = root.section("shutdown");
    let grace = section.span("grace");
    if limits.drain_time.0 > grace {
        root.wrong(too_large(&root.section("limits").spot("drain_time"), &section.spot("grace")));
    }
    section.end();
    grace
}

/// Every listener has its own address. Port 0 means any free one.
fn distinct_listeners(root: &Section<'_>, all: &[(&'static str, SocketAddr)]) {
    for (index, (name, one)) in all.iter().enumerate() {
        let same = |other: &SocketAddr| {
            let anywhere = one.ip().is_unspecified() || other.ip().is_unspecified() || one.ip() == other.ip();
            one.port() == other.port() && one.port() != 0 && anywhere
        };
        if let Some((other, _)) = all[..index].iter().find(|(_, other)| same(other)) {
            let (mine, theirs) = (section_of(root, name).spot("listen"), section_of(root, other).spot("listen"));
            let (spot, other) = if mine.is_default() { (theirs, name) } else { (mine, other) };
            root.wrong(spot.wrong(format!("an address of its own: {other}.listen is the same")));
        }
    }
}

/// A section by its path, `gateway.smtp`.
fn section_of<'a>(root: &Section<'a>, path: &'static str) -> Section<'a> {
    match path.split_once('.') {
        Some((outer, inner)) => root.section(outer).section(inner),
        None => root.section(path),
    }
}
