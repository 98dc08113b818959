//! What is under test? A desk over a journal and a ledger in a folder of their own, and a tiny engine that decides
//! what the journal holds when a test says so.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use gateway::channel::Channel;
use gateway::desk::{self, Desk, Limits, Now, Parts, Peer, Readiness, Token, WorkspaceView};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use lead::calendar::Calendar;
use lead::changes::Changes;
use lead::decide::{self, Case};
use lead::entry::{Entry, Kind, Signal, Touch, Unreadable};
use lead::facts::{Facts, Need};
use lead::identity::{Matcher, Pepper};
use lead::ids::{Uid, WorkspaceId};
use lead::phone::Region;
use lead::rules::{Exclusion, Person, Rules};
use lead::time::At;
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::{Bounds, Journal, Row};
use ledger::{Batch, Claim, SharedLedger};
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Saturday noon, when every test happens.
pub(crate) const NOON: At = At::from_millis(1_795_262_400_000);

pub(crate) fn demo() -> WorkspaceId {
    WorkspaceId::new("demo")
}

pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) desk: Arc<Desk>,
    pub(crate) ledger: SharedLedger,
    pub(crate) journal: Journal,
    pub(crate) ready: Arc<Readiness>,
    pub(crate) data: TempDir,
    _folder: Folder,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON: {:?}", self.body))
    }

    /// The status and, for problems, the detail.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        (self.status.as_u16(), self.json()["detail"].as_str().unwrap_or_default().to_owned())
    }
}

fn channel(workspace: &str, id: &str, source: &'static str) -> Channel {
    Channel { url: format!("http://127.0.0.1:8080/in/{id}"), ..Channel::new(id.into(), workspace.into(), source) }
}

pub(crate) fn rules(id: &str, channels: &[Channel]) -> Rules {
    let domain = channels.iter().map(|channel| {
        let kind = if channel.source == "telegram" { Kind::Chat } else { Kind::Form };
        lead::rules::Channel::new(channel.id.clone(), channel.source, kind, "ivan".into())
    });
    let listed = Matcher::parse("domain:spam.example", Region::RU).unwrap();
    Rules {
        workspace: id.into(),
        version: "v1".into(),
        name: format!("The {id}"),
        region: Region::RU,
        calendar: Calendar::parse("Europe/Moscow", &[], &[]).unwrap(),
        duplicate_window: Duration::from_hours(24),
        same_post_window: Duration::from_mins(10),
        close_after: Duration::from_hours(720),
        active_for: Duration::from_hours(72),
        unmatched_for: Duration::from_hours(48),
        first_contact: Duration::from_mins(15),
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: domain.map(|one| (one.id.clone(), one)).collect(),
        people: vec![Person::new("ivan".into(), "ivan"), Person::new("anna".into(), "anna")],
        exclusions: vec![Exclusion { matcher: listed, reason: "advertising".into(), expires: None }],
        own: BTreeSet::new(),
        pepper: Pepper::new(b"pepper"),
    }
}

