//! What may staff and other systems ask? The second listener: API, console, health, metrics.
//!
//! Read in this order: [`auth`] (who may), [`ask`] and [`error`] (how a question and a refusal look), then a file a
//! topic. Every handler is thin: it reads, asks the ledger, and answers. What changes state is an entry of the
//! journal like any knock ([`orders`]), so the log explains it.

mod aside;
mod ask;
pub mod auth;
mod backup;
mod books;
mod channels;
mod console;
mod cursor;
pub mod error;
mod events;
mod exclusions;
mod feedback;
pub mod health;
mod leads;
mod mapping;
pub mod openapi;
mod orders;
mod people;
mod probes;
mod routes;
mod sample;
mod serve;
mod sse;
mod wiring;

pub use auth::{Peer, Scope, Token};
pub use health::Readiness;
pub use probes::probes;
pub use routes::router;
pub use serve::{DeskService, run, service};

use crate::channel::Channel;
use arc_swap::ArcSwap;
use lead::identity::Pepper;
use lead::ids::WorkspaceId;
use lead::rules::Rules;
use lead::time::At;
use ledger::SharedLedger;
use ledger::journal::Journal;
use prometheus::{IntCounterVec, Opts, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// One workspace as the configuration in force has it.
#[derive(Clone, Debug)]
pub struct WorkspaceView {
    /// The domain's half: id, name, channels, people, exclusions.
    pub rules: Arc<Rules>,
    /// The technical half of the channels.
    pub channels: Vec<Channel>,
    /// Configured consumers.
    pub consumers: BTreeSet<String>,
}

pub type Workspaces = BTreeMap<WorkspaceId, Arc<WorkspaceView>>;

/// The gateway's clock; commands are in the order of its moments with the knocks.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> At + Send + Sync>);

impl Now {
    pub fn new(clock: impl Fn() -> At + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub fn now(&self) -> At {
        (self.0)()
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

/// Brings gauges up to date that are only worth knowing when somebody reads them.
pub type Measure = Arc<dyn Fn() + Send + Sync>;

/// Every bound of the desk.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body.
    pub body: usize,
    /// Largest list to import, in bytes and in lines.
    pub import: usize,
    pub import_lines: usize,
    /// From a head to the last byte of its body.
    pub body_time: Duration,
    /// From a head to the answer, beyond what the caller asked to wait.
    pub request_time: Duration,
    /// Longest `wait` for events.
    pub wait: Duration,
    /// Bytes of events in one page.
    pub page: usize,
    /// Open event streams.
    pub streams: usize,
    /// Requests that wait for events.
    pub waits: usize,
    /// A silent stream says that it lives.
    pub keep_alive: Duration,
    /// Consumers of a workspace that are not in its file: each keeps events from being trimmed.
    pub consumers: usize,
    pub backup_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 10,
            import: 8 << 20,
            import_lines: 50_000,
            body_time: Duration::from_secs(10),
            request_time: Duration::from_secs(15),
            wait: Duration::from_secs(60),
            page: 8 << 20,
            streams: 64,
            waits: 256,
            keep_alive: Duration::from_secs(15),
            consumers: 32,
            backup_time: Duration::from_secs(600),
        }
    }
}

/// What the root gives the desk.
pub struct Parts {
    pub ledger: SharedLedger,
    pub journal: Journal,
    /// Empty: only this machine is served.
    pub tokens: Vec<Token>,
    pub workspaces: Workspaces,
    pub registry: Registry,
    pub ready: Arc<Readiness>,
    pub pepper: Pepper,
    pub now: Now,
    pub measure: Measure,
    pub limits: Limits,
    /// Ends streams and waiting requests.
    pub stop: CancellationToken,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// Everything a request to the desk needs; nothing global, so that two run side by side in one test.
pub struct Desk {
    pub ledger: SharedLedger,
    pub journal: Journal,
    pub tokens: Vec<Token>,
    /// Swapped whole on reload.
    pub workspaces: ArcSwap<Workspaces>,
    pub registry: Registry,
    pub ready: Arc<Readiness>,
    pub pepper: Pepper,
    pub now: Now,
    pub limits: Limits,
    pub stop: CancellationToken,
    measure: Measure,
    bounds: Bounds,
    requests: IntCounterVec,
}

/// Places of which there are only so many.
#[derive(Debug)]
struct Bounds {
    streams: Arc<Semaphore>,
    waits: Semaphore,
    imports: Semaphore,
    backups: Semaphore,
    /// Names of consumers that came by the API, per workspace.
    consumers: Mutex<BTreeMap<WorkspaceId, BTreeSet<String>>>,
}

impl Desk {
    /// Registers the desk's series; a registry takes one desk.
    pub fn new(parts: Parts) -> Self {
        let Parts { ledger, journal, tokens, workspaces, registry, ready, pepper, now, measure, limits, stop } = parts;
        let opts = Opts::new("leadgate_desk_requests_total", "Requests to the desk by path and class of status.");
        let requests = IntCounterVec::new(opts, &["path", "status"]).expect("a valid counter");
        registry.register(Box::new(requests.clone())).expect("a registry takes one desk");
        let bounds = Bounds {
            streams: Arc::new(Semaphore::new(limits.streams)),
            waits: Semaphore::new(limits.waits),
            imports: Semaphore::new(2),
            backups: Semaphore::new(1),
            consumers: Mutex::default(),
        };
        let workspaces = ArcSwap::from_pointee(workspaces);
        Self {
            ledger,
            journal,
            tokens,
            workspaces,
            registry,
            ready,
            pepper,
            now,
            limits,
            stop,
            measure,
            bounds,
            requests,
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("tokens", &self.tokens).field("limits", &self.limits).finish_non_exhaustive()
    }
}