/// `site` (a form), `bot` (a chat with a secret), `mute` (a chat without), `keyed` (a form with a key in its address),
/// `inbox` (a mailbox that is read).
fn view(id: &str) -> WorkspaceView {
    let mut channels = vec![channel(id, &format!("{id}-site"), "form")];
    if id == "demo" {
        let (mut bot, mut keyed) = (channel(id, "bot", "telegram"), channel(id, "keyed", "form"));
        bot.secrets = vec![SecretString::from("bot-secret")];
        keyed.url_key = Some(SecretString::from("k3y"));
        keyed.url.push_str(".k3y");
        channels[0] = channel(id, "site", "form");
        channels.extend([bot, channel(id, "mute", "telegram"), keyed, channel(id, "inbox", "imap")]);
    }
    WorkspaceView { rules: Arc::new(rules(id, &channels)), channels, consumers: BTreeSet::from(["crm".to_owned()]) }
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(Vec::new(), Limits::default())
    }

    pub(crate) fn with(tokens: Vec<Token>, limits: Limits) -> Self {
        let data = TempDir::new().unwrap();
        let folder = Folder::take(&data.path().join("data")).unwrap();
        let journal = Journal::open(folder.path(), Bounds { free_percent: 0, ..Bounds::default() }).unwrap();
        let ledger: SharedLedger = Arc::new(Embedded::open(folder.path(), journal.clone()).unwrap());
        let ready = Arc::new(Readiness::new());
        let workspaces = ["demo", "other"].map(|id| (WorkspaceId::new(id), Arc::new(view(id))));
        let desk = Arc::new(Desk::new(Parts {
            ledger: Arc::clone(&ledger),
            journal: journal.clone(),
            tokens,
            workspaces: workspaces.into(),
            registry: prometheus::Registry::new(),
            ready: Arc::clone(&ready),
            pepper: Pepper::new(b"pepper"),
            now: Now::new(|| NOON),
            measure: Arc::new(|| ()),
            limits,
            stop: CancellationToken::new(),
        }));
        Self { router: desk::router(Arc::clone(&desk)), desk, ledger, journal, ready, data, _folder: folder }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Heard {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Heard { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Heard {
        self.send(request(Method::GET, path, &[], Body::empty())).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Heard {
        let bearer = format!("Bearer {token}");
        self.send(request(Method::GET, path, &[("authorization", &bearer)], Body::empty())).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Heard {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(&self, path: &str, lines: &[(&str, &str)], body: &str) -> Heard {
        let mut lines = lines.to_vec();
        lines.push(("content-type", "application/json"));
        self.send(request(Method::POST, path, &lines, Body::from(body.to_owned()))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Heard {
        self.send(request(Method::DELETE, path, &[], Body::empty())).await
    }

    pub(crate) async fn store(&self, entry: Entry, raw: Option<&[u8]>) {
        let raw = raw.map(Bytes::copy_from_slice);
        self.journal.append(vec![Row { entry, raw }]).await.unwrap();
    }

    /// A form post of this person, journalled and decided; the id of its lead.
    pub(crate) async fn lead(&self, name: &str) -> String {
        let entry = touch(name, NOON);
        let id = entry.uid.lead().to_string();
        self.store(entry, None).await;
        self.decide().await;
        id
    }

    /// Decides everything in the journal of `demo`.
    pub(crate) async fn decide(&self) {
        self.each(|rules, facts, entry| Case::open(rules, entry).decide(rules, facts)).await;
    }

    /// Buries everything in the journal of `demo` that is not decided yet.
    pub(crate) async fn bury(&self) {
        self.each(|_, _, entry| Ok(decide::bury(entry, "deciding failed", 4))).await;
    }

    async fn each(&self, decide: impl Fn(&Rules, &Facts, &Entry) -> Result<Changes, Need>) {
        let rules = Arc::clone(&self.desk.workspaces.load()[&demo()].rules);
        let claim: Claim = self.ledger.claim(&demo()).await.unwrap();
        let arrived = self.ledger.inbox(&demo(), claim.cursor, 1_000, Duration::ZERO).await.unwrap();
        for one in arrived {
            let mut facts = Facts::default();
            let mut changes = loop {
                match decide(&rules, &facts, &one.entry) {
                    Ok(changes) => break changes,
                    Err(need) => self.fetch(&mut facts, need).await,
                }
            };
            facts.apply(&mut changes);
            let mut batch = Batch::default();
            batch.absorb(changes, Some((one.position, &one.entry)));
            batch.seal(facts, one.position);
            self.ledger.commit(&demo(), &claim, batch).await.unwrap();
        }
    }

    async fn fetch(&self, facts: &mut Facts, need: Need) {
        match need {
            Need::Records(keys) => {
                let found = self.ledger.fetch(&demo(), &keys).await.unwrap();
                keys.into_iter().zip(found).for_each(|(key, record)| facts.learn(key, record));
            }
            Need::Queue(wanted) => {
                let asked = facts.queue_to_ask(wanted);
                facts.learn_queue(self.ledger.queue(&demo(), asked).await.unwrap(), asked);
            }
        }
    }

    /// Everything in the journal of `demo`, in order.
    pub(crate) fn journalled(&self) -> Vec<Entry> {
        let rows = self.journal.reader().unwrap().after(&demo(), 0, 100_000).unwrap();
        rows.into_iter().map(|row| (*row.entry).clone()).collect()
    }
}

/// A request as this machine makes it.
pub(crate) fn request(method: Method, path: &str, lines: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !lines.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8090");
    }
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body).unwrap();
    request.extensions_mut().insert(Peer(IpAddr::from([127, 0, 0, 1])));
    request
}

pub(crate) fn touch(name: &str, at: At) -> Entry {
    let mut touch = Touch::new(Kind::Form);
    touch.name = Some(name.to_owned());
    touch.emails = vec![format!("{}@example.com", name.to_lowercase())];
    entry(Uid::derived("site", name, "new"), at, Signal::Touch(Box::new(touch)))
}

pub(crate) fn entry(uid: Uid, at: At, signal: Signal) -> Entry {
    Entry {
        uid,
        workspace: demo(),
        channel: "site".into(),
        received_at: at,
        source: "form".into(),
        synthetic: None,
        same: None,
        signal,
    }
}

pub(crate) fn unreadable(channel: &str, name: &str, content_type: &str) -> Entry {
    let signal = Signal::Unreadable(Unreadable {
        reason: "the JSON has not the expected shape".into(),
        content_type: Some(content_type.to_owned()),
        rest: None,
    });
    Entry { channel: channel.into(), ..entry(Uid::derived(channel, name, "raw"), NOON, signal) }
}
